//! Whatever comes from a client: thrown at what reads it, changed at random. Nothing may panic, and what has a second way to be computed
//! must agree with it.
//!
//! As ordinary tests these make a few thousand inputs from a fixed seed. `just fuzz` gives each a minute and a new seed: it sets
//! `PODSIM_FUZZ_SECONDS`. A failure names its seed; `PODSIM_FUZZ_SEED` repeats it. (No coverage guides them: that needs a nightly
//! compiler, which the project does not.)

use crate::patch::PatchKind;
use crate::stream::session::FromClient;
use crate::stream::spdy::frame::{Frame, Framer, data, ping};
use crate::stream::spdy::headers::Inflater;
use podsim_store::{Selectors, kinds};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const INPUTS: u64 = 3000;

/// Calls `one` with a generator for each input, for as long as is asked.
fn each(one: impl Fn(&mut StdRng)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("PODSIM_FUZZ_SEED") {
        return one(&mut StdRng::seed_from_u64(seed));
    }
    let run = |seed: u64| {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(&mut StdRng::seed_from_u64(seed))));
        assert!(tried.is_ok(), "failed with PODSIM_FUZZ_SEED={seed}");
    };
    match number("PODSIM_FUZZ_SECONDS") {
        None => (0..INPUTS).for_each(run),
        Some(seconds) => {
            let (start, first) = (Instant::now(), rand::random::<u32>());
            let mut count = 0;
            while start.elapsed() < Duration::from_secs(seconds) {
                run(u64::from(first) + count);
                count += 1;
            }
            println!("{count} inputs, from PODSIM_FUZZ_SEED={first} on");
        }
    }
}

/// Changes bytes as fuzzers do: flips, cuts, doubles, puts in what is often special.
fn mutate(random: &mut StdRng, bytes: &mut Vec<u8>) {
    const SPECIAL: &[u8] = &[0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b',', b'=', b'{', b'[', b'/', b'~'];
    for _ in 0..random.random_range(0..8) {
        if bytes.is_empty() {
            bytes.push(random.random());
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = SPECIAL[random.random_range(0..SPECIAL.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.random()),
            4 => drop(bytes.remove(at)),
            _ => {
                let piece = bytes[at..].to_vec();
                bytes.extend(piece);
            }
        }
    }
}

/// A value from few words, so that two of them meet.
fn value(random: &mut StdRng, depth: usize) -> Value {
    const WORDS: &[&str] = &[
        "name",
        "containers",
        "a",
        "b",
        "$patch",
        "delete",
        "replace",
        "$setElementOrder/containers",
        "0",
        "",
    ];
    let word = |random: &mut StdRng| WORDS[random.random_range(0..WORDS.len())];
    match random.random_range(0..if depth == 0 { 4 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!(random.random::<i64>()),
        3 => json!(word(random)),
        4 => (0..random.random_range(0..4))
            .map(|_| value(random, depth - 1))
            .collect(),
        _ => {
            let fields = (0..random.random_range(0..5)).map(|_| (word(random).to_owned(), value(random, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let (mut framer, mut frames) = (Framer::default(), vec![]);
    for piece in pieces {
        framer.feed(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

#[test]
fn fuzz_spdy() {
    each(|random| {
        let syn = [
            &[0x80, 3, 0, 1, 0, 0, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..],
            &[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 0, 0],
        ]
        .concat();
        let mut bytes = [syn, data(1, false, b"hello"), ping(3), data(1, true, b"")].concat();
        mutate(random, &mut bytes);
        let whole = frames(&[&bytes]);
        let cut = random.random_range(0..=bytes.len());
        assert_eq!(frames(&[&bytes[..cut], &bytes[cut..]]), whole, "however it is cut");
        let mut inflater = Inflater::new();
        for frame in whole.0 {
            if let Frame::SynStream { block, .. } | Frame::Headers { block } = frame {
                inflater.read(&block);
            }
        }
        let mut noise = vec![0; random.random_range(0..200)];
        random.fill_bytes(&mut noise);
        Inflater::new().read(&noise);
    });
}

#[test]
fn fuzz_channels() {
    each(|random| {
        let seeds: [&[u8]; 4] = [b"\x00stdin", b"\x04{\"Width\":80,\"Height\":24}", b"\xff\x00", b"\x03x"];
        let mut bytes = seeds[random.random_range(0..seeds.len())].to_vec();
        mutate(random, &mut bytes);
        let v5 = random.random();
        match FromClient::read(&bytes, v5) {
            FromClient::Stdin(data) => assert_eq!((bytes[0], data), (0, &bytes[1..])),
            FromClient::Resize(_) => assert_eq!(bytes[0], 4),
            FromClient::EndOfStdin => assert!(v5 && bytes.starts_with(b"\xff\x00")),
            FromClient::Nothing => {}
        }
    });
}

#[test]
fn fuzz_patches() {
    each(|random| {
        let object = value(random, 4);
        let patch = value(random, 4);
        // What a merge patch sets, it sets: a second time it changes nothing.
        let once = PatchKind::Merge.apply(&object, &patch).unwrap();
        assert_eq!(PatchKind::Merge.apply(&once, &patch).unwrap(), once, "{object} {patch}");
        let _ = PatchKind::Strategic.apply(&object, &patch);
        let path = |random: &mut StdRng| {
            let parts = [
                "",
                "/",
                "/a",
                "/containers/0",
                "/a/-",
                "/name/~1~0",
                "/99999999999999999999",
                "a",
            ];
            parts[random.random_range(0..parts.len())]
        };
        let operations: Value = (0..random.random_range(0..4))
            .map(|_| {
                let ops = ["add", "remove", "replace", "move", "copy", "test", "x"];
                let op = ops[random.random_range(0..ops.len())];
                json!({"op": op, "path": path(random), "from": path(random), "value": value(random, 2)})
            })
            .collect();
        let _ = PatchKind::Json.apply(&object, &operations);
    });
}

#[test]
fn fuzz_selectors() {
    each(|random| {
        let seeds = [
            "a=b,c!=d",
            "a in (b, c),!d",
            "x notin (y)",
            "a",
            "app.kubernetes.io/name==web",
            "status.phase=Running,metadata.name!=x",
        ];
        let mut text = seeds[random.random_range(0..seeds.len())].as_bytes().to_vec();
        mutate(random, &mut text);
        let text = String::from_utf8_lossy(&text);
        let pod = json!({"metadata": {"name": "x", "labels": {"a": "b", "c": "d"}}, "status": {"phase": "Running"}});
        for (labels, fields) in [(text.as_ref(), ""), ("", text.as_ref())] {
            if let Ok(selectors) = Selectors::parse(&kinds::POD, labels, fields) {
                let _ = selectors.matches(&pod);
            }
        }
    });
}
