//! Limits of containers: cgroups of version 1, 2 and both.
