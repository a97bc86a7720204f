//! Tests of the IPC objects, on a namespace alone (no processes).
