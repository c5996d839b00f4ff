//! How tests ended.

use std::fmt;

use crate::shell::Result;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) test: String,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// Why: the lines in which the test says so.
    Skipped(String),
    /// How, and what the test and the kernel had to say.
    Failed(String),
}

impl Outcome {
    /// Judges a test by how its process ended and what it printed.
    pub(crate) fn of(test: String, succeeded: bool, how: &str, output: &str) -> Self {
        // libtest's own word may stand before it, and the test's name behind it.
        let own = test.split_once("::").map_or("", |(_, name)| name).to_owned() + ": ";
        let skipped = output.lines().filter_map(|line| Some(line.split_once("skipped: ")?.1));
        let skipped = skipped.map(|why| why.strip_prefix(&own).unwrap_or(why));
        let skipped: Vec<&str> = skipped.collect();
        let verdict = match succeeded {
            false => Verdict::Failed(format!("{how}\n{output}")),
            true if skipped.is_empty() => Verdict::Passed,
            true => Verdict::Skipped(skipped.join("; ")),
        };
        Outcome { test, verdict }
    }

    pub(crate) fn failed(test: impl Into<String>, how: impl Into<String>) -> Self {
        Outcome { test: test.into(), verdict: Verdict::Failed(how.into()) }
    }
}

/// One line, for whoever looks on.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Passed => "ok",
            Verdict::Skipped(_) => "skipped",
            Verdict::Failed(_) => "FAILED",
        };
        write!(f, "{word:7} {}", self.test)
    }
}

/// Prints all that did not pass, then the numbers.
pub(crate) fn report(outcomes: &[Outcome]) -> Result {
    let (mut passed, mut failed) = (0, 0);
    for Outcome { test, verdict } in outcomes {
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Skipped(why) => println!("skipped: {test}: {why}"),
            Verdict::Failed(_) => failed += 1,
        }
    }
    for Outcome { test, verdict } in outcomes {
        if let Verdict::Failed(how) = verdict {
            println!("\nFAILED: {test}: {}", how.trim_end());
        }
    }
    println!("{passed} passed, {failed} failed");
    match (passed, failed) {
        (0, 0) => Err("no test has run".into()),
        (_, 0) => Ok(()),
        _ => Err(format!("{failed} failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, report};

    #[test]
    fn a_failure_counts_and_nothing_at_all_too() {
        let passed = || Outcome::of("a::b".into(), true, "", "ok\n");
        let skipped = || Outcome::of("a::c".into(), true, "", "skipped: c: no device\n");
        assert!(report(&[passed(), skipped()]).is_ok());
        assert!(report(&[passed(), Outcome::failed("a::d", "x")]).is_err());
        assert!(report(&[skipped()]).is_err());
        assert!(report(&[]).is_err());
    }
}
