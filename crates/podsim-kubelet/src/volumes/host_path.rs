//! `hostPath`: what has to be at the path (`pkg/volume/hostpath/host_path.go`).

use podsim_cri::HostPathCreate;
use podsim_sys::FileType;

/// What is made at the path if nothing is there. Without a type that is the container runtime's work, which makes a directory.
pub(crate) fn create(type_: &str) -> Option<HostPathCreate> {
    match type_ {
        "" | "DirectoryOrCreate" => Some(HostPathCreate::Directory),
        "FileOrCreate" => Some(HostPathCreate::File),
        _ => None,
    }
}

/// Is this what the type asks for?
pub(crate) fn check(path: &str, type_: &str, found: Option<FileType>) -> Result<(), String> {
    let (wanted, description) = match type_ {
        "" => return Ok(()),
        "Directory" | "DirectoryOrCreate" => (FileType::Directory, "directory"),
        "File" | "FileOrCreate" => (FileType::Regular, "file"),
        "Socket" => (FileType::Socket, "socket file"),
        "CharDevice" => (FileType::CharDevice, "character device"),
        "BlockDevice" => (FileType::BlockDevice, "block device"),
        other => return Err(format!("{other} is an invalid volume type")),
    };
    if found == Some(wanted) {
        return Ok(());
    }
    Err(format!("hostPath type check failed: {path} is not a {description}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_what_it_asks_for() {
        let all = [
            FileType::Directory,
            FileType::Regular,
            FileType::Socket,
            FileType::CharDevice,
            FileType::BlockDevice,
            FileType::Fifo,
        ];
        for (type_, wanted, description) in [
            ("Directory", FileType::Directory, "directory"),
            ("DirectoryOrCreate", FileType::Directory, "directory"),
            ("File", FileType::Regular, "file"),
            ("FileOrCreate", FileType::Regular, "file"),
            ("Socket", FileType::Socket, "socket file"),
            ("CharDevice", FileType::CharDevice, "character device"),
            ("BlockDevice", FileType::BlockDevice, "block device"),
        ] {
            let refused = Err(format!("hostPath type check failed: /x is not a {description}"));
            for found in all {
                let expected = if found == wanted { Ok(()) } else { refused.clone() };
                assert_eq!(check("/x", type_, Some(found)), expected, "{type_} {found:?}");
            }
            assert_eq!(check("/x", type_, None), refused, "{type_}");
        }
        assert_eq!(check("/x", "", Some(FileType::Fifo)), Ok(()));
        assert_eq!(
            check("/x", "Pipe", None),
            Err("Pipe is an invalid volume type".to_owned())
        );
    }

    #[test]
    fn only_some_types_make_what_is_not_there() {
        for (type_, expected) in [
            ("", Some(HostPathCreate::Directory)),
            ("DirectoryOrCreate", Some(HostPathCreate::Directory)),
            ("FileOrCreate", Some(HostPathCreate::File)),
            ("Directory", None),
            ("File", None),
            ("Socket", None),
        ] {
            assert_eq!(create(type_), expected, "{type_}");
        }
    }
}
