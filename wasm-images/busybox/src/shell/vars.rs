//! Shell variables, with the scopes that `local` and assignments before commands make.

use super::codec::codec_struct;
use std::collections::BTreeMap;

codec_struct! {
    /// A variable.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct Variable {
        /// Its value; `export x` makes a variable without one.
        pub(crate) value: Option<String>,
        /// Goes into the environment.
        pub(crate) exported: bool,
        /// Cannot be changed.
        pub(crate) readonly: bool,
    }
}

/// All variables.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    map: BTreeMap<String, Variable>,
    /// What local variables hide, innermost scope last.
    scopes: Vec<Vec<(String, Option<Variable>)>>,
    /// What the environment has besides, as `NAME=VALUE`: names that no variable can have. ash passes them on to what it runs.
    foreign: Vec<String>,
}

/// The variable is read-only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ReadOnly;

impl Variables {
    /// Variables that were handed over.
    pub(crate) fn from_map(map: BTreeMap<String, Variable>) -> Self {
        Self { map, ..Self::default() }
    }

    /// An entry of the environment that is no variable.
    pub(crate) fn add_foreign(&mut self, name: &str, value: &str) {
        self.foreign.push(format!("{name}={value}"));
    }

    pub(crate) fn map(&self) -> &BTreeMap<String, Variable> {
        &self.map
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.value.as_deref()
    }

    pub(crate) fn is_readonly(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|v| v.readonly)
    }

    pub(crate) fn set(&mut self, name: &str, value: String) -> Result<(), ReadOnly> {
        match self.map.get_mut(name) {
            Some(variable) if variable.readonly => return Err(ReadOnly),
            Some(variable) => variable.value = Some(value),
            None => {
                let variable = Variable {
                    value: Some(value),
                    ..Variable::default()
                };
                self.map.insert(name.to_owned(), variable);
            }
        }
        Ok(())
    }

    pub(crate) fn export(&mut self, name: &str, exported: bool) {
        self.map.entry(name.to_owned()).or_default().exported = exported;
    }

    pub(crate) fn set_readonly(&mut self, name: &str) {
        self.map.entry(name.to_owned()).or_default().readonly = true;
    }

    pub(crate) fn unset(&mut self, name: &str) -> Result<(), ReadOnly> {
        if self.is_readonly(name) {
            return Err(ReadOnly);
        }
        self.map.remove(name);
        Ok(())
    }

    /// Opens a scope.
    pub(crate) fn push_scope(&mut self) {
        self.scopes.push(Vec::new());
    }

    /// Closes the innermost scope: what it hid is there again.
    pub(crate) fn pop_scope(&mut self) {
        for (name, old) in self.scopes.pop().unwrap_or_default().into_iter().rev() {
            match old {
                Some(variable) => self.map.insert(name, variable),
                None => self.map.remove(&name),
            };
        }
    }

    /// Whether a scope is open.
    pub(crate) fn in_scope(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Makes a variable local to the innermost scope; it keeps its value, as in dash and ash. `false` if it was local.
    pub(crate) fn make_local(&mut self, name: &str) -> bool {
        let Some(scope) = self.scopes.last_mut() else {
            return false;
        };
        if scope.iter().any(|(n, _)| n == name) {
            return false;
        }
        scope.push((name.to_owned(), self.map.get(name).cloned()));
        true
    }

    /// The environment of a command.
    pub(crate) fn environment(&self) -> Vec<String> {
        self.map
            .iter()
            .filter(|(_, v)| v.exported)
            .filter_map(|(name, v)| Some(format!("{name}={}", v.value.as_ref()?)))
            .chain(self.foreign.iter().cloned())
            .collect()
    }
}
