//! Which hierarchies podsim uses on this host, and what it cannot limit and why.

use super::choose::{LEAF, Refusal, Used, choose, offered, words};
use super::group::{Cgroup, Place};
use super::hierarchy::{self, Version};
use super::{Error, children, make, procs, write};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;

/// The directory of everything that podsim makes.
const TOP: &str = "podsim";

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Memory and swap.
    Memory,
    /// CPU quota and weight.
    Cpu,
    /// The number of processes and threads.
    Pids,
}

impl Controller {
    /// All.
    pub const ALL: [Controller; 3] = [Controller::Memory, Controller::Cpu, Controller::Pids];

    /// The kernel's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
            Controller::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether podsim can use a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// It can, in a hierarchy of this version.
    Used(Version),
    /// It cannot; why, and what would help.
    Unused(String),
}

/// Where podsim makes cgroups.
#[derive(Clone, Debug)]
pub struct Manager {
    used: Vec<Used>,
    support: Vec<(Controller, Support)>,
}

impl Manager {
    /// Looks at what this process sees; changes nothing.
    #[must_use]
    pub fn detect() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::from_files(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    /// As [`Manager::detect`], from the text of the two files.
    pub(super) fn from_files(mountinfo: &str, own: &str) -> Self {
        let mut manager = Manager {
            used: Vec::new(),
            support: Vec::new(),
        };
        let mut refusals: Vec<Refusal> = Vec::new();
        for hierarchy in hierarchy::parse(mountinfo, own) {
            match choose(&hierarchy) {
                Ok((used, refused)) => {
                    manager.used.push(used);
                    refusals.extend(refused);
                }
                Err(why) => refusals.push(Refusal {
                    controllers: offered(&hierarchy),
                    why,
                }),
            }
        }
        for controller in Controller::ALL {
            let named = |names: &[String]| names.iter().any(|name| name == controller.name());
            let support = match manager.used.iter().find(|used| named(&used.controllers)) {
                Some(used) => Support::Used(used.version),
                None => Support::Unused(refusals.iter().find(|refusal| named(&refusal.controllers)).map_or_else(
                    || format!("the kernel offers no cgroup controller `{controller}` here"),
                    |refusal| refusal.why.clone(),
                )),
            };
            manager.support.push((controller, support));
        }
        manager
    }

    /// Whether a controller is used.
    #[must_use]
    pub fn support(&self, controller: Controller) -> &Support {
        let found = self.support.iter().find(|(known, _)| *known == controller);
        found
            .map(|(_, support)| support)
            .expect("all controllers are in the list")
    }

    /// A sentence for each thing that is not limited.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let sentence = |(controller, support): &(Controller, Support)| match support {
            Support::Used(_) => None,
            Support::Unused(why) => Some(format!("{controller} limits are not enforced: {why}")),
        };
        self.support.iter().filter_map(sentence).collect()
    }

    /// Makes podsim's directories and enables the controllers in them; called once, before there are containers. What the
    /// kernel refuses becomes [`Support::Unused`] with its reason: a node without limits is better than none.
    pub fn prepare(&mut self) {
        for used in std::mem::take(&mut self.used) {
            match used.prepare() {
                Ok(refused) => {
                    let left = |name: &String| !refused.iter().any(|(controller, _)| controller == name);
                    let controllers = used.controllers.iter().filter(|name| left(name)).cloned().collect();
                    for (name, why) in &refused {
                        self.refuse(std::slice::from_ref(name), why);
                    }
                    self.used.push(Used { controllers, ..used });
                }
                Err(error) => self.refuse(&used.controllers, &error.to_string()),
            }
        }
    }

    fn refuse(&mut self, controllers: &[String], why: &str) {
        for (controller, support) in &mut self.support {
            if controllers.iter().any(|name| name == controller.name()) {
                *support = Support::Unused(why.to_owned());
            }
        }
    }

    /// Makes the cgroup `path` below podsim's own directory, and what is above it. The path is `<node>/pod<uid>` or
    /// `<node>/pod<uid>/<container id>`; processes go into the lowest level only.
    ///
    /// # Errors
    ///
    /// If a directory cannot be made or a controller not be enabled in it, or the path is none.
    pub fn create(&self, path: &str) -> Result<Cgroup, Error> {
        let parts = valid(path)?;
        let mut tries = 0;
        while let Err(error) = self.used.iter().try_for_each(|used| used.make(&parts)) {
            tries += 1;
            // Another node removed the directories that were empty for the moment.
            if error.source.kind() != io::ErrorKind::NotFound || tries > 10 {
                return Err(error);
            }
        }
        Ok(self.find(path))
    }

    /// The cgroup `path`, whether or not it exists.
    #[must_use]
    pub fn find(&self, path: &str) -> Cgroup {
        let place = |used: &Used| Place {
            version: used.version,
            dir: used.parent.join(TOP).join(path),
            controllers: used.controllers.clone(),
        };
        Cgroup::new(self.used.iter().map(place).collect())
    }

    /// The nodes that have cgroups on this host, running or not.
    #[must_use]
    pub fn nodes(&self) -> BTreeSet<String> {
        self.names("")
    }

    /// The cgroups of the Pods of a node, each with all that is below it: what a node that was killed left behind. `kill_all`
    /// and `remove` end them.
    #[must_use]
    pub fn leftovers(&self, node: &str) -> Vec<Cgroup> {
        if valid(node).is_err() {
            return Vec::new();
        }
        let pods = self.names(node);
        pods.into_iter()
            .map(|pod| self.find(&format!("{node}/{pod}")))
            .collect()
    }

    /// Removes the directory of a node without Pods, and podsim's own if no other node has any.
    pub fn remove_node(&self, node: &str) {
        for used in &self.used {
            let top = used.parent.join(TOP);
            if valid(node).is_ok() {
                let _ = std::fs::remove_dir(top.join(node));
            }
            // Refused as long as there are other nodes.
            let _ = std::fs::remove_dir(top);
        }
    }

    fn names(&self, below: &str) -> BTreeSet<String> {
        let dirs = self
            .used
            .iter()
            .flat_map(|used| children(&used.parent.join(TOP).join(below)));
        dirs.filter_map(|dir| dir.file_name()?.to_str().map(str::to_owned))
            .collect()
    }
}

