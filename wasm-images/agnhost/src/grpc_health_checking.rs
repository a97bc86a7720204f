//! `grpc-health-checking`: a gRPC health check that can be made to fail over HTTP (`grpc-health-checking.go`).

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{duration, fatal, logf};
use crate::http::grpc::Health;
use crate::http::{Answer, Request, Server, Service, Step};
use podsim_guest as sys;
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "grpc-health-checking",
    about: "Starts a simple grpc health checking endpoint",
    flags: &[
        flag("port", Value::Int(5000), "Port number."),
        flag(
            "http-port",
            Value::Int(8080),
            "Port number for the /make-serving and /make-not-serving.",
        ),
        flag(
            "delay-unhealthy-sec",
            Value::Int(-1),
            "Number of seconds to delay before start reporting NOT_SERVING, negative value indicates never.",
        ),
        flag(
            "service",
            Value::Default(""),
            "Service name to register the health check for.",
        ),
    ],
    takes_args: false,
    run,
};

fn run(flags: &Flags) -> i32 {
    let mut checker = Checker {
        service: flags.text("service").to_owned(),
        started: sys::clock_monotonic(),
        delay: u64::try_from(flags.int("delay-unhealthy-sec"))
            .ok()
            .map(Duration::from_secs),
        forced: None,
    };
    let serve = || {
        let mut server = Server::default();
        let (port, http_port) = (
            crate::netexec::port(flags.int("port"))?,
            crate::netexec::port(flags.int("http-port"))?,
        );
        logf!("Http server starting to listen on :{http_port}");
        server.http(None, http_port)?;
        server
            .grpc(port)
            .map_err(|error| format!("Error while starting the listening service {error}"))?;
        logf!("gRPC server starting to listen on :{port}");
        Ok(server)
    };
    match serve() {
        Ok(server) => server.run(&mut checker),
        Err::<_, String>(message) => fatal(&message),
    }
}

struct Checker {
    service: String,
    started: Duration,
    delay: Option<Duration>,
    /// Whether HTTP has made it serve, or not.
    forced: Option<bool>,
}

impl Checker {
    fn running(&self) -> Duration {
        sys::clock_monotonic().saturating_sub(self.started)
    }
}

/// Being made to serve does not undo the delay: upstream only looks for the other.
fn state(forced: Option<bool>, delay: Option<Duration>, running: Duration) -> Health {
    if forced == Some(false) || delay.is_some_and(|delay| running >= delay) {
        Health::NotServing
    } else {
        Health::Serving
    }
}

impl Service for Checker {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        let (forced, word) = match request.path.as_str() {
            "/make-not-serving" => (false, "unhealthy"),
            "/make-serving" => (true, "healthy"),
            _ => return Answer::error(404, "404 page not found").into(),
        };
        logf!("Mark as {word}");
        self.forced = Some(forced);
        Answer::text(200, duration(self.running())).into()
    }

    fn health(&mut self, service: &str) -> Health {
        logf!(
            "Serving the Check request for health check, started at {} ago",
            duration(self.running())
        );
        if service == self.service {
            state(self.forced, self.delay, self.running())
        } else {
            Health::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_until_it_is_told_or_its_time_is_over() {
        let seconds = Duration::from_secs;
        for (forced, delay, want) in [
            (None, None, Health::Serving),
            (Some(false), None, Health::NotServing),
            (Some(true), None, Health::Serving),
            (None, Some(5), Health::NotServing),
            (None, Some(6), Health::Serving),
            (Some(true), Some(0), Health::NotServing),
        ] {
            assert_eq!(
                state(forced, delay.map(seconds), seconds(5)),
                want,
                "{forced:?} {delay:?}"
            );
        }
    }
}
