//! Clients that mean no good, or know no better: refused or cut off, and nobody else notices. And large numbers.

use super::*;
use podsim_store::kinds;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

impl Server {
    /// Sends bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has had enough closes while we still send.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn still_serves(&self) {
        assert_eq!(self.get(MAPS).await.code, 200);
    }
}

#[tokio::test]
async fn garbage_is_answered_with_an_error_and_an_end() {
    let server = Server::start().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET /api/v1/pods HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/v1/pods HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/pods HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let answer = server.raw(garbage).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{}: {answer}",
            String::from_utf8_lossy(garbage)
        );
        server.still_serves().await;
    }
}

#[tokio::test]
async fn a_body_of_50_megabytes_is_refused() {
    let server = Server::start().await;
    let head = format!(
        "POST {MAPS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        50 << 20
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + (50 << 20), b' ');
    let (answer, ()) = tokio::join!(server.raw(&request), server.still_serves());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer:.200}");
    assert!(
        answer.contains("Request entity too large: limit is 3145728"),
        "{answer}"
    );
    server.still_serves().await;
}

#[tokio::test]
async fn a_million_label_selectors_are_refused() {
    let server = Server::start().await;
    let many = |count: usize| vec!["a=b"; count].join(",");
    let request = format!(
        "GET {MAPS}?labelSelector={} HTTP/1.1\r\nHost: x\r\n\r\n",
        many(1_000_000)
    );
    let answer = server.raw(request.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:.200}");
    // As many as fit into a request are looked at.
    assert_eq!(
        server.get(&format!("{MAPS}?labelSelector={}", many(10_000))).await.code,
        200
    );
    server.still_serves().await;
}

#[tokio::test]
async fn deep_json_is_refused() {
    let server = Server::start().await;
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let answer = server
            .send("POST", MAPS, "Content-Type: application/json\r\n", &deep)
            .await;
        assert_eq!(answer.code, 400, "{}", answer.body);
    }
    server.still_serves().await;
}

/// One that asks for everything and reads nothing fills its own queue only; those who read see each change.
#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_alone() {
    // More than fits into the watch's queue (1024) and, each being this large, the buffers of a connection.
    const CHANGES: usize = 1600;
    const SIZE: usize = 40_000;
    let server = Server::start().await;
    let object = json!({"metadata": {"name": "m"}, "data": {"a": "x".repeat(SIZE)}});
    server
        .store
        .create(&kinds::CONFIG_MAP, "default", object.clone())
        .unwrap();
    let watch = async || {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!(
            "GET {MAPS}?watch=true HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let mut lazy = watch().await;
    lazy.read_exact(&mut [0; 1]).await.unwrap();
    let mut lines = BufReader::new(watch().await).lines();
    let mut next = async || {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if line.starts_with("{\"") {
                return line;
            }
        }
    };
    next().await;
    for number in 0..CHANGES {
        let mut object = object.clone();
        object["data"]["n"] = number.to_string().into();
        server.store.update(&kinds::CONFIG_MAP, "default", object).unwrap();
        assert!(next().await.contains(&format!("\"n\":\"{number}\"")), "{number}");
    }
    server.still_serves().await;
    // What is left for the other ends: it does not go on for ever.
    let mut rest = Vec::new();
    lazy.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < CHANGES * SIZE, "{}", rest.len());
}

#[tokio::test]
async fn ten_thousand_config_maps_are_listed_paged_and_watched() {
    const ALL: usize = 10_000;
    let server = Server::start().await;
    for number in 0..ALL {
        let object = json!({"metadata": {"name": format!("m{number:05}")}, "data": {"n": number.to_string()}});
        server.store.create(&kinds::CONFIG_MAP, "default", object).unwrap();
    }
    let items = |list: &Value| list["items"].as_array().map_or(0, Vec::len);
    assert_eq!(items(&server.get(MAPS).await.json()), ALL);
    let page = server.get(&format!("{MAPS}?limit=500")).await.json();
    assert_eq!(
        (items(&page), page["metadata"]["remainingItemCount"].as_u64()),
        (500, Some(9500))
    );
    let path =
        format!("{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let events = server.watch(&path, ALL + 1).await;
    assert_eq!(events[ALL]["type"], "BOOKMARK");
    assert_eq!(events[0]["object"]["metadata"]["name"], "m00000");
}

/// How much slower writes are while many watch (goal: less than twice), for `just bench`: a measurement, so no ordinary test.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures time: just bench"]
async fn bench_writes_with_a_thousand_watchers() {
    const WATCHERS: usize = 1000;
    const WRITES: u32 = 300;
    let server = Server::start().await;
    let object = json!({"metadata": {"name": "m"}, "data": {"a": "x".repeat(500)}});
    server.post(MAPS, &object).await;
    let writes = async |server: &Server| {
        let start = std::time::Instant::now();
        for number in 0..WRITES {
            let patch = json!({"data": {"n": number.to_string()}});
            let answer = server.patch(&format!("{MAPS}/m"), "merge-patch+json", &patch).await;
            assert_eq!(answer.code, 200);
        }
        start.elapsed() / WRITES
    };
    writes(&server).await;
    let alone = writes(&server).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WATCHERS {
        let address = server.address;
        let (watching, ready) = tokio::sync::oneshot::channel();
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {MAPS}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut buffer = vec![0; 16 << 10];
            stream.read_exact(&mut buffer[..1]).await.unwrap();
            let _ = watching.send(());
            while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        });
        ready.await.unwrap();
    }
    let watched = writes(&server).await;
    let ratio = watched.as_secs_f64() / alone.as_secs_f64();
    println!("a write alone {alone:?}, with {WATCHERS} watchers {watched:?}: {ratio:.2} times as long");
}
