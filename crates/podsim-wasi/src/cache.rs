//! Programs ready to be started: compiled once for each content, precompiled ones only mapped.

use crate::error::LoadError;
use crate::state::State;
use bytes::Bytes;
use parking_lot::Mutex;
use podsim_sys::Syscalls;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::Arc;
use wasmtime::{Engine, ExternType, FuncType, InstancePre, Linker, Module, Val, ValType};

/// How many compiled programs are kept, beside the precompiled ones.
const CAPACITY: usize = 64;
/// WASI's ENOSYS.
const WASI_ENOSYS: i32 = 52;

/// A program that can be instantiated at once.
pub(crate) struct Program<S: Syscalls> {
    /// The module with its imports resolved.
    pub(crate) pre: InstancePre<State<S>>,
    /// Whether its libc knows the current directory.
    pub(crate) knows_cwd: bool,
}

/// The address and length of bytes that stay where they are.
type Place = (usize, usize);
type Hash = [u8; 32];

fn place(wasm: &Bytes) -> Place {
    (wasm.as_ptr() as usize, wasm.len())
}

struct Precompiled<S: Syscalls> {
    wasm: Bytes,
    code: &'static [u8],
    program: Option<Arc<Program<S>>>,
}

struct Compiled<S: Syscalls> {
    program: Arc<Program<S>>,
    /// When it was last used, in lookups.
    used: u64,
}

/// The programs of a runtime.
pub(crate) struct ModuleCache<S: Syscalls> {
    engine: Engine,
    linker: Linker<State<S>>,
    /// Whether precompiled code is run where it is.
    in_place: bool,
    inner: Mutex<Inner<S>>,
}

struct Inner<S: Syscalls> {
    precompiled: HashMap<Place, Precompiled<S>>,
    compiled: HashMap<Hash, Compiled<S>>,
    /// Where contents were last seen, so that a file need not be hashed each time it is run. The `Bytes` keep the place
    /// from being used again.
    seen: HashMap<Place, (Bytes, Hash)>,
    lookups: u64,
}

impl<S: Syscalls> ModuleCache<S> {
    pub(crate) fn new(engine: Engine, linker: Linker<State<S>>, in_place: bool) -> Self {
        Self {
            engine,
            linker,
            in_place,
            inner: Mutex::new(Inner {
                precompiled: HashMap::new(),
                compiled: HashMap::new(),
                seen: HashMap::new(),
                lookups: 0,
            }),
        }
    }

    pub(crate) fn register_precompiled(&self, wasm: Bytes, code: &'static [u8]) {
        let entry = Precompiled {
            wasm,
            code,
            program: None,
        };
        self.inner.lock().precompiled.insert(place(&entry.wasm), entry);
    }

    /// The program, if that takes no compiling.
    pub(crate) fn ready(&self, wasm: &Bytes) -> Option<Arc<Program<S>>> {
        let mut inner = self.inner.lock();
        inner.lookups += 1;
        let lookups = inner.lookups;
        if let Some(place) = inner.precompiled_place(wasm)
            && let Some(entry) = inner.precompiled.get_mut(&place)
        {
            if entry.program.is_none() {
                entry.program = self.map(entry.code);
            }
            if let Some(program) = &entry.program {
                return Some(program.clone());
            }
        }
        let hash = inner.seen.get(&place(wasm)).map(|(_, hash)| *hash)?;
        let compiled = inner.compiled.get_mut(&hash)?;
        compiled.used = lookups;
        Some(compiled.program.clone())
    }

    /// The program, if its content is known, wherever the bytes are.
    fn known(&self, wasm: &Bytes) -> Result<Arc<Program<S>>, Hash> {
        if let Some(program) = self.ready(wasm) {
            return Ok(program);
        }
        let hash: Hash = Sha256::digest(wasm).into();
        self.inner.lock().find(wasm, hash).ok_or(hash)
    }

    /// The program, compiled if need be: this can take seconds for a large one.
    pub(crate) fn compile(&self, wasm: &Bytes) -> Result<Arc<Program<S>>, LoadError> {
        let hash = match self.known(wasm) {
            Ok(program) => return Ok(program),
            Err(hash) => hash,
        };
        looks_like_a_module(wasm)?;
        let module = Module::new(&self.engine, wasm).map_err(|e| LoadError::Invalid(format!("{e:#}")))?;
        let program = Arc::new(self.link(&module)?);
        self.inner.lock().insert(wasm, hash, program.clone());
        Ok(program)
    }

    /// Whether the bytes are a module, without compiling them.
    pub(crate) fn check(&self, wasm: &Bytes) -> Result<(), LoadError> {
        if self.known(wasm).is_ok() {
            return Ok(());
        }
        looks_like_a_module(wasm)?;
        Module::validate(&self.engine, wasm).map_err(|e| LoadError::Invalid(format!("{e:#}")))
    }

