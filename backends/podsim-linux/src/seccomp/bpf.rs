//! Rules about system calls, and the classic BPF program that the kernel runs for each call (`seccomp(2)`).
//!
//! `seccompiler` knows one action for all that matches; a profile needs several (allow, EPERM, ENOSYS), so the program is
//! assembled here. For calls without conditions the kernel runs it once and remembers the answer.

use std::collections::BTreeMap;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is made.
    Allow,
    /// It fails with this number.
    Errno(u16),
    /// SIGSYS.
    Trap,
    /// A tracer decides.
    Trace(u16),
    /// It is made and written to the audit log.
    Log,
    /// The thread dies.
    KillThread,
    /// The process dies.
    KillProcess,
}

impl Action {
    /// `SECCOMP_RET_*` of linux/seccomp.h.
    fn code(self) -> u32 {
        match self {
            Action::KillProcess => 0x8000_0000,
            Action::KillThread => 0,
            Action::Trap => 0x0003_0000,
            Action::Errno(number) => 0x0005_0000 | u32::from(number),
            Action::Trace(data) => 0x7ff0_0000 | u32::from(data),
            Action::Log => 0x7ffc_0000,
            Action::Allow => 0x7fff_0000,
        }
    }
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `==`
    Eq,
    /// `>=`
    Ge,
    /// `>`
    Gt,
}

/// A condition on an argument: `(argument & mask) <compare> value`, in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Which argument, 0 to 5.
    pub(super) index: u8,
    /// The bits that count. For an `int`, the kernel ignores the upper half, and so must the filter.
    pub(super) mask: u64,
    /// How.
    pub(super) compare: Compare,
    /// With what.
    pub(super) value: u64,
}

impl Condition {
    /// These bits have this value.
    pub(super) const fn masked(index: u8, mask: u64, value: u64) -> Self {
        let compare = Compare::Eq;
        Self {
            index,
            mask,
            compare,
            value,
        }
    }

    /// These bits have another value.
    pub(super) const fn differs(index: u8, mask: u64, value: u64) -> Self {
        let compare = Compare::Ne;
        Self {
            index,
            mask,
            compare,
            value,
        }
    }
}

/// A rule for one system call: if all conditions hold, the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
}

/// All rules. Of those of a call, the first that holds counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) calls: BTreeMap<u32, Vec<Rule>>,
    /// For calls without a rule that holds.
    pub(super) default: Action,
    /// Calls from this number on are ENOSYS: they are newer than the rules, and programs ask whether there are such.
    pub(super) unknown_from: Option<u32>,
}

/// `struct sock_filter`.
pub(super) type Instruction = libc::sock_filter;

/// `AUDIT_ARCH_*` of linux/audit.h.
const ARCH: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else {
    0xc000_00b7
};
/// The kernel's own limit of a program.
const MAX: usize = libc::BPF_MAXINSNS as usize;

// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const ARCH_FIELD: u32 = 4;
const ARGS: u32 = 16;

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// The program for the rules; `None` if it is longer than the kernel takes.
pub(super) fn compile(rules: &Rules) -> Option<Vec<Instruction>> {
    let default = plain(RETURN, rules.default.code());
    let mut program = vec![
        plain(LOAD, ARCH_FIELD),
        jump(JEQ, ARCH, 1, 0),
        // System calls of 32-bit programs: other numbers and other arguments.
        plain(RETURN, Action::KillProcess.code()),
        plain(LOAD, NR),
    ];
    if let Some(first) = rules.unknown_from {
        program.push(jump(JGE, first, 0, 1));
        program.push(plain(RETURN, Action::Errno(libc::ENOSYS as u16).code()));
    }
    for (number, rules) in &rules.calls {
        let mut body = Vec::new();
        // After one without conditions nothing is reached.
        let certain = rules.iter().position(|rule| rule.conditions.is_empty());
        for rule in &rules[..certain.map_or(rules.len(), |at| at + 1)] {
            let mut tail = vec![plain(RETURN, rule.action.code())];
            for condition in rule.conditions.iter().rev() {
                let mut test = test(condition, tail.len())?;
                test.append(&mut tail);
                tail = test;
            }
            body.append(&mut tail);
        }
        if certain.is_none() {
            body.push(default);
        }
        match u8::try_from(body.len()) {
            Ok(length) => program.push(jump(JEQ, *number, 0, length)),
            Err(_) => {
                program.push(jump(JEQ, *number, 1, 0));
                program.push(plain(JUMP, u32::try_from(body.len()).ok()?));
            }
        }
        program.append(&mut body);
    }
    program.push(default);
    (program.len() <= MAX).then_some(program)
}

