//! `porter`: serves values of the environment on the ports that its names tell (`porter/porter.go`). TLS and SCTP are not to
//! be had.

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{fatal, json, logf, quote};
use crate::http::{Answer, Request, Server, Service, Step};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) static COMMAND: Command = Command {
    name: "porter",
    about: "Serves requested data on ports specified in ENV variables",
    flags: &[flag(
        "json-response",
        Value::Bool(false),
        "Responds to requests with a json response that includes the default value with the http.Request Method",
    )],
    takes_args: false,
    run,
};

const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Udp,
    Tls,
    Sctp,
}

/// What a variable asks for: the kind, and the port as text.
fn wanted(name: &str) -> Option<(Kind, &str)> {
    [
        ("SERVE_PORT_", Kind::Http),
        ("SERVE_TCP_PORT_", Kind::Http),
        ("SERVE_UDP_PORT_", Kind::Udp),
        ("SERVE_TLS_PORT_", Kind::Tls),
        ("SERVE_SCTP_PORT_", Kind::Sctp),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| Some((kind, name.strip_prefix(prefix)?)))
}

fn run(flags: &Flags) -> i32 {
    let mut server = Server::default();
    let mut porter = Porter {
        json: flags.bool("json-response"),
        http: Vec::new(),
        udp: Vec::new(),
    };
    for pair in busybox::util::child::environ() {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let Some((kind, text)) = wanted(name) else { continue };
        let port = text
            .parse()
            .map_err(|_| format!("listen tcp: address 0.0.0.0:{text}: invalid port"));
        match kind {
            Kind::Http => match port.and_then(|port| server.http(Some(EVERYWHERE), port).map(|()| port)) {
                Ok(port) => porter.http.push((port, value.to_owned())),
                Err(error) => logf!("server on port {} failed: {error}", quote(text)),
            },
            Kind::Udp => match port.and_then(|port| server.udp(Some(EVERYWHERE), port).map(|()| port)) {
                Ok(port) => {
                    logf!("Started UDP server on port {text}");
                    porter.udp.push((port, value.to_owned()));
                }
                Err(error) => return fatal(&format!("UDP: failed to listen on port {text}: {error}")),
            },
            Kind::Tls => logf!("tls server on port {} failed: this agnhost has no TLS", quote(text)),
            Kind::Sctp => return fatal("Failed to listen SCTP. error:this agnhost has no SCTP"),
        }
    }
    server.run(&mut porter)
}

struct Porter {
    json: bool,
    http: Vec<(u16, String)>,
    udp: Vec<(u16, String)>,
}

fn value(values: &[(u16, String)], port: u16) -> &str {
    let found = values.iter().find(|(known, _)| *known == port);
    found.map_or("", |(_, value)| value)
}

impl Service for Porter {
    fn request(&mut self, port: u16, request: &Request) -> Vec<Step> {
        let value = value(&self.http, port);
        if self.json {
            let body = format!("{{\"Method\":{},\"Body\":{}}}", json(&request.method), json(value));
            return Answer::text(200, body).with("Content-Type", "application/json").into();
        }
        Answer::text(200, value).into()
    }

    fn datagram(&mut self, port: u16, _: &[u8], _: SocketAddr) -> Option<Vec<u8>> {
        Some(value(&self.udp, port).as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_tell_kind_and_port() {
        for (name, want) in [
            ("SERVE_PORT_80", Some((Kind::Http, "80"))),
            ("SERVE_TCP_PORT_81", Some((Kind::Http, "81"))),
            ("SERVE_UDP_PORT_82", Some((Kind::Udp, "82"))),
            ("SERVE_TLS_PORT_83", Some((Kind::Tls, "83"))),
            ("SERVE_SCTP_PORT_84", Some((Kind::Sctp, "84"))),
            ("PATH", None),
        ] {
            assert_eq!(wanted(name), want, "{name}");
        }
    }

    #[test]
    fn every_port_has_its_value_and_json_tells_the_method() {
        let porter = |json| Porter {
            json,
            http: vec![(80, "foo".to_owned()), (81, "bar".to_owned())],
            udp: Vec::new(),
        };
        for (json, port, want) in [
            (false, 80, "foo"),
            (false, 81, "bar"),
            (true, 81, r#"{"Method":"GET","Body":"bar"}"#),
        ] {
            match porter(json).request(port, &Request::get("/")).first() {
                Some(Step::Answer(answer)) => assert_eq!(answer.body, want.as_bytes()),
                _ => panic!("no answer"),
            }
        }
    }
}
