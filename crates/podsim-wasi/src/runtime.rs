//! [`Runtime`]: the engine, its ticks, and the programs; one for all processes of a node.

use crate::cache::{ModuleCache, Program};
use crate::engine_config;
use crate::error::LoadError;
use crate::one_process::OneProcess;
use crate::pace::Pace;
use crate::{p1, podsim_v1, wasix};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use podsim_sys::Syscalls;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use wasmtime::{Engine, Linker};

/// How long a guest computes before others have their turn, and how soon a computing one feels a signal.
pub const TICK: Duration = Duration::from_millis(10);

/// Everything that running wasm programs needs and that they share.
pub struct Runtime<S: Syscalls> {
    engine: Engine,
    cache: Arc<ModuleCache<S>>,
    /// For a process of its own, in which there are no other threads.
    one_process: Option<Arc<OneProcess>>,
    /// Under virtual time.
    pace: Option<Arc<Pace>>,
}

impl<S: Syscalls> Clone for Runtime<S> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            cache: self.cache.clone(),
            one_process: self.one_process.clone(),
            pace: self.pace.clone(),
        }
    }
}

impl<S: Syscalls> Runtime<S> {
    /// A runtime; fails where the engine cannot run (a machine that Cranelift does not know).
    pub fn new() -> wasmtime::Result<Self> {
        Self::with(&engine_config(), None)
    }

    /// A runtime for a node under virtual time, with one thread: everything is compiled in place, and computing takes as much time
    /// in every run.
    pub fn for_virtual_time() -> wasmtime::Result<Self> {
        let runtime = Self::new()?;
        let pace = Some(Arc::new(Pace::new(runtime.engine.weak())));
        Ok(Self { pace, ..runtime })
    }

    /// A runtime for a process that runs one guest and has one thread: nothing is compiled elsewhere, and nobody ticks.
    pub fn for_one_process(settings: OneProcess) -> wasmtime::Result<Self> {
        let mut config = engine_config();
        settings.configure(&mut config);
        let runtime = Self::with(&config, Some(Arc::new(settings)))?;
        if let Some(precompiled) = runtime
            .one_process
            .as_ref()
            .and_then(|settings| settings.precompiled.as_ref())
        {
            runtime.register_precompiled(precompiled.wasm.clone(), precompiled.code);
        }
        Ok(runtime)
    }

    fn with(config: &wasmtime::Config, one_process: Option<Arc<OneProcess>>) -> wasmtime::Result<Self> {
        let engine = Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        p1::add_to_linker(&mut linker)?;
        wasix::add_to_linker(&mut linker)?;
        podsim_v1::add_to_linker(&mut linker)?;
        let in_place = one_process.as_ref().is_some_and(|settings| settings.runs_in_place());
        let cache = Arc::new(ModuleCache::new(engine.clone(), linker, in_place));
        Ok(Self {
            engine,
            cache,
            one_process,
            pace: None,
        })
    }

    /// Says that `code` is what `Engine::precompile_module` (with [`engine_config`]) made from `wasm`. The code must come from
    /// a trusted place: it is run as it is. It is mapped when the program is first run.
    pub fn register_precompiled(&self, wasm: Bytes, code: &'static [u8]) {
        self.cache.register_precompiled(wasm, code);
    }

    /// Whether the bytes are a program; quick for known ones, a pass over the bytes for others.
    pub fn check(&self, wasm: &Bytes) -> Result<(), LoadError> {
        self.cache
            .check(wasm)
            .inspect_err(|error| tracing::warn!("exec: {error}"))
    }

    /// Compiles a program ahead of its first run.
    pub fn compile(&self, wasm: &Bytes) -> Result<(), LoadError> {
        self.cache.compile(wasm).map(drop)
    }

    /// Ends the time slices: to be called every [`TICK`], see [`Runtime::start_ticker`].
    pub fn tick(&self) {
        self.pace.iter().for_each(|pace| pace.tick());
        self.engine.increment_epoch();
    }

    /// Starts a thread that ticks until the runtime is gone.
    pub fn start_ticker(&self) -> std::io::Result<()> {
        let (engine, pace) = (self.engine.weak(), self.pace.clone());
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                pace.iter().for_each(|pace| pace.tick());
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        };
        std::thread::Builder::new()
            .name("podsim-ticker".to_owned())
            .spawn(tick)
            .map(drop)
    }

    /// The program's instance is there, and it has not begun.
    pub(crate) fn instantiated(&self) {
        if let Some(settings) = &self.one_process {
            (settings.instantiated)();
        }
    }

    pub(crate) fn pace(&self) -> Option<Arc<Pace>> {
        self.pace.clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The program; a new one is compiled on a thread of its own, while the caller waits without blocking its executor.
    pub(crate) async fn load(&self, wasm: Bytes) -> Result<Arc<Program<S>>, LoadError> {
        if let Some(program) = self.cache.ready(&wasm) {
            return Ok(program);
        }
        if self.one_process.is_some() || self.pace.is_some() {
            return self.cache.compile(&wasm);
        }
        let done = Arc::new((Mutex::new(None), AtomicWaker::new()));
        let work = {
            let (cache, done) = (self.cache.clone(), done.clone());
            move || {
                *done.0.lock() = Some(cache.compile(&wasm));
                done.1.wake();
            }
        };
        let thread = std::thread::Builder::new().name("podsim-compile".to_owned());
        thread
            .spawn(work)
            .map_err(|e| LoadError::Invalid(format!("no thread to compile it: {e}")))?;
        poll_fn(move |cx| {
            done.1.register(cx.waker());
            done.0.lock().take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
