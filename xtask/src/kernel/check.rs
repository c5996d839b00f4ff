//! What an object must be for a kernel to link it.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::{
    rig::outcome::Outcome,
    shell::{self, Result},
};

/// Everything between the object and the kernel has a name that begins so.
const PREFIX: &str = "dfa_";

/// What C calls.
const ENTRIES: [&str; 4] = ["dfa_enable", "dfa_on_callback", "dfa_on_work", "dfa_signaled"];

type Check = (&'static str, fn(&Path) -> Result<Vec<String>>);

const CHECKS: [Check; 3] = [
    ("object::it_cannot_panic_and_needs_nothing_but_its_interface", symbols),
    ("object::it_has_no_global_offset_table", relocations),
    ("object::it_uses_no_floating_point", registers),
];

/// Each check is a test.
pub(super) fn all(object: &Path) -> Result<Vec<Outcome>> {
    CHECKS.iter().map(|(name, check)| Ok(judge(name, &check(object)?))).collect()
}

fn judge(name: &str, problems: &[String]) -> Outcome {
    match problems {
        [] => Outcome::of(name.into(), true, "", ""),
        _ => Outcome::failed(name, problems.join("\n")),
    }
}

/// A function that can panic calls one of the library that does; so does arithmetic with floating point, and
/// whatever the compiler makes a call of.
fn symbols(object: &Path) -> Result<Vec<String>> {
    let listed = shell::output(Command::new("nm").arg("--demangle").arg(object))?;
    Ok(judge_symbols(&listed))
}

fn judge_symbols(listed: &str) -> Vec<String> {
    let mut defined = BTreeSet::new();
    let mut problems = Vec::new();
    for line in listed.lines() {
        // Where it is, in 16 columns; its kind; its name, which may have spaces.
        let Some((kind, name)) = line.get(17..).and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        if name.contains("panic") {
            problems.push(format!("it can panic: {name}"));
        } else if kind == "T" {
            defined.insert(name.to_owned());
        } else if !name.starts_with(PREFIX) {
            problems.push(format!("it needs {name}, which is no business of the array's"));
        }
    }
    let entries = ENTRIES.map(String::from).into();
    if defined != entries {
        problems.push(format!("it defines {defined:?}, and C calls {entries:?}"));
    }
    problems
}

/// A kernel has no global offset table.
fn relocations(object: &Path) -> Result<Vec<String>> {
    let listed = shell::output(Command::new("readelf").args(["--relocs", "--wide"]).arg(object))?;
    Ok(judge_relocations(&listed))
}

fn judge_relocations(listed: &str) -> Vec<String> {
    let fields = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let got = fields.filter(|fields| fields.get(2).is_some_and(|kind| kind.contains("GOT")));
    got.map(|fields| format!("it goes through a global offset table: {}", fields.join(" ")))
        .collect()
}

/// The registers of floating point and vectors are the interrupted program's.
fn registers(object: &Path) -> Result<Vec<String>> {
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble", "--no-show-raw-insn"]).arg(object);
    Ok(judge_registers(&shell::output(&mut objdump)?))
}

fn judge_registers(listed: &str) -> Vec<String> {
    const REGISTERS: [&str; 5] = ["%xmm", "%ymm", "%zmm", "%mm", "%st"];
    let uses =
        listed.lines().filter(|line| REGISTERS.iter().any(|register| line.contains(register)));
    uses.map(|line| format!("it uses registers of floating point: {}", line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "                 U dfa_arm\n0000000000000000 T dfa_enable\n\
                        0000000000000000 T dfa_on_callback\n0000000000000000 T dfa_on_work\n\
                        0000000000000010 T dfa_signaled\n";

    #[test]
    fn nothing_but_the_interface_is_defined_or_needed() {
        assert!(judge_symbols(GOOD).is_empty());
        for (more, what) in [
            ("0000000000000000 t core::panicking::panic_bounds_check\n", "can panic"),
            ("0000000000000000 t <a as b>::c\n", "<a as b>::c"),
            ("                 U memcpy\n", "memcpy"),
            ("                 U __adddf3\n", "__adddf3"),
            ("0000000000000000 T main\n", "main"),
            ("0000000000000000 b counter\n", "counter"),
        ] {
            let problems = judge_symbols(&format!("{GOOD}{more}"));
            assert!(problems.iter().any(|problem| problem.contains(what)), "{more}: {problems:?}");
        }
        assert!(!judge_symbols(&GOOD.replace("T dfa_on_work", "U dfa_on_work")).is_empty());
    }

    #[test]
    fn relocations_by_a_table_are_found() {
        let line = |kind| format!("0000000000000015  0000000800000004 {kind} 0 memcpy - 4\n");
        assert!(judge_relocations(&line("R_X86_64_PLT32")).is_empty());
        assert_eq!(judge_relocations(&line("R_X86_64_GOTPCRELX")).len(), 1);
    }

    #[test]
    fn registers_of_floating_point_are_found() {
        assert!(judge_registers("   4:\tmov    %rdi,%rbx\n").is_empty());
        assert_eq!(judge_registers("   4:\tmovups %xmm0,(%rdi)\n   8:\tfld    %st(1)\n").len(), 2);
    }
}
