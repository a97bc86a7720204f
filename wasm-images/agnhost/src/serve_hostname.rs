//! `serve-hostname`: the host's name over HTTP, or over TCP and UDP (`serve-hostname/serve_hostname.go`).

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{fatal, logf};
use crate::http::{Answer, Request, Server, Service, Step};
use crate::netexec::{hostname, port};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "serve-hostname",
    about: "Serves the hostname",
    flags: &[
        flag("tcp", Value::Bool(false), "Serve raw over TCP."),
        flag("udp", Value::Bool(false), "Serve raw over UDP."),
        flag("http", Value::Bool(true), "Serve HTTP."),
        flag("close", Value::Bool(false), "Close connection per each HTTP request."),
        flag("port", Value::Int(9376), "Port number."),
    ],
    takes_args: false,
    run,
};

fn run(flags: &Flags) -> i32 {
    crate::signals::remember_termination();
    match serve(flags) {
        Ok(server) => server.run(&mut Hostname {
            name: hostname(),
            close: flags.bool("close"),
        }),
        Err(message) => fatal(&message),
    }
}

fn serve(flags: &Flags) -> Result<Server, String> {
    let [tcp, udp, http] = ["tcp", "udp", "http"].map(|name| flags.bool(name));
    if http && (tcp || udp) {
        return Err("Can't server TCP/UDP mode and HTTP mode at the same time".to_owned());
    }
    let port = port(flags.int("port"))?;
    let mut server = Server::default();
    if tcp {
        let told = |error| format!("Error from net.Listen(): {error}");
        server.tcp(port).map_err(told)?;
    }
    if udp {
        let told = |error| format!("Error from ListenUDP(): {error}");
        server.udp(None, port).map_err(told)?;
    }
    if http {
        server.http(None, port)?;
    }
    logf!("Serving on port {port}.");
    Ok(server)
}

struct Hostname {
    name: String,
    close: bool,
}

impl Service for Hostname {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        if let Some(peer) = request.peer {
            logf!("HTTP request from {peer}");
        }
        let answer = Answer::text(200, self.name.as_str());
        if self.close {
            answer.with("Connection", "close")
        } else {
            answer
        }
        .into()
    }

    fn datagram(&mut self, _: u16, _: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        logf!("UDP request from {from}");
        Some(self.name.clone().into_bytes())
    }

    fn connected(&mut self, _: u16, from: SocketAddr) -> Vec<u8> {
        logf!("TCP request from {from}");
        self.name.clone().into_bytes()
    }

    fn terminated(&mut self) -> Duration {
        logf!("Shutting down after receiving signal: terminated.");
        logf!("Awaiting pod deletion.");
        Duration::from_secs(60)
    }
}
