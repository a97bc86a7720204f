//! Runs the kernel's programs: wasm on podsim-wasi, native ones by name, each as a task of tokio.

use crate::config::NativeProgram;
use podsim_cri::{Error, Result};
use podsim_kernel::{Launcher, Program, Task};
use podsim_sys::{Errno, Syscalls, WaitStatus};
use podsim_wasi::{Outcome, Runtime, run};
use std::sync::Arc;

/// The launcher of a virtual node.
pub(crate) struct WasmLauncher {
    wasm: Arc<Runtime<Task>>,
    native: NativeProgram,
    handle: tokio::runtime::Handle,
}

impl WasmLauncher {
    /// A launcher whose programs run on the tokio runtime that this is called in.
    pub(crate) fn new(native: NativeProgram) -> Result<Arc<Self>> {
        let fail = |error: &dyn std::fmt::Display| Error::Internal(format!("cannot start the wasm engine: {error}"));
        let handle = tokio::runtime::Handle::try_current().map_err(|error| fail(&error))?;
        let wasm = Runtime::new().map_err(|error| fail(&error))?;
        for program in podsim_image::builtin::precompiled() {
            wasm.register_precompiled(program.wasm, program.artifact);
        }
        wasm.start_ticker().map_err(|error| fail(&error))?;
        Ok(Arc::new(Self {
            wasm: Arc::new(wasm),
            native,
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
        let (wasm, native) = (self.wasm.clone(), self.native.clone());
        self.handle.spawn(async move {
            // After an exec the same process goes on with another program.
            loop {
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
        });
    }
}
