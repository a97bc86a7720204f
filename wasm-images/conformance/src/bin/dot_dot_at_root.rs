//! `..` stays at the root, also at that of `chroot`; only a descriptor from before leads out.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let place = |path| stat(path).map(|s| (s.dev, s.ino));
        expect("/..", place("/.."), place("/"))?;
        expect("/../../tmp", place("/../../tmp"), place("/tmp"))?;
        must("chdir", chdir("/"))?;
        must("chdir", chdir(".."))?;
        expect("getcwd", getcwd(), Ok("/".to_owned()))?;

        must("chdir", chdir("/tmp"))?;
        enter_directory("root")?;
        put("outside", b"outside")?;
        must("mkdir", mkdir("jail"))?;
        must("mkdir", mkdir("jail/inner"))?;
        put("jail/inside", b"inside")?;
        must("symlink", symlink("/inside", "jail/absolute"))?;
        must("symlink", symlink("../../../../inside", "jail/upwards"))?;
        let jail = place("jail");
        let before = must("open", open(".", OpenFlags::DIRECTORY))?;
        expect("a file as root", chroot("outside"), Err(Errno::ENOTDIR))?;
        expect("nothing as root", chroot("none"), Err(Errno::ENOENT))?;
        must("chroot", chroot("jail"))?;
        expect("the root", place("/"), jail)?;
        expect(
            "the current directory has stayed",
            content("outside"),
            Ok("outside".to_owned()),
        )?;
        must("chdir", chdir("/inner"))?;
        expect("getcwd", getcwd(), Ok("/inner".to_owned()))?;
        expect("upwards", content("../../../inside"), Ok("inside".to_owned()))?;
        expect("not further", content("../../outside"), Err(Errno::ENOENT))?;
        expect("an absolute link", content("/absolute"), Ok("inside".to_owned()))?;
        expect("a link upwards", content("/upwards"), Ok("inside".to_owned()))?;
        must("fchdir", fchdir(before))?;
        expect(
            "by a descriptor from before",
            content("outside"),
            Ok("outside".to_owned()),
        )?;
        expect("and back", place("jail"), jail)?;
        expect(
            "and further up",
            stat("../../tmp").map(|s| s.file_type),
            Ok(FileType::Directory),
        )
    })
}
