//! `--clock=virtual`: the Pods' lives as fast as they can be computed, and the same in every run with the same seed.

use super::follow::{complain, exit_code, prefix, problem, started_containers};
use super::trace::Trace;
use super::{RunArgs, Source, read};
use crate::commands::logs::parse_seconds;
use crate::context::Context;
use crate::errors::Failure;
use crate::node::{NodeConfig, Observers, Simulation, VirtualClock};
use anyhow::{Context as _, Result};
use futures_util::StreamExt;
use podsim_cri::{ContainerId, LogOptions, RuntimeService};
use podsim_kubelet::backoff::go_duration;
use podsim_store::{Selectors, Since, WatchEventType, kinds};
use podsim_sys::sleep_until;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Options of time.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ClockArgs {
    /// Whose time it is: the host's, or a virtual one that jumps to the next timer whenever nothing runs
    ///
    /// Under virtual time hours of back-off take milliseconds, everything happens in an order that only --seed decides, and other
    /// terminals do not see the node. It begins on 2025-01-01 00:00:00 UTC.
    #[arg(long, value_enum, default_value_t, value_name = "CLOCK")]
    clock: ClockKind,
    /// With --clock=virtual: where all randomness comes from [default: 0]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// With --clock=virtual: write what happens to a file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// With --clock=virtual: end after this much virtual time, as 90s or 1h30m [default: 24h]; if it is given, Pods that cannot run
    /// are not the end
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ClockKind {
    /// The host's time
    #[default]
    Host,
    /// Time that jumps
    Virtual,
}

impl ClockArgs {
    /// Is it virtual?
    pub(crate) fn is_virtual(&self) -> bool {
        self.clock == ClockKind::Virtual
    }

    /// Refuses options that go with virtual time only.
    pub(super) fn check(&self) -> Result<()> {
        let given = [
            ("--seed", self.seed.is_some()),
            ("--trace", self.trace.is_some()),
            ("--for", self.duration.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given && !self.is_virtual()) {
            Some((option, _)) => Err(Failure::new(format!("error: {option} needs --clock=virtual")).into()),
            None => Ok(()),
        }
    }
}

/// When it ends if nobody says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// After the last Pod's end: everything else that happens in the same moment happens.
const AFTERMATH: Duration = Duration::from_millis(1);

/// Runs the manifests.
pub(super) async fn run(context: &Context, args: &RunArgs, clock: Arc<VirtualClock>) -> Result<i32> {
    let sources = read(context, args).await?;
    let limit = match &args.clock.duration {
        Some(text) => Some(Duration::from_secs(parse_seconds(text)?)),
        None => None,
    };
    let config = match &args.node_config {
        Some(file) => NodeConfig::read(file)?,
        None => NodeConfig::default(),
    };
    let trace = match &args.clock.trace {
        Some(path) => Some((
            path.clone(),
            Trace::create(path, clock.clone()).with_context(|| format!("cannot write {}", path.display()))?,
        )),
        None => None,
    };
    let mut observers = Observers::default();
    if let Some((_, trace)) = &trace {
        let objects = trace.clone();
        observers.objects = Some(Box::new(move |kind, event| objects.object(kind, event)));
        let processes = trace.clone();
        observers.processes = Some(Arc::new(move |task, event| processes.process(task, event)));
    }
    let node = Simulation::start(&config, clock, args.clock.seed.unwrap_or_default(), observers).await?;
    let run = Run {
        context: context.clone(),
        node,
        sources,
        limit,
        trace: trace.as_ref().map(|(_, trace)| trace.clone()),
    };
    // As a task like the others: the runtime turns to its main future whenever it likes.
    let result = tokio::spawn(run.run()).await?;
    if let Some((path, trace)) = trace {
        trace
            .finish()
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    result
}

/// A Pod that is followed.
struct Followed {
    name: String,
    source: usize,
    index: usize,
    seen: BTreeSet<String>,
    /// Its exit code, and its phase until then.
    end: Option<i32>,
    phase: String,
}

/// The first exit code that is not 0, of the Pods that have ended.
fn code(pods: BTreeMap<String, Followed>) -> i32 {
    let mut pods: Vec<_> = pods.into_values().collect();
    pods.sort_by_key(|pod| pod.index);
    pods.into_iter()
        .filter_map(|pod| pod.end)
        .find(|code| *code != 0)
        .unwrap_or(0)
}

struct Run {
    context: Context,
    node: Simulation,
    sources: Vec<Source>,
    limit: Option<Duration>,
    trace: Option<Arc<Trace>>,
}

impl Run {
    async fn run(self) -> Result<i32> {
        let mut containers = self.node.runtime.get_container_events().await?;
        let trace = self.trace.clone();
        let mut background = JoinSet::new();
        background.spawn(async move {
            while let (Some(event), Some(trace)) = (containers.next().await, &trace) {
                trace.container(&event);
            }
        });
        let mut pods = self.create().await?;
        let mut logs = JoinSet::new();
        let end = sleep_until(&self.node.clock, self.limit.unwrap_or(LONGEST));
        let mut end = std::pin::pin!(end);
        let selectors = Selectors::default();
        let mut watch = self.node.store.watch(&kinds::POD, None, &selectors, Since::Start)?;
        while pods.is_empty() || pods.values().any(|pod| pod.end.is_none()) {
            let event = tokio::select! {
                biased;
                event = watch.next() => event,
                () = &mut end => {
                    self.tell_of_limit(&pods).await?;
                    return Ok(code(pods));
                }
            };
            let Some(event) = event else {
                // We were slow: look how things are.
                watch = self.node.store.watch(&kinds::POD, None, &selectors, Since::Start)?;
                continue;
            };
            let uid = event.object["metadata"]["uid"].as_str().unwrap_or_default();
            if let Some(pod) = pods.get_mut(uid) {
                self.follow(pod, event.kind, &event.object, &mut logs)?;
            }
        }
        sleep_until(&self.node.clock, self.node.clock.monotonic() + AFTERMATH).await;
        while let Some(log) = logs.join_next().await {
            log??;
        }
        Ok(code(pods))
    }

    async fn create(&self) -> Result<BTreeMap<String, Followed>> {
        let mut pods = BTreeMap::new();
        for (source, Source { file, document }) in self.sources.iter().enumerate() {
            let kind = document.kind();
            let namespace = document.namespace().unwrap_or(&self.context.namespace);
            let created = self.node.store.create(kind, namespace, document.value().clone());
            let object =
                created.map_err(|error| Failure::new(format!("error: error when creating \"{file}\": {error}")))?;
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let talk = format!("{}/{} created", kind.singular, text("name"));
            self.context.printer.talk(talk).await?;
            if *kind == kinds::POD {
                let index = pods.len();
                let pod = Followed {
                    name: text("name"),
                    source,
                    index,
                    seen: BTreeSet::new(),
                    end: None,
                    phase: "Pending".to_owned(),
                };
                pods.insert(text("uid"), pod);
            }
        }
        Ok(pods)
    }

    /// The Pod has changed.
    fn follow(
        &self,
        pod: &mut Followed,
        change: WatchEventType,
        object: &Value,
        logs: &mut JoinSet<Result<()>>,
    ) -> Result<()> {
        let source = self.sources.get(pod.source);
        for (index, container, id) in started_containers(object) {
            if pod.seen.insert(id.to_owned()) {
                let several = self.sources.iter().filter(|s| *s.document.kind() == kinds::POD).count() > 1;
                let prefix = prefix(
                    &self.context,
                    source,
                    several.then_some(pod.name.as_str()),
                    container,
                    pod.index + index,
                );
                let id = id.rsplit('/').next().unwrap_or(id);
                logs.spawn(self.log(ContainerId(id.to_owned()), prefix));
            }
        }
        if pod.end.is_some() {
            return Ok(());
        }
        object["status"]["phase"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut pod.phase);
        let hopeless = problem(object).filter(|_| self.limit.is_none());
        let deleted = object["metadata"]["deletionTimestamp"].is_string();
        pod.end = match pod.phase.as_str() {
            _ if change == WatchEventType::Deleted => Some(0),
            _ if deleted => None,
            "Succeeded" => Some(0),
            phase => {
                if let Some(problem) = hopeless {
                    return Err(complain(source, &pod.name, &problem));
                }
                (phase == "Failed").then(|| exit_code(object))
            }
        };
        Ok(())
    }

    /// Prints the log of one run of a container.
    fn log(&self, id: ContainerId, prefix: String) -> impl Future<Output = Result<()>> + Send + 'static {
        let (runtime, printer) = (self.node.runtime.clone(), self.context.printer.clone());
        async move {
            let options = LogOptions {
                follow: true,
                ..LogOptions::default()
            };
            // It may be gone already: the kubelet keeps two runs of a container.
            let Ok(mut entries) = runtime.container_logs(&id, options).await else {
                return Ok(());
            };
            let mut line = Vec::new();
            while let Some(entry) = entries.next().await {
                if prefix.is_empty() {
                    printer.data(&entry.bytes).await?;
                    continue;
                }
                // One write a line: lines of other containers come in between, never inside.
                line.extend_from_slice(&entry.bytes);
                if line.ends_with(b"\n") {
                    printer.data([prefix.as_bytes(), &line].concat()).await?;
                    line.clear();
                }
            }
            if !line.is_empty() {
                printer.data([prefix.as_bytes(), &line, b"\n"].concat()).await?;
            }
            Ok(())
        }
    }

    async fn tell_of_limit(&self, pods: &BTreeMap<String, Followed>) -> Result<()> {
        let mut left: Vec<_> = pods.values().filter(|pod| pod.end.is_none()).collect();
        left.sort_by_key(|pod| pod.index);
        let time = go_duration(self.node.clock.monotonic());
        let pods: Vec<_> = left
            .iter()
            .map(|pod| format!("pod/{} is {}", pod.name, pod.phase))
            .collect();
        let talk = format!("After {time} of virtual time: {}", pods.join(", "));
        self.context.printer.talk(talk).await?;
        Ok(())
    }
}
