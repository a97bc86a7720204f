//! What listens on the ports of the fake's sandboxes.

use super::{FakeRuntimeService, PortScript};
use crate::BoxDuplex;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

impl FakeRuntimeService {
    /// Connects to what the script of the port says.
    pub(super) fn connect(&self, port: u16) -> io::Result<BoxDuplex> {
        let script = self.inner.state.lock().ports.get(&port).cloned();
        let (near, mut far) = tokio::io::duplex(1 << 16);
        match script {
            Some(PortScript::Refused) => return Err(io::ErrorKind::ConnectionRefused.into()),
            Some(PortScript::Hangs) => {
                tokio::spawn(async move { tokio::io::copy(&mut far, &mut tokio::io::sink()).await });
            }
            Some(PortScript::Answers(answer)) => {
                tokio::spawn(async move {
                    let mut seen = vec![];
                    // What begins like TLS is no request, which is seen at once.
                    while !seen.ends_with(b"\r\n\r\n") && seen.first() != Some(&0x16) {
                        match far.read_u8().await {
                            Ok(byte) => seen.push(byte),
                            Err(_) => return,
                        }
                    }
                    far.write_all(answer.as_bytes()).await.ok();
                });
            }
            Some(PortScript::Serves(serve)) => serve(far),
            None => {
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(far);
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        }
        Ok(Box::new(near))
    }
}
