//! [`Errno`] and the error numbers of WASI preview 1 (`errno` in `wasi_snapshot_preview1.witx`), which guests see through
//! their libc.

use crate::Errno;

/// The pairs: Linux's and WASI's number.
const PAIRS: &[(Errno, u16)] = &[
    (Errno::E2BIG, 1),
    (Errno::EACCES, 2),
    (Errno::EADDRINUSE, 3),
    (Errno::EADDRNOTAVAIL, 4),
    (Errno::EAFNOSUPPORT, 5),
    (Errno::EAGAIN, 6),
    (Errno::EALREADY, 7),
    (Errno::EBADF, 8),
    (Errno::EBADMSG, 9),
    (Errno::EBUSY, 10),
    (Errno::ECANCELED, 11),
    (Errno::ECHILD, 12),
    (Errno::ECONNABORTED, 13),
    (Errno::ECONNREFUSED, 14),
    (Errno::ECONNRESET, 15),
    (Errno::EDEADLK, 16),
    (Errno::EDESTADDRREQ, 17),
    (Errno::EDOM, 18),
    (Errno::EDQUOT, 19),
    (Errno::EEXIST, 20),
    (Errno::EFAULT, 21),
    (Errno::EFBIG, 22),
    (Errno::EHOSTUNREACH, 23),
    (Errno::EIDRM, 24),
    (Errno::EILSEQ, 25),
    (Errno::EINPROGRESS, 26),
    (Errno::EINTR, 27),
    (Errno::EINVAL, 28),
    (Errno::EIO, 29),
    (Errno::EISCONN, 30),
    (Errno::EISDIR, 31),
    (Errno::ELOOP, 32),
    (Errno::EMFILE, 33),
    (Errno::EMLINK, 34),
    (Errno::EMSGSIZE, 35),
    (Errno::ENAMETOOLONG, 37),
    (Errno::ENETDOWN, 38),
    (Errno::ENETRESET, 39),
    (Errno::ENETUNREACH, 40),
    (Errno::ENFILE, 41),
    (Errno::ENOBUFS, 42),
    (Errno::ENODEV, 43),
    (Errno::ENOENT, 44),
    (Errno::ENOEXEC, 45),
    (Errno::ENOLCK, 46),
    (Errno::ENOMEM, 48),
    (Errno::ENOMSG, 49),
    (Errno::ENOPROTOOPT, 50),
    (Errno::ENOSPC, 51),
    (Errno::ENOSYS, 52),
    (Errno::ENOTCONN, 53),
    (Errno::ENOTDIR, 54),
    (Errno::ENOTEMPTY, 55),
    (Errno::ENOTSOCK, 57),
    (Errno::EOPNOTSUPP, 58),
    (Errno::ENOTTY, 59),
    (Errno::ENXIO, 60),
    (Errno::EOVERFLOW, 61),
    (Errno::EPERM, 63),
    (Errno::EPIPE, 64),
    (Errno::EPROTO, 65),
    (Errno::EPROTONOSUPPORT, 66),
    (Errno::EPROTOTYPE, 67),
    (Errno::ERANGE, 68),
    (Errno::EROFS, 69),
    (Errno::ESPIPE, 70),
    (Errno::ESRCH, 71),
    (Errno::ESTALE, 72),
    (Errno::ETIMEDOUT, 73),
    (Errno::ETXTBSY, 74),
    (Errno::EXDEV, 75),
];

impl Errno {
    /// WASI's number. What WASI lacks becomes its nearest neighbour, EIO at last.
    #[must_use]
    pub fn to_wasi(self) -> u16 {
        let known = match self {
            Errno::ENODATA => Errno::ENOENT,
            Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT => Errno::EPROTONOSUPPORT,
            Errno::EHOSTDOWN => Errno::EHOSTUNREACH,
            Errno::ETIME => Errno::ETIMEDOUT,
            Errno::ENOTBLK => Errno::EINVAL,
            Errno::EUSERS => Errno::EAGAIN,
            other => other,
        };
        PAIRS
            .iter()
            .find(|(linux, _)| *linux == known)
            .map_or(29, |(_, wasi)| *wasi)
    }

    /// From WASI's number (`std::io::Error::raw_os_error` in a guest); what Linux lacks is EIO, except ENOTCAPABLE: EPERM.
    #[must_use]
    pub fn from_wasi(number: u16) -> Errno {
        match number {
            76 => Errno::EPERM,
            n => PAIRS
                .iter()
                .find(|(_, wasi)| *wasi == n)
                .map_or(Errno::EIO, |(linux, _)| *linux),
        }
    }
}
