//! A kernel that runs its tests.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{at, suites::Suites};
use crate::{
    rig::outcome::Outcome,
    shell::{self, Result},
};

/// Runs it to its end, keeps what it prints, and judges that.
pub(super) fn run(
    mut kernel: Command,
    name: &str,
    limit: Duration,
    log: &Path,
) -> Result<Vec<Outcome>> {
    eprintln!("running {name}");
    let mut log = File::create(log).map_err(at(log))?;
    kernel.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = kernel.spawn().map_err(|error| format!("the kernel cannot be run: {error}"))?;
    let console = BufReader::new(child.stdout.take().expect("it is piped"));
    let ends = thread::spawn(move || shell::ends_in_time(&mut child, limit));
    let failed = |error| format!("the kernel's console: {error}");
    let mut outcomes = follow(console, &mut log, name).map_err(failed)?;
    if !ends.join().expect("waiting does not panic").map_err(failed)? {
        let how = format!("the kernel was ended after {limit:.0?}; --timeout allows more");
        outcomes.push(Outcome::failed(format!("{name}: the time limit"), how));
    }
    Ok(outcomes)
}

fn follow(console: impl BufRead, log: &mut File, name: &str) -> io::Result<Vec<Outcome>> {
    let mut suites = Suites::of(name);
    let mut outcomes = Vec::new();
    for line in console.split(b'\n') {
        let line = line?;
        log.write_all(&line)?;
        log.write_all(b"\n")?;
        for outcome in suites.line(String::from_utf8_lossy(&line).trim_end()) {
            eprintln!("{outcome}");
            outcomes.push(outcome);
        }
    }
    outcomes.extend(suites.close());
    Ok(outcomes)
}
