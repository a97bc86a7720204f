//! The network of Pods: a bridge, a veth pair each, addresses.
