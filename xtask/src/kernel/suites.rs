//! What a kernel's own tests print, taken apart.
//!
//! KUnit prints the format KTAP among the kernel's other messages: suites at the margin, their cases four
//! spaces in, and the parameters of a case further in. A case begins where the one before it ends.

use std::mem;

use crate::{
    console::Judge,
    rig::{outcome::Outcome, transcript},
};

const CASE: &str = "    ";

pub(super) struct Suites {
    /// Which kernel it is.
    kernel: String,
    suite: Option<String>,
    /// As announced, and not ended yet.
    suites_left: u32,
    cases_left: u32,
    /// What was printed since a case ended, and whether one of those lines is a complaint.
    said: String,
    complaint: Option<String>,
}

#[expect(refining_impl_trait, reason = "the end of a suite is one line")]
impl Judge for Suites {
    fn line(&mut self, line: &str) -> Vec<Outcome> {
        if transcript::complains(line) {
            self.complaint.get_or_insert_with(|| line.trim().into());
        }
        let result = match line.strip_prefix(CASE) {
            Some(inner) if !inner.starts_with(' ') => self.inner(inner),
            Some(_) => None,
            None => return self.outer(line),
        };
        if result.is_none() {
            self.say(line);
        }
        result.into_iter().collect()
    }

    fn close(mut self) -> Vec<Outcome> {
        if let Some(suite) = self.suite.take() {
            return vec![self.failed(&suite, "the kernel ended here")];
        }
        let missing = match self.suites_left {
            0 => None,
            left => Some(format!("{left} of its suites, or all, have not run")),
        };
        let complaint = self.complaint.take().map(|line| format!("the kernel complains: {line}"));
        let how = missing.or(complaint);
        how.map(|how| self.failed("the kernel's end", &how)).into_iter().collect()
    }
}

impl Suites {
    pub(super) fn of(kernel: &str) -> Self {
        Suites {
            kernel: kernel.into(),
            suite: None,
            suites_left: 0,
            cases_left: 0,
            said: String::new(),
            complaint: None,
        }
    }

    fn inner(&mut self, line: &str) -> Option<Outcome> {
        if let Some(name) = line.strip_prefix("# Subtest: ") {
            self.suite = Some(name.into());
            return None;
        }
        if let Some(count) = plan(line) {
            self.cases_left = count;
            return None;
        }
        let (passed, name, skipped) = result(line)?;
        self.cases_left = self.cases_left.saturating_sub(1);
        let test = format!("{}::{name}", self.suite.as_deref().unwrap_or("?"));
        Some(self.judge(&test, passed, skipped))
    }

    fn outer(&mut self, line: &str) -> Vec<Outcome> {
        if let Some(count) = plan(line) {
            self.suites_left = count;
        }
        let Some((passed, name, _)) = result(line) else {
            self.say(line);
            return Vec::new();
        };
        self.suites_left = self.suites_left.saturating_sub(1);
        self.suite = None;
        match mem::take(&mut self.cases_left) {
            0 if passed && self.complaint.is_none() => Vec::new(),
            // Each of its cases has said so, unless it is the suite that fails.
            0 if self.complaint.is_none() => Vec::new(),
            0 => vec![self.judge(name, passed, None)],
            left => vec![self.failed(name, &format!("{left} of its tests have not run"))],
        }
    }

    fn judge(&mut self, test: &str, passed: bool, skipped: Option<&str>) -> Outcome {
        if let Some(complaint) = self.complaint.take() {
            return self.failed(test, &format!("the kernel complains: {complaint}"));
        }
        if !passed {
            return self.failed(test, "not ok");
        }
        self.said.clear();
        let said = skipped.map(|why| format!("skipped: {why}")).unwrap_or_default();
        Outcome::of(self.named(test), true, "", &said)
    }

    fn failed(&mut self, test: &str, how: &str) -> Outcome {
        let said = mem::take(&mut self.said);
        Outcome::failed(self.named(test), format!("{how}\n{said}"))
    }

    fn named(&self, test: &str) -> String {
        format!("{}: {test}", self.kernel)
    }

    fn say(&mut self, line: &str) {
        self.said.push_str(line);
        self.said.push('\n');
    }
}

