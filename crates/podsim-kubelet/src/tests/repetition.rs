//! The same Pod under the same clock lives the same life, however often it is repeated.

use super::harness::{Harness, settle};
use podsim_cri::ExecSyncOutput;
use podsim_cri::fake::{ExecScript, Script, TermOutcome};
use serde_json::json;
use std::time::Duration;

/// A life with a sidecar, a failing probe, back-off, and a slow preStop: everything that happened, with its time.
async fn life() -> Vec<String> {
    let node = Harness::new().await;
    let fails = ExecScript {
        output: ExecSyncOutput {
            exit_code: 1,
            stderr: b"no\n".to_vec(),
            ..ExecSyncOutput::default()
        },
        ..ExecScript::default()
    };
    let slow = ExecScript {
        takes: Duration::from_secs(4),
        ..ExecScript::default()
    };
    node.runtime.script_exec("live", fails);
    node.runtime.script_exec("bye", slow);
    let stubborn = Script {
        term: TermOutcome::Ignored,
        ..Script::default()
    };
    node.runtime.script("b", stubborn);
    let c = |name: &str| json!({ "name": name, "image": "busybox", "imagePullPolicy": "Never" });
    let (mut a, mut b, mut s) = (c("a"), c("b"), c("s"));
    a["livenessProbe"] = json!({ "exec": { "command": ["live"] }, "periodSeconds": 5, "failureThreshold": 2 });
    b["readinessProbe"] = json!({ "exec": { "command": ["live"] }, "periodSeconds": 7 });
    b["lifecycle"] = json!({ "preStop": { "exec": { "command": ["bye"] } } });
    s["restartPolicy"] = "Always".into();
    node.pod(json!({ "terminationGracePeriodSeconds": 10, "initContainers": [s], "containers": [a, b] }))
        .await;
    let mut trace = vec![];
    let mut elapsed = Duration::ZERO;
    let mut deleted = false;
    while node.get().is_some() {
        elapsed += node.clock.advance_to_next().unwrap_or_default();
        settle().await;
        trace.push(format!(
            "{elapsed:?} {} {} {}",
            node.phase(),
            node.state("a"),
            node.state("b")
        ));
        if elapsed > Duration::from_secs(16) && !deleted {
            deleted = true;
            node.delete(None).await;
        }
    }
    trace.extend(node.runtime.calls());
    trace.extend(node.events());
    trace
}

fn check_repeated(times: usize) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap_or_else(|e| panic!("{e}")).block_on(life())
    };
    let first = run();
    assert!(first.iter().any(|l| l.contains("CrashLoopBackOff")), "{first:#?}");
    let repeat = || (0..times / 2).find_map(|_| Some(run()).filter(|again| *again != first));
    std::thread::scope(|scope| {
        let workers = [scope.spawn(repeat), scope.spawn(repeat)];
        for worker in workers {
            let other = worker.join().unwrap_or_else(|_| panic!("a run has panicked"));
            assert_eq!(other, None, "{first:#?}");
        }
    });
}

#[test]
fn a_life_repeated_is_the_same_every_time() {
    check_repeated(40);
}
