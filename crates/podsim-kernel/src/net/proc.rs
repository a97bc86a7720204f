//! The files of `/proc/net` of one network namespace, in Linux's own columns. procfs calls one function a file.

use super::NetNamespace;

macro_rules! later {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(_ns: &NetNamespace) -> String {
            todo!()
        }
    )*};
}

later! {
    /// `/proc/net/dev`.
    render_dev
    /// `/proc/net/route`.
    render_route
    /// `/proc/net/tcp`.
    render_tcp
    /// `/proc/net/tcp6`.
    render_tcp6
    /// `/proc/net/udp`.
    render_udp
    /// `/proc/net/udp6`.
    render_udp6
    /// `/proc/net/unix`.
    render_unix
    /// `/proc/net/if_inet6`.
    render_if_inet6
    /// `/proc/net/arp`.
    render_arp
}