impl Used {
    /// Makes [`TOP`] and enables the controllers; tells those that are refused.
    fn prepare(&self) -> Result<Vec<(String, String)>, Error> {
        if self.leave {
            self.evacuate()?;
        }
        let top = self.parent.join(TOP);
        make(&top)?;
        if self.version == Version::V1 {
            return Ok(Vec::new());
        }
        let enable = |name: &String| {
            let tried = [&self.parent, &top].into_iter().try_for_each(|dir| enable(dir, name));
            tried.err().map(|error| (name.clone(), error.to_string()))
        };
        Ok(self.controllers.iter().filter_map(enable).collect())
    }

    /// Moves the processes that are in `parent` into [`LEAF`].
    fn evacuate(&self) -> Result<(), Error> {
        let leaf = self.parent.join(LEAF);
        make(&leaf)?;
        // Again for those that were made meanwhile. If some stay, the kernel refuses the controllers and says so.
        for _ in 0..10 {
            let members = procs(&self.parent);
            for pid in &members {
                match write(&leaf.join("cgroup.procs"), &pid.to_string()) {
                    // It is dead.
                    Err(error) if error.source.raw_os_error() == Some(libc::ESRCH) => {}
                    result => result?,
                }
            }
            if members.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Makes a directory below [`TOP`] and those above it.
    fn make(&self, parts: &[&str]) -> Result<(), Error> {
        let mut dir = self.parent.clone();
        for part in std::iter::once(TOP).chain(parts.iter().copied()) {
            self.enable(&dir)?;
            dir.push(part);
            make(&dir)?;
        }
        Ok(())
    }

    /// Gives the children of a directory the controllers. Version 1 has no such switch.
    fn enable(&self, dir: &Path) -> Result<(), Error> {
        match self.version {
            Version::V1 => Ok(()),
            Version::V2 => self.controllers.iter().try_for_each(|name| enable(dir, name)),
        }
    }
}

fn enable(dir: &Path, controller: &str) -> Result<(), Error> {
    let file = dir.join("cgroup.subtree_control");
    if words(&file).iter().any(|word| word == controller) {
        return Ok(());
    }
    write(&file, &format!("+{controller}"))
}

/// Splits a path below podsim's directory, and refuses what would lead out of it.
fn valid(path: &str) -> Result<Vec<&str>, Error> {
    let parts: Vec<_> = path.split('/').collect();
    // `cgroup.procs` and the like are the kernel's names.
    let good = |part: &&str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(['\n', '\0']) && !part.starts_with("cgroup.")
    };
    if parts.iter().all(good) {
        return Ok(parts);
    }
    Err(Error::new(
        "use the name",
        Path::new(path),
        io::Error::from(io::ErrorKind::InvalidInput),
    ))
}
