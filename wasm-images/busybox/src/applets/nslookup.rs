//! `nslookup`.

use crate::util::files::read_text;
use crate::util::{Out, parse, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::Errno;
use std::net::{IpAddr, SocketAddr};
use sys::dns::{Answer, Record, RecordType, ResolvConf, query};

/// `nslookup [-type=QUERY_TYPE] HOST [DNS_SERVER]`: types a, aaaa and ptr.
pub fn main(args: &[String]) -> i32 {
    let mut kinds = Vec::new();
    let mut rest = vec!["nslookup".to_owned()];
    for arg in args.iter().skip(1) {
        let kind = arg.strip_prefix('-').and_then(|o| {
            o.strip_prefix("type=")
                .or_else(|| o.strip_prefix("querytype="))
                .or_else(|| o.strip_prefix("q="))
        });
        match kind.map(str::to_ascii_lowercase).as_deref() {
            None => rest.push(arg.clone()),
            Some("a") => kinds.push(RecordType::A),
            Some("aaaa") => kinds.push(RecordType::Aaaa),
            Some("ptr") => kinds.push(RecordType::Ptr),
            Some(other) => {
                complain!("nslookup", "invalid query type \"{other}\"");
                return 1;
            }
        }
    }
    let opts = match parse(&rest, "d", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Some(host) = opts.args.first() else {
        return show_usage("nslookup");
    };
    let conf = ResolvConf::parse(&read_text("/etc/resolv.conf").unwrap_or_default());
    let server = match opts.args.get(1) {
        None => conf.nameservers.first().copied(),
        Some(name) => match sys::resolve(name) {
            Ok(found) if !found.is_empty() => found.first().copied(),
            _ => {
                complain!("nslookup", "bad address '{name}'");
                return 1;
            }
        },
    };
    let Some(server) = server else { return 1 };
    let mut names = conf.candidates(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        kinds = vec![RecordType::Ptr];
        names = vec![reverse(address)];
    } else if kinds.is_empty() {
        kinds = vec![RecordType::A, RecordType::Aaaa];
    }
    let server = SocketAddr::new(server, 53);
    let mut answers = Vec::new();
    // The first name that exists is the answer; where none does, what was said about each is shown.
    for name in &names {
        for kind in &kinds {
            match ask(server, name, *kind, &conf) {
                Ok(answer) => answers.push((name, answer)),
                Err(Errno::EAGAIN) => {
                    let mut out = Out::stdout();
                    out.text(";; connection timed out; no servers could be reached\n\n");
                    return out.finish("nslookup", 1);
                }
                Err(Errno::EINVAL) => {
                    complain!("nslookup", "invalid name '{name}'");
                    return 1;
                }
                Err(error) => {
                    complain!("nslookup", "write to '{}': {error}", server.ip());
                    return 1;
                }
            }
        }
        if answers.iter().any(|(_, answer)| !answer.records.is_empty()) {
            answers.retain(|(of, _)| *of == name);
            break;
        }
    }
    let mut out = Out::stdout();
    out!(out, "Server:\t\t{}\nAddress:\t{server}\n\n", server.ip());
    let mut code = 0;
    for (name, answer) in answers {
        out.text(&describe(name, &answer));
        if answer.rcode != 0 {
            code = 1;
        }
    }
    out.finish("nslookup", code)
}

fn ask(server: SocketAddr, name: &str, kind: RecordType, conf: &ResolvConf) -> Result<Answer, Errno> {
    let mut last = Errno::EAGAIN;
    for _ in 0..conf.attempts.max(1) {
        match query(server, name, kind, conf.timeout) {
            Err(Errno::EAGAIN) => {}
            Err(error) => last = error,
            done => return done,
        }
    }
    Err(last)
}

fn describe(name: &str, answer: &Answer) -> String {
    let reason = match answer.rcode {
        0 => None,
        1 => Some("FORMERR"),
        2 => Some("SERVFAIL"),
        3 => Some("NXDOMAIN"),
        4 => Some("NOTIMP"),
        5 => Some("REFUSED"),
        _ => Some("NOERROR"),
    };
    let mut text = String::new();
    if let Some(reason) = reason {
        text.push_str(&format!("** server can't find {name}: {reason}\n"));
    } else if answer.records.is_empty() {
        text.push_str(&format!("*** Can't find {name}: No answer\n"));
    }
    for (owner, record) in &answer.records {
        text.push_str(&match record {
            Record::Address(address) => format!("Name:\t{owner}\nAddress: {address}\n"),
            Record::Name(target) if owner.ends_with(".arpa") => format!("{owner}\tname = {target}\n"),
            Record::Name(target) => format!("{owner}\tcanonical name = {target}\n"),
        });
    }
    text.push('\n');
    text
}

/// The name under which an address is looked up.
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits: Vec<char> = format!("{:032x}", v6.to_bits()).chars().rev().collect();
            let mut name = String::new();
            for digit in digits {
                name.push(digit);
                name.push('.');
            }
            name + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_in_busybox() {
        let answer = |rcode, records| Answer { rcode, records };
        let ip = Record::Address(IpAddr::from([10, 0, 0, 1]));
        for (answer, want) in [
            (
                answer(0, vec![("web".to_owned(), ip)]),
                "Name:\tweb\nAddress: 10.0.0.1\n\n",
            ),
            (answer(0, vec![]), "*** Can't find web: No answer\n\n"),
            (answer(3, vec![]), "** server can't find web: NXDOMAIN\n\n"),
        ] {
            assert_eq!(describe("web", &answer), want);
        }
        assert_eq!(reverse(IpAddr::from([1, 2, 3, 4])), "4.3.2.1.in-addr.arpa");
    }
}
