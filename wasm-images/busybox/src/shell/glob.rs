//! Pathname expansion (`glob(7)`).

use super::pattern;

/// What pathname expansion asks the filesystem.
pub(crate) trait Directory {
    /// The names in a directory; `None` if it cannot be read. `""` is the current one.
    fn list(&mut self, path: &str) -> Option<Vec<String>>;
    /// Whether something of this name exists (also a dangling link).
    fn exists(&mut self, path: &str) -> bool;
}

/// The paths that match, sorted; none if nothing does.
pub(crate) fn glob(pattern: &str, directory: &mut dyn Directory) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut components = pattern.split('/').peekable();
    // Whether the paths so far are known to exist.
    let mut certain = true;
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        if pattern::is_special(component) {
            found = found
                .iter()
                .flat_map(|base| matching(base, component, directory))
                .collect();
            certain = true;
        } else {
            let name = pattern::unescape(component);
            found.iter_mut().for_each(|path| path.push_str(&name));
            certain = false;
        }
        if !last {
            found.iter_mut().for_each(|path| path.push('/'));
            certain = false;
        }
        if found.is_empty() {
            return found;
        }
    }
    if !certain {
        found.retain(|path| directory.exists(path));
    }
    found.sort();
    found
}

fn matching(base: &str, component: &str, directory: &mut dyn Directory) -> Vec<String> {
    let hidden = pattern::unescape(component).starts_with('.');
    let mut names = directory.list(base).unwrap_or_default();
    names.retain(|name| (hidden || !name.starts_with('.')) && pattern::matches(component, name));
    for name in &mut names {
        name.insert_str(0, base);
    }
    names
}
