//! The user namespace of a Pod (`hostUsers: false`): what root of the node does while it still is that, and the change to the Pod's root.
//!
//! On the disk the Pod's files belong to the users that the Pod sees; on the node they are nobody's. Mounts with other owners make both true
//! (`mount_setattr(2)`, ID-mapped mounts; KEP-127), and only the node's root can make them.

use crate::child::orders::{RootOrders, RootSource};
use crate::child::root::Source;
use crate::child::stage::give_streams;
use crate::inside::is_directory;
use crate::mount::{self, context};
use crate::userns::{IdMapped, idmap_mount};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Gid, Uid};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{DumpableBehavior, Signal, chdir, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{
    ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid, unshare_unsafe,
};
use std::fs::File;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// Makes this process, the node's root, the root of a user namespace, where it is `id` for the node; and the orders ones that can be followed
/// as such.
pub(super) fn enter(root: Option<&mut RootOrders>, users: BorrowedFd<'_>, id: u32) -> io::Result<()> {
    if let Some(root) = root {
        show_owners(root, users, id)?;
    }
    give_streams(id, Some(id)).map_err(context("give the standard streams to the Pod"))?;
    move_into_thread_name_spaces(users, ThreadNameSpaceType::USER).map_err(context("setns user"))?;
    set_thread_groups(&[]).map_err(context("setgroups"))?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).map_err(context("setresgid"))?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).map_err(context("setresuid"))?;
    // The change of user has reset both (`prctl(2)`).
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// Puts all that the root is made from at one place that the Pod's root can get at, with owners that it knows: a small filesystem of a new mount
/// namespace, where this process then stands. What is on the way to the node's own directories is closed to it.
fn show_owners(root: &mut RootOrders, users: BorrowedFd<'_>, id: u32) -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix's unshare is unsafe because of one of its flags")]
    // SAFETY: descriptors are not unshared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(context("unshare"))?;
    let mut sources = Vec::new();
    for bind in &root.binds {
        sources.push(Source::find(bind)?);
    }
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount::propagation(Path::new("/"), downstream)?;
    mount::filesystem("podsim", &root.target, "tmpfs", MountFlags::empty(), "mode=755")?;
    chdir(&root.target)?;
    let here = Path::new("root");
    match &root.source {
        RootSource::Overlay {
            lower,
            upper,
            work,
            user_attributes,
        } => {
            let mut layers = Vec::new();
            for (number, layer) in lower.iter().enumerate() {
                let place = PathBuf::from(format!("layer{number}"));
                show(layer, &place, users)?;
                layers.push(place);
            }
            // What is written there is written with the rights of who mounts it, whom a mount with other owners does not know: so in the private
            // layer the owners are those of the node.
            chown(upper, Some(id), Some(id)).map_err(context("chown the upper layer"))?;
            mount::directory(here)?;
            mount::overlay(here, &layers, upper, work, *user_attributes)?;
        }
        RootSource::Directory(directory) => show(directory, here, users)?,
    }
    show(&root.shm, Path::new("shm"), users)?;
    let mut shown = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let place = PathBuf::from(format!("bind{number}"));
        show(source.path(), &place, users)?;
        shown.push(place);
    }
    drop(sources);
    root.source = RootSource::Directory(here.to_owned());
    root.target = here.to_owned();
    root.shm = PathBuf::from("shm");
    for (bind, place) in root.binds.iter_mut().zip(shown) {
        bind.source = place;
        bind.within.clear();
    }
    Ok(())
}

/// Shows a file or directory with the owners of the user namespace.
fn show(source: &Path, place: &Path, users: BorrowedFd<'_>) -> io::Result<()> {
    let tree = mount::tree(source)?;
    if is_directory(source)? {
        mount::directory(place)?;
    } else {
        File::create(place)?;
    }
    let what = || format!("show {} in the Pod's user namespace", source.display());
    match idmap_mount(tree.as_fd(), users, false).map_err(|error| context(what())(error))? {
        IdMapped::Done => mount::attach(&tree, place),
        IdMapped::Refused => Err(io::Error::other(format!(
            "{}: its filesystem has no ID-mapped mounts on this kernel (hostUsers: false needs them)",
            what()
        ))),
    }
}
