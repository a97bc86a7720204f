//! [`OneProcess`]: how a runtime differs that runs one guest in a process of the host, where every millisecond of its start counts.

use bytes::Bytes;

/// A program with its precompiled code.
#[derive(Clone, Debug)]
pub struct Precompiled {
    /// The module: the very bytes that are passed to [`run`](crate::run()).
    pub wasm: Bytes,
    /// What `Engine::precompile_module` made from it; see [`Runtime::register_precompiled`](crate::Runtime::register_precompiled).
    pub code: &'static [u8],
}

/// Settings of a runtime for one process.
pub struct OneProcess {
    /// The program, if it is a precompiled one. Code at the beginning of a page is run where it is, without being copied.
    pub precompiled: Option<Precompiled>,
    /// Called when the program's instance is there and has not begun to run.
    pub instantiated: Box<dyn Fn() + Send + Sync>,
}

impl OneProcess {
    pub(crate) fn configure(&self, config: &mut wasmtime::Config) {
        // How code is compiled, not what it is: precompiled code can be used.
        config.parallel_compilation(false);
        #[cfg(target_os = "linux")]
        if self.runs_in_place() {
            config.with_custom_code_memory(Some(std::sync::Arc::new(in_place::InPlace)));
        }
    }

    pub(crate) fn runs_in_place(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            let precompiled = self.precompiled.as_ref();
            precompiled.is_some_and(|precompiled| in_place::can_run(precompiled.code))
        }
        #[cfg(not(target_os = "linux"))]
        false
    }
}

#[cfg(target_os = "linux")]
mod in_place {
    use rustix::mm::{MprotectFlags, mprotect};

    /// Whether the code, which is part of this program's file, begins where a page does.
    pub(super) fn can_run(code: &'static [u8]) -> bool {
        code.as_ptr().addr().is_multiple_of(rustix::param::page_size())
    }

    /// Makes code executable where it is.
    pub(super) struct InPlace;

    impl InPlace {
        #[expect(unsafe_code, reason = "the only way to run code")]
        fn protect(ptr: *const u8, len: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
            // SAFETY: the pages hold the text of a precompiled module, to which no reference exists that writes, and nothing else:
            // the engine gives whole pages. They stay readable.
            unsafe { mprotect(ptr.cast_mut().cast(), len, flags) }?;
            Ok(())
        }
    }

    impl wasmtime::CustomCodeMemory for InPlace {
        fn required_alignment(&self) -> usize {
            rustix::param::page_size()
        }

        fn publish_executable(&self, ptr: *const u8, len: usize) -> wasmtime::Result<()> {
            Self::protect(ptr, len, MprotectFlags::READ | MprotectFlags::EXEC)
        }

        fn unpublish_executable(&self, ptr: *const u8, len: usize) -> wasmtime::Result<()> {
            Self::protect(ptr, len, MprotectFlags::READ)
        }
    }
}
