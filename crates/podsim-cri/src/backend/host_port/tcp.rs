//! Connections to a port of the machine.

use super::{Dial, Listen, MAX, Way};
use std::time::Duration;
use tokio::task::JoinSet;

/// When there is nothing to accept a connection with (EMFILE, ENOMEM), the next try is after this.
const RETRY: Duration = Duration::from_millis(100);

pub(super) async fn serve<L: Listen>(way: Way<impl Dial>, listener: L) {
    // Ends with this future: dropping the set ends its tasks.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(client) if connections.len() < MAX => {
                    connections.spawn(carry::<L>(client, way.clone()));
                }
                Ok(_) => {}
                Err(_) => way.sleep(RETRY).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways; each way ends by itself (a half-closed connection stays open the other way).
async fn carry<L: Listen>(mut client: L::Stream, way: Way<impl Dial>) {
    let carried = match way.dial.connect(way.target).await {
        Ok(mut pod) => tokio::io::copy_bidirectional(&mut client, &mut pod).await.map(drop),
        Err(error) => Err(error),
    };
    if carried.is_err() {
        // A reset is the nearest to what the client would have got from the Pod itself.
        L::reset(client);
    }
}
