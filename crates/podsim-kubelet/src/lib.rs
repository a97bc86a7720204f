//! podsim-kubelet
