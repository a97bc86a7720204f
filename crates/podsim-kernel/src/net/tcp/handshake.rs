//! How a TCP connection comes to be: `connect` on one side, the listener's queues and `accept` on the other.

use super::{Bound, Connection, Phase, TcpSocket, TcpState};
use crate::net::NetNamespace;
use crate::net::duplex::{Duplex, Flavor, Side};
use crate::net::inet;
use crate::net::options::Options;
use crate::net::route::{Path, Way, resolve};
use crate::net::socket::Endpoint;
use podsim_sys::{Errno, Result};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

/// Clients that wait for a place in a full queue; one more is refused.
const WAITING_MAX: usize = 1024;

/// A listener's queues.
pub(super) struct Listener {
    pub(super) backlog: usize,
    pub(super) ready: VecDeque<Arc<TcpSocket>>,
    waiting: VecDeque<Client>,
}

impl Listener {
    pub(super) fn new(backlog: usize) -> Self {
        Self {
            backlog,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }
}

/// The one who connects, as the listener sees it.
pub(super) struct Client {
    socket: Weak<TcpSocket>,
    source: SocketAddr,
    destination: SocketAddr,
    path: Arc<Path>,
    send_buffer: u32,
    recv_buffer: u32,
}

impl TcpSocket {
    /// `connect(2)`.
    pub(super) fn handshake(&self, address: &Endpoint, nonblocking: bool) -> Result<()> {
        let Some((client, ns)) = self.prepare(address)? else {
            return Ok(());
        };
        let path = client.path.clone();
        let result = match Self::listener(&ns, client.destination, client.source) {
            Some(listener) => listener.admit(client),
            None => Err(Errno::ECONNREFUSED),
        };
        match result {
            Ok(None) => return Err(Errno::EINPROGRESS),
            Ok(Some(mut connection)) => {
                connection.announced = !nonblocking;
                self.finish(Ok(connection));
            }
            Err(errno) => {
                path.count_control(Way::Forth, 1);
                path.count_control(Way::Back, 1);
                self.finish(Err(errno));
            }
        }
        // Linux handles the answer to the SYN only after the call: a non-blocking connect never succeeds (or is refused) at once.
        if nonblocking {
            return Err(Errno::EINPROGRESS);
        }
        match self.state.lock().error.take() {
            Some(errno) => Err(errno),
            None => Ok(()),
        }
    }

    /// The listener that a connection to this address is meant for; those that share a port by SO_REUSEPORT take turns by the client's address.
    fn listener(ns: &NetNamespace, destination: SocketAddr, source: SocketAddr) -> Option<Arc<TcpSocket>> {
        let mut found = ns.tcp.lock().lookup(destination.port(), destination.ip(), true);
        let best = found.first()?.0;
        found.retain(|(score, _)| *score == best);
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % found.len() as u64).unwrap_or(0);
        (index < found.len()).then(|| found.swap_remove(index).1)
    }

    /// Begins to connect: the way there, the address to come from, a port. `None`: an earlier non-blocking call has
    /// succeeded, and this one tells so.
    fn prepare(&self, endpoint: &Endpoint) -> Result<Option<(Client, Arc<NetNamespace>)>> {
        let mut state = self.state.lock();
        match &mut state.phase {
            Phase::Closed => {}
            Phase::Connecting(_) => return Err(Errno::EALREADY),
            Phase::Connected(connection) if !connection.announced => {
                connection.announced = true;
                return Ok(None);
            }
            Phase::Connected(_) | Phase::Listening(_) => return Err(Errno::EISCONN),
        }
        if let Some(errno) = state.error.take() {
            return Err(errno);
        }
        let destination = inet::destination(self.family, endpoint, &state.options)?;
        let (path, ns) = resolve(&self.ns, destination.ip())?;
        let source = inet::source(state.bound.map(|b| b.address), path.source, destination.ip())?;
        let claim = inet::claim(source, &state.options, self.uid);
        let hold = match state.bound {
            Some(bound) => {
                self.ns.tcp.lock().update(bound.hold, |c| c.address = source);
                bound.hold
            }
            // bind(2) of a free port says EADDRINUSE when there is none, connect(2) EADDRNOTAVAIL.
            None => {
                let taken = self.ns.tcp.lock().bind(0, claim, self.this.clone());
                taken.map_err(|_| Errno::EADDRNOTAVAIL)?
            }
        };
        let source = SocketAddr::new(source, hold.port);
        state.bound = Some(Bound { address: source, hold });
        state.phase = Phase::Connecting(destination);
        let client = Client {
            socket: self.this.clone(),
            source,
            destination,
            path: Arc::new(path),
            send_buffer: state.options.send_buffer,
            recv_buffer: state.options.recv_buffer,
        };
        Ok(Some((client, ns)))
    }

