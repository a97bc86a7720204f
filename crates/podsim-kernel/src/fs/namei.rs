//! Path lookup (Linux's `fs/namei.c`, `path_resolution(7)`): from text to a [`PathRef`].
//!
//! Every directory on the way needs search permission; symbolic links are followed at most 40 times; `..` stops at the
//! caller's root; mounts are crossed in both directions; magic links of procfs jump.

use super::caller::Caller;
use super::inode::MagicLink;
use super::path::PathRef;
use podsim_sys::{Access, Errno, FileType, Result};

/// The longest path in bytes, the final NUL of C included.
pub const PATH_MAX: usize = 4096;
/// The longest name in bytes.
pub const NAME_MAX: usize = 255;
/// How many symbolic links one lookup follows.
const MAX_LINKS: u32 = 40;

/// The last component of a path, before it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name. With `slash`, something follows that makes it a directory.
    Name {
        /// The name.
        name: String,
        /// A trailing slash.
        slash: bool,
    },
    /// `.`, or nothing at all after the root.
    Dot,
    /// `..`
    DotDot,
}

/// Where a walk ended.
pub enum Found {
    /// A place.
    Path(PathRef),
    /// An open file without a place (a magic link to a pipe), or an inode without one (a namespace).
    Magic(MagicLink),
}

impl Found {
    /// The place; an object without one is not usable as a path here.
    pub fn path(self) -> Result<PathRef> {
        match self {
            Found::Path(path) => Ok(path),
            Found::Magic(_) => Err(Errno::EACCES),
        }
    }
}

/// What following a symbolic link did.
pub enum Followed {
    /// Its text is what is to be walked now.
    Text,
    /// It was a magic link: the walk stands where it leads.
    Jumped,
    /// It was a magic link to an object without a place.
    Object(MagicLink),
}

/// A lookup in progress.
pub struct Walk<'a> {
    caller: &'a Caller,
    at: PathRef,
    /// What is still to be walked, the next component last.
    rest: Vec<String>,
    slash: bool,
    links: u32,
}

/// Finds what a path names. With `follow`, a symbolic link at the end is followed too.
pub fn lookup(caller: &Caller, start: &PathRef, path: &str, follow: bool) -> Result<PathRef> {
    Walk::new(caller, start, path)?.finish(follow)?.path()
}

/// Finds the directory that a path's last component is in, for calls that make or remove names.
pub fn lookup_parent(caller: &Caller, start: &PathRef, path: &str) -> Result<(PathRef, Last)> {
    let mut walk = Walk::new(caller, start, path)?;
    let last = walk.to_last()?;
    Ok((walk.at, last))
}

impl<'a> Walk<'a> {
    /// A lookup that begins at `start`, or at the caller's root for an absolute path.
    pub fn new(caller: &'a Caller, start: &PathRef, path: &str) -> Result<Self> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut walk = Self {
            caller,
            at: start.clone(),
            rest: Vec::new(),
            slash: false,
            links: 0,
        };
        walk.push(path)?;
        Ok(walk)
    }

    /// Where it stands: after [`to_last`](Self::to_last), the directory of the last component.
    #[must_use]
    pub fn at(&self) -> &PathRef {
        &self.at
    }

    /// Puts a text in front of what is still to be walked.
    fn push(&mut self, path: &str) -> Result<()> {
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if path.contains('\0') {
            return Err(Errno::EINVAL);
        }
        if path.starts_with('/') {
            self.at = self.caller.fs.root.clone();
        }
        if self.rest.is_empty() {
            self.slash |= path.ends_with('/');
        }
        let names = path.split('/').filter(|name| !name.is_empty());
        self.rest.extend(names.rev().map(String::from));
        Ok(())
    }

    /// The place must be a directory that the caller may search.
    fn enter(&self) -> Result<()> {
        if !self.at.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        self.at.inode().permission(self.caller, Access::EXEC)
    }

    /// Walks until only the last component is left, and tells it.
    pub fn to_last(&mut self) -> Result<Last> {
        while self.rest.len() > 1 {
            if let Some(magic) = self.step(true)? {
                drop(magic);
                return Err(Errno::ENOTDIR);
            }
        }
        self.enter()?;
        Ok(match self.rest.pop() {
            None => Last::Dot,
            Some(name) if name == "." => Last::Dot,
            Some(name) if name == ".." => Last::DotDot,
            Some(name) => {
                check_name(&name)?;
                Last::Name {
                    name,
                    slash: self.slash,
                }
            }
        })
    }

    /// Goes on from the last component: follows the symbolic link that was found under it.
    pub fn follow(&mut self, link: &PathRef) -> Result<Followed> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match link.inode().magic_link(self.caller)? {
            Some(MagicLink::Path(path)) => {
                self.at = path;
                Ok(Followed::Jumped)
            }
            Some(other) => Ok(Followed::Object(other)),
            None => {
                let target = link.inode().read_link(self.caller)?;
                if target.is_empty() {
                    return Err(Errno::ENOENT);
                }
                self.push(&target)?;
                Ok(Followed::Text)
            }
        }
    }

    /// Walks one component. A magic link may lead to something that is no place: that is given back.
    fn step(&mut self, follow: bool) -> Result<Option<MagicLink>> {
        self.enter()?;
        let Some(name) = self.rest.pop() else { return Ok(None) };
        match name.as_str() {
            "." => return Ok(None),
            ".." => {
                self.at = self.at.parent(&self.caller.fs.root);
                return Ok(None);
            }
            name => check_name(name)?,
        }
        let next = self.child(&name)?;
        if follow && next.inode().file_type() == FileType::Symlink {
            return Ok(match self.follow(&next)? {
                Followed::Text | Followed::Jumped => None,
                Followed::Object(object) => Some(object),
            });
        }
        self.at = next;
        Ok(None)
    }

    /// What a name in the directory is, with what is mounted there.
    pub fn child(&self, name: &str) -> Result<PathRef> {
        let dentry = self.at.dentry.lookup(name, &self.at.mount.sb().tree)?;
        Ok(self.at.with_dentry(dentry).follow_mounts())
    }

    /// Walks to the end.
    pub fn finish(mut self, follow: bool) -> Result<Found> {
        while !self.rest.is_empty() {
            let follow = follow || self.slash || self.rest.len() > 1;
            if let Some(magic) = self.step(follow)? {
                return if self.rest.is_empty() && !self.slash {
                    Ok(Found::Magic(magic))
                } else {
                    Err(Errno::ENOTDIR)
                };
            }
        }
        if self.slash && !self.at.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Found::Path(self.at))
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.len() > NAME_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(())
    }
}
