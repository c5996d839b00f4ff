//! A guest that runs tests: to its end, with what it prints kept and judged.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    rig::outcome::Outcome,
    shell::{self, Result, at},
};

/// Understands what a guest prints.
pub(crate) trait Judge {
    /// The outcomes that the line is the end of.
    fn line(&mut self, line: &str) -> impl IntoIterator<Item = Outcome>;

    /// What is left to say when the guest says no more.
    fn close(self) -> impl IntoIterator<Item = Outcome>;
}

/// How long a guest may run, and the test that fails if it runs longer.
pub(crate) struct Limit {
    pub(crate) after: Duration,
    pub(crate) test: String,
}

/// Runs `command`, which is `guest`, and keeps its console in `log`.
pub(crate) fn run(
    mut command: Command,
    guest: &str,
    limit: Limit,
    log: &Path,
    judge: impl Judge,
) -> Result<Vec<Outcome>> {
    let mut log = File::create(log).map_err(at(log))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let program = Path::new(command.get_program()).display().to_string();
    let mut child = command.spawn().map_err(|error| format!("{program} cannot be run: {error}"))?;
    let console = BufReader::new(child.stdout.take().expect("it is piped"));
    let Limit { after, test } = limit;
    let ends = thread::spawn(move || shell::ends_in_time(&mut child, after));
    let failed = |error| format!("{guest}'s console: {error}");
    let mut outcomes = follow(console, &mut log, judge).map_err(failed)?;
    if !ends.join().expect("waiting does not panic").map_err(failed)? {
        let how = format!("{guest} was ended after {after:.0?}; --timeout allows more");
        outcomes.push(Outcome::failed(test, how));
    }
    Ok(outcomes)
}

/// Reads to the end.
fn follow(
    console: impl BufRead,
    log: &mut File,
    mut judge: impl Judge,
) -> io::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for line in console.split(b'\n') {
        let line = line?;
        log.write_all(&line)?;
        log.write_all(b"\n")?;
        for outcome in judge.line(String::from_utf8_lossy(&line).trim_end()) {
            eprintln!("{outcome}");
            outcomes.push(outcome);
        }
    }
    outcomes.extend(judge.close());
    Ok(outcomes)
}
