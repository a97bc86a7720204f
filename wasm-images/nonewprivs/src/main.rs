//! `nonewprivs`: says as which user it runs (`test/images/nonewprivs` of kubernetes/kubernetes). It is root's and has the set-user-id bit, so
//! that the answer tells whether `allowPrivilegeEscalation: false` (`no_new_privs`) was obeyed.

use podsim_guest::{Fd, credentials, init, write_all};

fn main() {
    init();
    let text = format!("Effective uid: {}\n", credentials().euid);
    // Whoever closed standard output does not want to know.
    let _ = write_all(Fd::STDOUT, text.as_bytes());
}