    /// The answer to [`prepare`](Self::prepare)d connecting. A socket that was closed meanwhile refuses the connection.
    fn finish(&self, result: Result<Connection>) {
        let mut late = None;
        {
            let mut state = self.state.lock();
            match (&state.phase, result) {
                (Phase::Connecting(_), Ok(connection)) => state.phase = Phase::Connected(connection),
                (Phase::Connecting(_), Err(errno)) => {
                    state.phase = Phase::Closed;
                    state.error = Some(errno);
                }
                (_, result) => late = result.ok(),
            }
        }
        if let Some(connection) = late {
            connection.stream.abort(connection.side);
        }
        self.queue.wake_all();
    }

    /// A client comes to this listener. `None`: it has to wait for a place.
    fn admit(&self, client: Client) -> Result<Option<Connection>> {
        let connection = {
            let mut state = self.state.lock();
            let options = state.options.clone();
            let Phase::Listening(listener) = &mut state.phase else {
                return Err(Errno::ECONNREFUSED);
            };
            // sk_acceptq_is_full: one more than the backlog is let in.
            if listener.ready.len() > listener.backlog {
                if listener.waiting.len() >= WAITING_MAX {
                    return Err(Errno::ECONNREFUSED);
                }
                client.path.count_control(Way::Forth, 1);
                listener.waiting.push_back(client);
                return Ok(None);
            }
            let (child, connection) = self.establish(&client, options);
            listener.ready.push_back(child);
            connection
        };
        self.queue.wake_all();
        Ok(Some(connection))
    }

    /// Makes the child socket of a connection, and the client's side of it.
    fn establish(&self, client: &Client, options: Options) -> (Arc<TcpSocket>, Connection) {
        let capacity = |send: u32, recv: u32| usize::try_from(send.saturating_add(recv)).unwrap_or(usize::MAX);
        let capacities = (
            capacity(options.send_buffer, client.recv_buffer),
            capacity(client.send_buffer, options.recv_buffer),
        );
        let claim = inet::claim(client.destination.ip(), &options, self.uid);
        let state = TcpState {
            options,
            bound: None,
            phase: Phase::Closed,
            error: None,
        };
        let child = Self::with_state(&self.ns, self.family, 0, self.uid, state);
        let client_queue = client
            .socket
            .upgrade()
            .map(|socket| socket.queue.clone())
            .unwrap_or_default();
        let stream = Duplex::new(Flavor::Tcp, capacities, client_queue, child.queue.clone());
        {
            let mut state = child.state.lock();
            let hold = self
                .ns
                .tcp
                .lock()
                .adopt(client.destination.port(), claim, child.this.clone());
            state.bound = Some(Bound {
                address: client.destination,
                hold,
            });
            state.phase = Phase::Connected(Connection {
                stream: stream.clone(),
                side: Side::B,
                peer: client.source,
                path: client.path.clone(),
                way: Way::Back,
                announced: true,
            });
        }
        // SYN, SYN+ACK, ACK.
        client.path.count_control(Way::Forth, 2);
        client.path.count_control(Way::Back, 1);
        let connection = Connection {
            stream,
            side: Side::A,
            peer: client.destination,
            path: client.path.clone(),
            way: Way::Forth,
            announced: true,
        };
        (child, connection)
    }

    /// The next connection of a listener; one that waited for a place gets it.
    pub(super) fn take_ready(&self) -> Result<Arc<TcpSocket>> {
        let mut admitted = None;
        let child = {
            let mut state = self.state.lock();
            let options = state.options.clone();
            let Phase::Listening(listener) = &mut state.phase else {
                return Err(Errno::EINVAL);
            };
            let child = listener.ready.pop_front().ok_or(Errno::EAGAIN)?;
            while let Some(client) = listener.waiting.pop_front() {
                let Some(socket) = client.socket.upgrade() else {
                    continue;
                };
                let (next, mut connection) = self.establish(&client, options);
                connection.announced = false;
                listener.ready.push_back(next);
                admitted = Some((socket, connection));
                break;
            }
            child
        };
        if let Some((socket, connection)) = admitted {
            socket.finish(Ok(connection));
            self.queue.wake_all();
        }
        Ok(child)
    }

    /// Ends a listener's queues: those who were not accepted are reset, those who waited are refused.
    pub(super) fn dismiss(listener: Listener) {
        for child in listener.ready {
            child.end(true);
        }
        for client in listener.waiting {
            if let Some(socket) = client.socket.upgrade() {
                socket.finish(Err(Errno::ECONNREFUSED));
            }
        }
    }
}
