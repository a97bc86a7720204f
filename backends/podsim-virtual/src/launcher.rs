//! Runs the kernel's programs: wasm on podsim-wasi, native ones by name, each as a task of tokio.

use crate::config::{NativeProgram, ProcessEvent, ProcessObserver, VirtualConfig};
use podsim_cri::{Error, Result};
use podsim_kernel::{Launcher, Program, Task};
use podsim_sys::{Errno, Syscalls, WaitStatus};
use podsim_wasi::{Outcome, Runtime, run};
use std::sync::Arc;

/// The launcher of a virtual node.
pub(crate) struct WasmLauncher {
    wasm: Arc<Runtime<Task>>,
    native: NativeProgram,
    observer: Option<ProcessObserver>,
    handle: tokio::runtime::Handle,
}

impl WasmLauncher {
    /// A launcher whose programs run on the tokio runtime that this is called in.
    pub(crate) fn new(config: &VirtualConfig) -> Result<Arc<Self>> {
        let fail = |error: &dyn std::fmt::Display| Error::Internal(format!("cannot start the wasm engine: {error}"));
        let handle = tokio::runtime::Handle::try_current().map_err(|error| fail(&error))?;
        let wasm = if config.virtual_time {
            Runtime::for_virtual_time()
        } else {
            Runtime::new()
        };
        let wasm = wasm.map_err(|error| fail(&error))?;
        for program in podsim_image::builtin::precompiled() {
            wasm.register_precompiled(program.wasm, program.artifact);
        }
        wasm.start_ticker().map_err(|error| fail(&error))?;
        Ok(Arc::new(Self {
            wasm: Arc::new(wasm),
            native: config.native.clone(),
            observer: config.observer.clone(),
            handle,
        }))
    }
}

impl Launcher for WasmLauncher {
    fn check(&self, program: &Program) -> podsim_sys::Result<()> {
        match program {
            Program::Wasm(module) => self.wasm.check(module).map_err(|_| Errno::ENOEXEC),
            Program::Native(_) => Ok(()),
        }
    }

    fn launch(&self, task: Task) {
        let (wasm, native, observer) = (self.wasm.clone(), self.native.clone(), self.observer.clone());
        self.handle.spawn(async move {
            let tell = |event| observer.iter().for_each(|observer| observer(&task, event));
            // After an exec the same process goes on with another program.
            loop {
                tell(ProcessEvent::Started);
                match task.program() {
                    Program::Wasm(module) => match run(&wasm, task.clone(), module).await {
                        Outcome::Exec => {}
                        Outcome::Ended => break,
                    },
                    Program::Native(name) => {
                        // One that did not end its process has nothing more to do.
                        if task.run_until_killed(native(name, task.clone())).await.is_some() {
                            task.exit(WaitStatus::Exited(0));
                        }
                        break;
                    }
                }
            }
            if observer.is_some() {
                tell(ProcessEvent::Ended(task.wait_exit().await));
            }
        });
    }
}