/// `1..N`
fn plan(line: &str) -> Option<u32> {
    line.strip_prefix("1..")?.parse().ok()
}

/// `ok 3 name`, `not ok 3 name`, `ok 3 name # SKIP why`: whether, which, and why not.
fn result(line: &str) -> Option<(bool, &str, Option<&str>)> {
    let (passed, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (_, name) = rest.split_once(' ')?;
    Some(match name.split_once(" # SKIP ") {
        Some((name, why)) => (passed, name, Some(why)),
        None => (passed, name, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::outcome::Verdict;

    fn outcomes(console: &str) -> Vec<Outcome> {
        let mut suites = Suites::of("um");
        let mut outcomes: Vec<_> = console.lines().flat_map(|line| suites.line(line)).collect();
        outcomes.extend(suites.close());
        outcomes
    }

    fn how(outcome: &Outcome) -> &str {
        match &outcome.verdict {
            Verdict::Failed(how) => how,
            other => panic!("{}: {other:?}", outcome.test),
        }
    }

    const HEAD: &str = "Linux version 7.3\nKTAP version 1\n1..1\n    KTAP version 1\n    \
                        # Subtest: suite\n    # module: m\n    1..2\n";

    #[test]
    fn cases_and_their_parameters() {
        let outcomes = outcomes(&format!(
            "{HEAD}        KTAP version 1\n        # Subtest: one\n        ok 1 one with 1\n    \
             ok 1 one\nnoise\n    ok 2 two # SKIP needs 2 CPUs\n# suite: pass:1\nok 1 suite\nreboot\n"
        ));
        assert_eq!(outcomes.len(), 2, "{outcomes:?}");
        assert_eq!(outcomes[0].test, "um: suite::one");
        assert_eq!(outcomes[0].verdict, Verdict::Passed);
        assert_eq!(outcomes[1].verdict, Verdict::Skipped("needs 2 CPUs".into()));
    }

    #[test]
    fn a_failure_comes_with_what_was_said() {
        let outcomes = outcomes(&format!(
            "{HEAD}    # one: EXPECTATION FAILED at a.c:3\n    not ok 1 one\n    ok 2 two\nnot ok 1 suite\n"
        ));
        assert!(how(&outcomes[0]).contains("EXPECTATION FAILED at a.c:3"), "{outcomes:?}");
        assert_eq!(outcomes[1].verdict, Verdict::Passed);
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn a_complaint_fails_the_test_it_stands_in() {
        let outcomes = outcomes(&format!(
            "{HEAD}    ok 1 one\nWARNING: possible recursive locking detected\n    ok 2 two\nok 1 suite\n"
        ));
        assert_eq!(outcomes[0].verdict, Verdict::Passed);
        assert!(how(&outcomes[1]).starts_with("the kernel complains: WARNING: possible"));
    }

    #[test]
    fn complaints_outside_of_tests_count() {
        for (console, test) in [
            (format!("BUG: x\n{HEAD}    ok 1 one\n    ok 2 two\nok 1 suite\n"), "um: suite::one"),
            (format!("{HEAD}    ok 1 one\n    ok 2 two\nBUG: x\nok 1 suite\n"), "um: suite"),
            (
                format!("{HEAD}    ok 1 one\n    ok 2 two\nok 1 suite\nBUG: x\n"),
                "um: the kernel's end",
            ),
        ] {
            let outcomes = outcomes(&console);
            let failed = outcomes.iter().find(|outcome| outcome.test == test);
            assert!(how(failed.expect(test)).contains("BUG: x"));
        }
    }

    #[test]
    fn what_has_not_run_has_failed() {
        let dies = outcomes(&format!("{HEAD}    ok 1 one\nKernel panic - not syncing: x\n"));
        assert!(how(&dies[1]).starts_with("the kernel ended here\nKernel panic"), "{dies:?}");
        let lost = outcomes(&format!("{HEAD}    ok 1 one\nok 1 suite\n"));
        assert!(how(&lost[1]).starts_with("1 of its tests have not run"), "{lost:?}");
        let suite = outcomes(HEAD);
        assert_eq!(suite.len(), 1, "{suite:?}");
        let never = outcomes("KTAP version 1\n1..3\nreboot\n");
        assert!(how(&never[0]).starts_with("3 of its suites"), "{never:?}");
    }
}