/// Where a jump of [`test`] goes.
#[derive(Clone, Copy)]
enum To {
    /// The instruction after it.
    Next,
    /// What follows the test: the condition holds.
    Holds,
    /// Over the `rest` instructions that follow the test.
    Fails,
}

/// The instructions that test a condition, in front of `rest` instructions that are skipped if it does not hold. BPF has
/// 32 bits, so the upper halves are compared first, and the lower ones if those are equal.
fn test(condition: &Condition, rest: usize) -> Option<Vec<Instruction>> {
    use Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    use To::{Fails, Holds, Next};
    let (upper, lower) = (condition.value >> 32, condition.value & 0xffff_ffff);
    let (upper_mask, lower_mask) = (condition.mask >> 32, condition.mask & 0xffff_ffff);
    let offset = ARGS + 8 * u32::from(condition.index);
    // (code, value, if true, if false)
    let upper_tests: &[(u16, To, To)] = match condition.compare {
        Eq => &[(JEQ, Next, Fails)],
        Ne => &[(JEQ, Next, Holds)],
        Gt | Ge => &[(JGT, Holds, Next), (JEQ, Next, Fails)],
        Lt | Le => &[(JGT, Fails, Next), (JEQ, Next, Holds)],
    };
    let lower_test = match condition.compare {
        Eq => (JEQ, Holds, Fails),
        Ne => (JEQ, Fails, Holds),
        Gt => (JGT, Holds, Fails),
        Ge => (JGE, Holds, Fails),
        Lt => (JGE, Fails, Holds),
        Le => (JGT, Fails, Holds),
    };
    enum Step {
        Plain(Instruction),
        Branch(u16, u64, To, To),
    }
    let load = |offset, mask: u64| {
        let mask = u32::try_from(mask).unwrap_or(u32::MAX);
        let masked = (mask != u32::MAX).then_some(Step::Plain(plain(AND, mask)));
        std::iter::once(Step::Plain(plain(LOAD, offset))).chain(masked)
    };
    let branch = |value| move |(code, yes, no): (u16, To, To)| Step::Branch(code, value, yes, no);
    // Little-endian: the lower half comes first.
    let steps: Vec<_> = load(offset + 4, upper_mask)
        .chain(upper_tests.iter().copied().map(branch(upper)))
        .chain(load(offset, lower_mask))
        .chain(std::iter::once(lower_test).map(branch(lower)))
        .collect();
    let length = steps.len();
    let distance = |at: usize, to: To| {
        let after = length - at - 1;
        u8::try_from(match to {
            Next => 0,
            Holds => after,
            Fails => after + rest,
        })
        .ok()
    };
    let resolve = |(at, step)| match step {
        Step::Plain(instruction) => Some(instruction),
        Step::Branch(code, value, yes, no) => Some(jump(
            code,
            u32::try_from(value).ok()?,
            distance(at, yes)?,
            distance(at, no)?,
        )),
    };
    steps.into_iter().enumerate().map(resolve).collect()
}

/// Runs a program as the kernel does: for tests of what cannot be tried out.
#[cfg(test)]
pub(super) fn run(program: &[Instruction], number: u32, args: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend(number.to_ne_bytes());
    data.extend(ARCH.to_ne_bytes());
    data.extend(0_u64.to_ne_bytes());
    args.iter().for_each(|arg| data.extend(arg.to_ne_bytes()));
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let hops = |yes: bool| usize::from(if yes { jt } else { jf });
        match code {
            LOAD => a = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().expect("4 bytes")),
            AND => a &= k,
            RETURN => return k,
            JUMP => at += k as usize,
            JEQ => at += hops(a == k),
            JGT => at += hops(a > k),
            JGE => at += hops(a >= k),
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}
