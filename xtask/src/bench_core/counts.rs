//! Instructions instead of time: they are the same however busy a machine is.
//!
//! Each work is done N times under valgrind's cachegrind, and 2 N times in another run: the difference is N times what it
//! takes, with what has to be made for each anew; what is made once falls out. Compilers, C libraries and architectures give different figures, so that
//! those on record are only compared with figures from the same ones.

use std::{
    collections::BTreeMap,
    env::consts::ARCH,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    shell::{self, Result},
    tools,
};

const RECORD: &str = "benches/results/counts.json";

/// How much more may be: hash tables and allocators are not always in the same state.
const MOST_GROWTH: f64 = 1.03;
/// Of little work, an instruction or two more.
const MOST_MORE: f64 = 2.0;

/// What is on record.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Counts {
    built_with: Toolchain,
    /// Of each work, for one item.
    instructions: BTreeMap<String, f64>,
}

/// What decides about the figures beside the code.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Toolchain {
    architecture: String,
    libc: String,
    rustc: String,
}

pub(crate) fn run(benches: &Path, filter: &str, record: bool) -> Result {
    tools::install(tools::COUNT, "counting instructions")?;
    let now = Counts { built_with: Toolchain::here()?, instructions: count(benches, filter)? };
    let path = shell::root().join(RECORD);
    if record {
        let json = serde_json::to_string_pretty(&now).map_err(|error| error.to_string())?;
        return fs::write(&path, json + "\n").map_err(|error| format!("{RECORD}: {error}"));
    }
    let old = fs::read_to_string(&path).map_err(|error| format!("{RECORD}: {error}"))?;
    let old: Counts = serde_json::from_str(&old).map_err(|error| format!("{RECORD}: {error}"))?;
    let (text, more) = compare(&old, &now);
    print!("{text}");
    if more.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than on record for: {}. If that must be, `cargo xtask bench --counts --record`",
        more.join("; ")
    ))
}

/// Of all work with that in its name.
fn count(benches: &Path, filter: &str) -> Result<BTreeMap<String, f64>> {
    let list = shell::output(Command::new(benches).arg("counted"))?;
    let mut counts = BTreeMap::new();
    for line in list.lines() {
        let parts =
            line.split_once('\t').and_then(|(times, work)| Some((times.parse().ok()?, work)));
        let (times, work): (u64, &str) = parts.ok_or_else(|| format!("no work: {line:?}"))?;
        if work.contains(filter) {
            eprintln!("{work}");
            let [once, twice] = [times, 2 * times].map(|times| instructions(benches, work, times));
            // One of them may be less exact than the other, but neither by a whole item.
            let each = (twice? as f64 - once? as f64) / times as f64;
            counts.insert(work.to_owned(), (each * 100.0).round() / 100.0);
        }
    }
    if counts.is_empty() {
        return Err(format!("no work whose instructions are counted has {filter:?} in its name"));
    }
    Ok(counts)
}

/// Of a whole run.
fn instructions(benches: &Path, work: &str, times: u64) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(benches).args(["once", work, &times.to_string()]).stdout(Stdio::null());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    match total(&printed) {
        Some(total) if output.status.success() => Ok(total),
        _ => Err(format!("{command:?}: {}\n{printed}", output.status)),
    }
}

/// As in `==1234== I   refs:      450,714`.
fn total(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.contains("refs:") && line.contains(" I "))?;
    line.rsplit(':').next()?.trim().replace(',', "").parse().ok()
}

/// What is printed, and the work that takes more.
fn compare(old: &Counts, now: &Counts) -> (String, Vec<String>) {
    let mut text = String::from(" on record        now\n");
    let mut more = Vec::new();
    let mut stale = false;
    let comparable = old.built_with == now.built_with;
    for (work, &count) in &now.instructions {
        let Some(&recorded) = old.instructions.get(work) else {
            text += &format!("         – {count:10.1}            {work}\n");
            more.push(format!("{work} (not on record)"));
            continue;
        };
        let change = (count / recorded - 1.0) * 100.0;
        text += &format!("{recorded:10.1} {count:10.1} {change:+8.1} %  {work}\n");
        let grown = |from: f64, to: f64| to > from * MOST_GROWTH && to > from + MOST_MORE;
        stale |= grown(count, recorded);
        if comparable && grown(recorded, count) {
            more.push(work.clone());
        }
    }
    if !comparable {
        text += &format!(
            "NOT COMPARED: on record are figures of {}, here of {}; `--record` replaces them\n",
            old.built_with.words(),
            now.built_with.words()
        );
    } else if stale {
        text += "fewer than on record: `cargo xtask bench --counts --record` keeps it so\n";
    }
    (text, more)
}

impl Toolchain {
    fn here() -> Result<Self> {
        let first = |text: String| text.lines().next().unwrap_or_default().trim().to_owned();
        let rustc =
            shell::output(Command::new("rustc").current_dir(shell::root()).arg("--version"))?;
        // Where it is not glibc, there is one of it only.
        let libc = shell::output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
        Ok(Toolchain {
            architecture: ARCH.to_owned(),
            libc: libc.map_or_else(|_| "another libc".to_owned(), first),
            rustc: first(rustc),
        })
    }

    fn words(&self) -> String {
        format!("{}, {}, {}", self.rustc, self.libc, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rustc: &str, list: &[(&str, f64)]) -> Counts {
        let toolchain = |text: &str| text.to_owned();
        let built_with = Toolchain {
            architecture: toolchain("x86_64"),
            libc: toolchain("glibc 2.36"),
            rustc: toolchain(rustc),
        };
        let instructions = list.iter().map(|(work, count)| (toolchain(work), *count));
        Counts { built_with, instructions: instructions.collect() }
    }

    #[test]
    fn more_instructions_fail() {
        let old = counts("1.90", &[("make", 400.0), ("ask", 14.0)]);
        let more = |list: &[_]| compare(&old, &counts("1.90", list)).1;
        assert!(more(&[("make", 411.0), ("ask", 16.0)]).is_empty());
        assert_eq!(more(&[("make", 413.0), ("ask", 16.0)]), ["make"]);
        assert_eq!(more(&[("make", 300.0), ("ask", 17.0)]), ["ask"]);
        assert_eq!(more(&[("new", 1.0)]), ["new (not on record)"]);
    }

    #[test]
    fn who_has_made_it_faster_is_told_to_keep_it_so() {
        let old = counts("1.90", &[("make", 400.0)]);
        assert!(compare(&old, &counts("1.90", &[("make", 300.0)])).0.contains("keeps it so"));
        assert!(!compare(&old, &counts("1.90", &[("make", 399.0)])).0.contains("keeps it so"));
    }

    #[test]
    fn another_compiler_is_no_regression() {
        let old = counts("1.90", &[("make", 400.0)]);
        let (text, more) = compare(&old, &counts("1.91", &[("make", 500.0)]));
        assert!(more.is_empty() && text.contains("NOT COMPARED"), "{text}");
    }

    #[test]
    fn totals_are_found() {
        let printed = "==7== Command: x\n==7== \n==7== I   refs:      1,450,714\n";
        assert_eq!(total(printed), Some(1_450_714));
        assert_eq!(total("==7== Process terminating\n"), None);
    }
}
