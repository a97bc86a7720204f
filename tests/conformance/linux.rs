//! A node of the Linux backend for the conformance programs. A node's process must be prepared while it has one thread, which a test's
//! process never has; so the tests start this program once. They write the name of a program on a line, and it answers with a line of JSON
//! when the program has ended: some may run at the same time. The end of its input is its end.

#[cfg(target_os = "linux")]
mod body;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    podsim_linux::enter(|name, _, _| {
        eprintln!("{name}: not a program of this node");
        127
    });
    node::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this program needs a Linux machine");
    std::process::exit(1);
}

#[cfg(target_os = "linux")]
mod node {
    use crate::body::{self, Outcome};
    use podsim_cri::backend::{Cidr, InterfaceConfig};
    use podsim_image::ImageStore;
    use podsim_linux::{LinuxConfig, LinuxRuntime, NetworkConfig};
    use podsim_sys::Clock;
    use std::error::Error;
    use std::io::{self, Write};
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::runtime::Builder;
    use tokio::task::JoinSet;

    macro_rules! programs {
        ($($name:ident: $wasm:expr,)*) => {
            const PROGRAMS: &[(&str, &[u8])] = &[$((stringify!($name), $wasm)),*];
        };
    }

    include!(concat!(env!("OUT_DIR"), "/conformance.rs"));

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        for note in podsim_linux::prepare().map_err(|missing| missing.to_string())? {
            eprintln!("note: {note}");
        }
        let directory = tempfile::tempdir()?;
        let tokio = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let served = tokio.block_on(async {
            let node = LinuxRuntime::new(config(directory.path()))?;
            let served = serve(&node).await;
            node.shutdown().await;
            Ok(served?)
        });
        // A read of the input that waits, on a thread of its own, would be waited for.
        tokio.shutdown_background();
        served
    }

    async fn serve(node: &LinuxRuntime) -> io::Result<()> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut running = JoinSet::new();
        while let Some(name) = lines.next_line().await? {
            let node = node.clone();
            running.spawn(async move { answer(&run(&node, name).await) });
        }
        // Nobody listens any more.
        running.shutdown().await;
        Ok(())
    }

    async fn run(node: &LinuxRuntime, name: String) -> Outcome {
        match PROGRAMS.iter().find(|(known, _)| *known == name) {
            Some((name, wasm)) => body::run(node, name, wasm, || {}).await,
            None => Outcome {
                name,
                exit_code: None,
                log: "there is no such program".to_owned(),
            },
        }
    }

    fn answer(outcome: &Outcome) -> io::Result<()> {
        let mut line = serde_json::to_vec(outcome)?;
        line.push(b'\n');
        io::stdout().lock().write_all(&line)
    }

    fn config(directory: &Path) -> LinuxConfig {
        LinuxConfig {
            lent: Vec::new(),
            clock: Arc::new(HostClock(Instant::now())),
            name: format!("conformance-{}", std::process::id()),
            hostname: "node".to_owned(),
            pod_cidr: Cidr {
                network: Ipv4Addr::new(10, 244, 0, 0),
                prefix: 24,
            },
            sandbox_image: "registry.k8s.io/pause:3.9".to_owned(),
            network: NetworkConfig::Own {
                bridge: InterfaceConfig::new("cni0"),
                interfaces: Vec::new(),
            },
            hosts: String::new(),
            resolv_conf: String::new(),
            data: directory.join("data"),
            images: ImageStore::with_builtin_images(),
            run: directory.join("run"),
            rootless: false,
            shell_environment: Vec::new(),
        }
    }

    /// The host's time.
    struct HostClock(Instant);

    impl Clock for HostClock {
        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }

        fn realtime(&self) -> Duration {
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
        }

        fn wake_at(&self, deadline: Duration, waker: &Waker) {
            let (deadline, waker) = (self.0 + deadline, waker.clone());
            tokio::spawn(async move {
                tokio::time::sleep_until(deadline.into()).await;
                waker.wake();
            });
        }
    }
}
