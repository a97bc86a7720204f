//! Endpoints that need no kernel.

use super::*;

fn answer(steps: Vec<Step>) -> Option<Answer> {
    match steps.into_iter().next() {
        Some(Step::Answer(answer)) => Some(answer),
        _ => None,
    }
}

fn netexec(ready: bool, terminating: bool) -> Netexec {
    Netexec {
        replaced: None,
        ready,
        delay: Duration::ZERO,
        terminating,
    }
}

#[test]
fn endpoints_answer_as_upstreams_do() {
    for (target, status, body) in [
        ("/echo?msg=a+b", 200, "a b"),
        ("/echo?msg=a&code=404", 404, "a"),
        (
            "/echo?code=x",
            200,
            "argument 'code' must be an integer or empty, got \"x\"\n",
        ),
        ("/healthz", 200, ""),
        ("/readyz", 200, "ok"),
        ("/header", 200, "{}"),
        (
            "/redirect?location=/echo%3Fmsg=a",
            302,
            "<a href=\"/echo?msg=a\">Found</a>.\n\n",
        ),
        (
            "/redirect?location=/a&code=307",
            307,
            "<a href=\"/a\">Temporary Redirect</a>.\n\n",
        ),
    ] {
        let got = answer(netexec(true, false).route(&Request::get(target)));
        let got = got.map(|answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned()));
        assert_eq!(got, Some((status, body.to_owned())), "{target}");
    }
}

#[test]
fn health_is_the_udp_servers_and_readiness_ends_with_sigterm() {
    for (ready, terminating, health, readiness) in [
        (true, false, 200, 200),
        (false, false, 412, 412),
        (true, true, 200, 503),
    ] {
        let status = |path| answer(netexec(ready, terminating).route(&Request::get(path))).map(|answer| answer.status);
        assert_eq!([status("/healthz"), status("/readyz")], [Some(health), Some(readiness)]);
    }
}

#[test]
fn headers_are_named_as_go_names_them() {
    let mut request = Request::get("/header");
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    request.headers = vec![header("host", "h"), header("x-FOO-bar", "1"), header("X-Foo-Bar", "2")];
    assert_eq!(super::header(&request).body, br#"{"X-Foo-Bar":["1","2"]}"#);
    request.query = "key=x-foo-bar".to_owned();
    assert_eq!(super::header(&request).body, b"1");
}

#[test]
fn a_status_that_is_none_costs_the_connection() {
    assert!(matches!(
        netexec(true, false).route(&Request::get("/echo?code=42")).first(),
        Some(Step::Hangup)
    ));
}

#[test]
fn addresses_are_sorted_and_checked() {
    let ip = |text: &str| text.parse::<IpAddr>().ok();
    assert_eq!(addresses(""), Ok(vec![("", None)]));
    assert_eq!(
        addresses("::1,127.0.0.1,::1"),
        Ok(vec![("127.0.0.1", ip("127.0.0.1")), ("::1", ip("::1"))])
    );
    assert_eq!(addresses("here"), Err("parseAddress: invalid address here".to_owned()));
}
