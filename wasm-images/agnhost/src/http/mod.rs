//! HTTP/1.1 as Go's `net/http` serves it: one process, one loop around `poll(2)`, any number of clients.
//!
//! * [`request`]: what a client asks. * [`answer`]: what it is told. * [`server`]: the loop, its sockets and a [`Service`].
//! * [`connection`]: one client. * [`grpc`]: one client of a health check over HTTP/2. * [`job`]: a child process that works for one client.
//!
//! A service does not wait: it hands back [`Step`]s, and the loop takes them one after the other.

pub(crate) mod answer;
mod connection;
pub(crate) mod grpc;
pub(crate) mod job;
pub(crate) mod request;
pub(crate) mod server;

pub(crate) use answer::Answer;
pub(crate) use job::Job;
pub(crate) use request::Request;
pub(crate) use server::{Server, Service};

use std::time::Duration;

/// What is done for a request, in order.
pub(crate) enum Step {
    /// The whole answer.
    Answer(Answer),
    /// The head of an answer that comes in parts, each followed by what else is to be done.
    Begin(Answer),
    /// A part of the body.
    Part(Vec<u8>),
    /// Nothing, for a time.
    Sleep(Duration),
    /// A child process; its end makes the answer.
    Run(Job),
    /// The end of the program, at once.
    Exit(i32),
    /// The end of the program with this code when every client has its answer, or when the time is over.
    Shutdown(i32, Duration),
    /// The end of the connection without an answer.
    Hangup,
}

impl From<Answer> for Vec<Step> {
    fn from(answer: Answer) -> Self {
        vec![Step::Answer(answer)]
    }
}
