//! Watches: what changes, from a resource version on.

use crate::{Kind, Object, Selectors, StoreError};
use futures_util::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What happened to an object, as the watcher sees it through its selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEventType {
    /// It was created, or has come to match.
    Added,
    /// It was changed.
    Modified,
    /// It was deleted, or no longer matches.
    Deleted,
}

impl WatchEventType {
    /// As in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// An object and what happened to it. A deleted object is as it was last, with the resource version of its deletion.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub kind: WatchEventType,
    /// The object.
    pub object: Object,
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All objects that there are now come first, as `Added`.
    Start,
    /// Only what happens from now on.
    Now,
    /// What happened after this resource version; [`StoreError::Expired`] if the history does not reach back.
    ResourceVersion(u64),
}

/// A stream of events. It ends if the watcher is so slow that its queue overflows: list and watch again.
#[derive(Debug)]
pub struct Watch {
    /// The store's resource version when the watch began: the objects that come first are of this state.
    pub resource_version: u64,
    initial: VecDeque<WatchEvent>,
    receiver: mpsc::Receiver<WatchEvent>,
}

impl Watch {
    /// How many objects are left of those that were there when the watch began.
    #[must_use]
    pub fn initial(&self) -> usize {
        self.initial.len()
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        match self.initial.pop_front() {
            Some(event) => Some(event),
            None => self.receiver.recv().await,
        }
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        match self.initial.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None => self.receiver.poll_recv(cx),
        }
    }
}

/// A change as the store saw it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) resource_version: u64,
    pub(crate) kind: &'static Kind,
    /// `None` at creation.
    pub(crate) before: Option<Object>,
    /// The new state; at deletion the last state.
    pub(crate) after: Object,
    pub(crate) deleted: bool,
}

/// Hears of every change, in the order of the changes and at once; it must not call the store.
pub type Observer = Box<dyn Fn(&Kind, &WatchEvent) + Send>;

/// Changes of the past, and who wants those of the future.
#[derive(Default)]
pub(crate) struct Hub {
    observer: Option<Observer>,
    history: VecDeque<Change>,
    /// The resource version before the oldest change in the history.
    horizon: u64,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    filter: Filter,
    sender: mpsc::Sender<WatchEvent>,
}

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) selectors: Selectors,
}

/// How many changes are remembered.
const HISTORY: usize = 4096;
/// How far a watcher may lag behind.
const QUEUE: usize = 1024;

impl Filter {
    /// All objects of a kind.
    pub(crate) fn all(kind: &'static Kind) -> Self {
        Self {
            kind,
            namespace: None,
            selectors: Selectors::default(),
        }
    }

    pub(crate) fn matches(&self, object: &Object) -> bool {
        let namespace = object
            .pointer("/metadata/namespace")
            .and_then(serde_json::Value::as_str);
        self.namespace.as_deref().is_none_or(|n| namespace == Some(n)) && self.selectors.matches(object)
    }

    fn see(&self, change: &Change) -> Option<WatchEvent> {
        if change.kind != self.kind {
            return None;
        }
        let before = change.before.as_ref().is_some_and(|o| self.matches(o));
        let after = !change.deleted && self.matches(&change.after);
        let kind = match (before, after) {
            (false, false) => return None,
            (false, true) => WatchEventType::Added,
            (true, true) => WatchEventType::Modified,
            (true, false) => WatchEventType::Deleted,
        };
        Some(WatchEvent {
            kind,
            object: change.after.clone(),
        })
    }
}

impl Hub {
    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    pub(crate) fn watches(&self) -> usize {
        self.watchers.len()
    }

    /// The history begins after this resource version.
    pub(crate) fn forget_before(&mut self, resource_version: u64) {
        self.horizon = resource_version;
    }

    pub(crate) fn publish(&mut self, change: Change) {
        if let Some(observer) = &self.observer {
            let kind = match (&change.before, change.deleted) {
                (_, true) => WatchEventType::Deleted,
                (None, false) => WatchEventType::Added,
                (Some(_), false) => WatchEventType::Modified,
            };
            let object = change.after.clone();
            observer(change.kind, &WatchEvent { kind, object });
        }
        self.watchers.retain(|w| match w.filter.see(&change) {
            Some(event) => w.sender.try_send(event).is_ok(),
            None => !w.sender.is_closed(),
        });
        self.history.push_back(change);
        while self.history.len() > HISTORY {
            if let Some(old) = self.history.pop_front() {
                self.horizon = old.resource_version;
            }
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        filter: Filter,
        initial: Vec<WatchEvent>,
        since: Option<u64>,
    ) -> Result<Watch, StoreError> {
        let mut initial = VecDeque::from(initial);
        if let Some(since) = since {
            if since < self.horizon {
                return Err(StoreError::Expired {
                    asked: since,
                    oldest: self.horizon,
                });
            }
            let newer = self.history.iter().filter(|c| c.resource_version > since);
            initial.extend(newer.filter_map(|c| filter.see(c)));
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.watchers.push(Watcher { filter, sender });
        Ok(Watch {
            resource_version: 0,
            initial,
            receiver,
        })
    }
}
