//! [`InterfaceConfig`].

use std::net::Ipv4Addr;

/// An interface of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its hardware address; made up if `None`.
    pub mac: Option<[u8; 6]>,
    /// Its address with the bits of the network. The bridge's comes from the Pods' range if `None`.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// Its broadcast address; 0.0.0.0 is "none was set".
    pub broadcast: Ipv4Addr,
    /// Largest packet.
    pub mtu: u32,
    /// Length of the send queue.
    pub tx_queue_len: u32,
    /// Whether something is plugged in (RUNNING). A bridge's is whether Pods hang on it.
    pub carrier: bool,
}

impl InterfaceConfig {
    /// An interface with the usual settings.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mac: None,
            ipv4: None,
            broadcast: Ipv4Addr::UNSPECIFIED,
            mtu: 1500,
            tx_queue_len: 1000,
            carrier: true,
        }
    }
}