    /// Maps precompiled code; `None` when this engine cannot run it (it is then compiled as any other program).
    #[expect(unsafe_code, reason = "the only way to load compiled code")]
    fn map(&self, code: &'static [u8]) -> Option<Arc<Program<S>>> {
        // SAFETY: the bytes must be what this version of wasmtime made from a module and nobody has changed.
        // `register_precompiled` asks that of its caller, who passes artifacts that the build script made and the linker put
        // into this very binary; version and settings are checked by `deserialize`.
        let module = unsafe {
            if self.in_place {
                Module::deserialize_raw(&self.engine, NonNull::from(code))
            } else {
                Module::deserialize(&self.engine, code)
            }
        };
        match module {
            Ok(module) => self.link(&module).ok().map(Arc::new),
            Err(error) => {
                tracing::warn!("precompiled code cannot be used here, compiling instead: {error:#}");
                None
            }
        }
    }

    /// Resolves the imports. What nobody knows answers ENOSYS: a program may import more than it uses.
    fn link(&self, module: &Module) -> Result<Program<S>, LoadError> {
        if module.get_export("_start").is_none() {
            return Err(LoadError::NotACommand);
        }
        let mut linker = None;
        for import in module.imports() {
            let ExternType::Func(signature) = import.ty() else {
                return Err(LoadError::Import {
                    module: import.module().to_owned(),
                    name: import.name().to_owned(),
                });
            };
            if !provides(import.module(), import.name(), &signature) {
                tracing::debug!("no such call: {}.{}", import.module(), import.name());
                let linker = linker.get_or_insert_with(|| {
                    let mut linker = self.linker.clone();
                    linker.allow_shadowing(true);
                    linker
                });
                add_enosys(linker, import.module(), import.name(), signature)
                    .map_err(|e| LoadError::Invalid(format!("{e:#}")))?;
            }
        }
        let pre = linker.as_ref().unwrap_or(&self.linker).instantiate_pre(module);
        let pre = pre.map_err(|e| LoadError::Invalid(format!("{e:#}")))?;
        let knows_cwd = module
            .imports()
            .any(|import| crate::p1::knows_cwd(import.module(), import.name()));
        Ok(Program { pre, knows_cwd })
    }
}

impl<S: Syscalls> Inner<S> {
    /// The place of the precompiled program with these bytes: usually they are the very same, else (a copied file) equal.
    fn precompiled_place(&self, wasm: &Bytes) -> Option<Place> {
        let here = place(wasm);
        if self.precompiled.contains_key(&here) {
            return Some(here);
        }
        if self.seen.contains_key(&here) {
            return None;
        }
        let equal = |entry: &&Precompiled<S>| entry.wasm.len() == wasm.len() && entry.wasm == *wasm;
        self.precompiled.values().find(equal).map(|entry| place(&entry.wasm))
    }

    fn find(&mut self, wasm: &Bytes, hash: Hash) -> Option<Arc<Program<S>>> {
        let program = self.compiled.get(&hash)?.program.clone();
        self.saw(wasm, hash);
        Some(program)
    }

    fn insert(&mut self, wasm: &Bytes, hash: Hash, program: Arc<Program<S>>) {
        if self.compiled.len() >= CAPACITY
            && let Some(oldest) = self.compiled.iter().min_by_key(|(_, c)| c.used).map(|(hash, _)| *hash)
        {
            self.compiled.remove(&oldest);
            self.seen.retain(|_, (_, hash)| *hash != oldest);
        }
        let used = self.lookups;
        self.compiled.insert(hash, Compiled { program, used });
        self.saw(wasm, hash);
    }

    fn saw(&mut self, wasm: &Bytes, hash: Hash) {
        // One place for each content: holding the bytes of more would only cost memory.
        self.seen.retain(|_, (_, other)| *other != hash);
        self.seen.insert(place(wasm), (wasm.clone(), hash));
    }
}

/// Whether there is a host function with this name and this very type.
fn provides(module: &str, name: &str, signature: &FuncType) -> bool {
    let named = |call: &crate::SystemCall| call.module == module && call.name == name;
    let call = crate::system_calls().find(named);
    call.and_then(|call| call.signature)
        .is_some_and(|ours| ours.is(signature))
}

fn looks_like_a_module(wasm: &[u8]) -> Result<(), LoadError> {
    match wasm.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Err(LoadError::Component),
        _ => Err(LoadError::Invalid(
            "the first bytes are not those of a module".to_owned(),
        )),
    }
}

/// A function of any type that answers ENOSYS, or zeros where a result is not an errno.
fn add_enosys<S: Syscalls>(
    linker: &mut Linker<State<S>>,
    module: &str,
    name: &str,
    signature: FuncType,
) -> wasmtime::Result<()> {
    let results: Vec<ValType> = signature.results().collect();
    linker.func_new(module, name, signature, move |_, _, out| {
        for (slot, kind) in out.iter_mut().zip(&results) {
            *slot = match kind {
                ValType::I32 if results.len() == 1 => Val::I32(WASI_ENOSYS),
                kind => Val::default_for_ty(kind).unwrap_or(Val::I32(0)),
            };
        }
        Ok(())
    })?;
    Ok(())
}
