//! Every call with arguments that no sane program passes: whatever comes out, podsim itself must not fall over.

use super::*;
use crate::SystemCall;
use podsim_kernel::process::ProcessState;
use podsim_sys::Signal;

/// The wasm types of a call's parameters and its result.
fn types(call: &SystemCall) -> Option<(Vec<&'static str>, &'static str)> {
    let signature = call.signature?;
    let params = signature
        .wide
        .iter()
        .map(|wide| if *wide { "i64" } else { "i32" })
        .collect();
    Some((params, if signature.result { "(result i32)" } else { "" }))
}

/// A program that makes the call with all zeros, all ones, the end of memory, and then with small descriptors, pointers and
/// every length up to 48, over a memory full of small numbers.
fn program(call: &SystemCall) -> Option<String> {
    let (params, result) = types(call)?;
    let drop = |text: String| {
        if result.is_empty() {
            text
        } else {
            format!("(drop {text})")
        }
    };
    let constants = |value: i64| {
        let all = params.iter().map(|kind| format!("({kind}.const {value})"));
        drop(format!("(call $f {})", all.collect::<String>()))
    };
    let lengths = params.iter().enumerate().map(|(index, kind)| match (index % 2, *kind) {
        (0, kind) => format!("({kind}.const {})", index * 64),
        (_, "i32") => "(local.get $n)".to_owned(),
        _ => "(i64.extend_i32_u (local.get $n))".to_owned(),
    });
    let lengths = drop(format!("(call $f {})", lengths.collect::<String>()));
    let memory: Vec<u8> = (0..512_u16)
        .map(|at| [0, 1, 2, 1, 0, 3, 47][usize::from(at) % 7])
        .collect();
    Some(format!(
        "(module
           (import \"{}\" \"{}\" (func $f (param {}) {result}))
           (memory (export \"memory\") 1) (data (i32.const 0) \"{}\")
           (func (export \"_start\") (local $n i32)
             (loop $next
               {lengths}
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $next (i32.lt_u (local.get $n) (i32.const 48))))
             {} {} {}))",
        call.module,
        call.name,
        params.join(" "),
        data(&memory),
        constants(-1),
        constants(65_532),
        constants(0),
    ))
}

#[tokio::test]
async fn no_call_falls_over_on_garbage() {
    let node = Node::new();
    for call in crate::system_calls() {
        let Some(wat) = program(&call) else { continue };
        node.install("/prog", &wat);
        let task = node.start("/prog", &[], None);
        // Whoever waits, for a signal or for a time that never comes, is killed.
        while task.process.exit_status().is_none() {
            if task.process.state() == ProcessState::Sleeping {
                node.kernel.kill_host(&task.process, Signal::KILL);
            }
            tokio::task::yield_now().await;
        }
        let ran = node.ran(task).await;
        assert!(
            !ran.output.contains("internal error"),
            "{}.{}: {}",
            call.module,
            call.name,
            ran.output
        );
    }
}
