//! What the guest's console shows, taken apart.
//!
//! `init.sh` marks where each section begins, with the name of its test, and how the test ended. Before that
//! second mark stands what the test printed, and behind it what the kernel's log has got since.

use std::mem;

use super::outcome::{Outcome, Verdict};
use crate::console::Judge;

const MARK: &str = "@rig ";

/// What the kernel begins its complaints with, lock debugging included. Without the rest of an initramfs its modules
/// would be missing, and nobody would know why.
const COMPLAINTS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "Oops",
    "general protection fault",
    "Kernel panic",
    "INFO: task ",
    "INFO: possible ",
    "UBSAN:",
    "Initramfs unpacking failed",
];

/// Whether a line of the kernel's log is a complaint.
pub(crate) fn complains(line: &str) -> bool {
    COMPLAINTS.iter().any(|what| line.contains(what))
}

/// The section before the first test.
const START: &str = "the guest's start";

pub(super) struct Transcript {
    section: Section,
    /// The last mark has been seen.
    ended: bool,
}

#[derive(Default)]
struct Section {
    test: String,
    output: String,
    exit: Option<String>,
    log: String,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Transcript { section: Section::of(START), ended: false }
    }
}

#[expect(refining_impl_trait, reason = "a section has one outcome")]
impl Judge for Transcript {
    fn line(&mut self, line: &str) -> Option<Outcome> {
        let line = line.trim_end();
        let Some((word, rest)) = line.strip_prefix(MARK).map(split) else {
            self.section.add(line);
            return None;
        };
        match word {
            "exit" => {
                // A second one is that of a test whose own mark was lost.
                self.section.exit.get_or_insert_with(|| rest.into());
                None
            }
            "test" => mem::replace(&mut self.section, Section::of(rest)).judge(),
            _ => {
                self.ended = true;
                mem::take(&mut self.section).judge()
            }
        }
    }

    /// Nothing if it came to its end.
    fn close(self) -> Option<Outcome> {
        if self.ended { None } else { self.section.judge() }
    }
}

fn split(mark: &str) -> (&str, &str) {
    mark.split_once(' ').unwrap_or((mark, ""))
}

impl Section {
    fn of(test: &str) -> Self {
        Section { test: test.into(), ..Self::default() }
    }

    fn add(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        let to = if self.exit.is_some() { &mut self.log } else { &mut self.output };
        to.push_str(line);
        to.push('\n');
    }

    /// The guest's start counts only if it went wrong.
    fn judge(self) -> Option<Outcome> {
        let complaint = self.log.lines().find(|line| complains(line));
        let how = match (self.exit.as_deref(), complaint) {
            (None, _) => "the guest ended here".into(),
            (Some("0"), Some(complaint)) => format!("the kernel complains: {complaint}"),
            (Some("137"), _) => "it was killed, for it took too long".into(),
            (Some(exit), _) => format!("exit status {exit}"),
        };
        let succeeded = self.exit.as_deref() == Some("0") && complaint.is_none();
        let said = if succeeded { self.output } else { self.output + &self.log };
        let outcome = Outcome::of(self.test, succeeded, &how, &said);
        (outcome.test != START || outcome.verdict != Verdict::Passed).then_some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::outcome::Verdict, Outcome, Transcript};
    use crate::console::Judge;

    fn outcomes(console: &str) -> Vec<Outcome> {
        let mut transcript = Transcript::new();
        let mut outcomes: Vec<_> =
            console.split('\n').filter_map(|line| transcript.line(line)).collect();
        outcomes.extend(transcript.close());
        outcomes
    }

    fn failed(outcome: &Outcome) -> &str {
        match &outcome.verdict {
            Verdict::Failed(how) => how,
            other => panic!("{other:?}"),
        }
    }

    const START: &str = "SeaBIOS\r\n\r\n@rig exit 0\r\n[    0.1] Linux version 6.12\r\n\r\n";

    #[test]
    fn tests_that_pass_and_that_are_skipped() {
        let console = format!(
            "{START}@rig test vgem::signals\r\nrunning 1 test\r\ntest signals ... ok\r\n\r\n\
             @rig exit 0\r\n[    1.0] noise\r\n\r\n\
             @rig test drm::waits\r\ntest waits ... skipped: waits: /dev/dri is missing: get one\r\n\
             ok\r\n\r\n@rig exit 0\r\n\r\n@rig end\r\n[    2.0] reboot: Power down\r\n"
        );
        let outcomes = outcomes(&console);
        assert_eq!(outcomes.len(), 2, "{outcomes:?}");
        assert_eq!(outcomes[0].test, "vgem::signals");
        assert_eq!(outcomes[0].verdict, Verdict::Passed);
        let why = "/dev/dri is missing: get one";
        assert_eq!(outcomes[1].verdict, Verdict::Skipped(why.into()));
    }

    #[test]
    fn tests_that_fail_say_how() {
        let console = format!(
            "{START}@rig test a::panics\nthread 'panics' panicked at a.rs\n\n@rig exit 101\n\n\
             @rig test a::hangs\ntest hangs ... \n@rig exit 137\n\n@rig end\n"
        );
        let outcomes = outcomes(&console);
        assert_eq!(outcomes.len(), 2, "{outcomes:?}");
        assert!(failed(&outcomes[0]).starts_with("exit status 101\nthread 'panics'"));
        assert!(failed(&outcomes[1]).starts_with("it was killed, for it took too long\n"));
    }

    /// What a failed test says of something that was skipped does not make it a skipped one.
    #[test]
    fn a_test_that_skips_and_fails_has_failed() {
        let console = format!("{START}@rig test a::b\nskipped: x\n@rig exit 101\n@rig end\n");
        assert!(failed(&outcomes(&console)[0]).contains("101"));
    }

    #[test]
    fn complaints_of_the_kernel_fail_the_test_before_them() {
        let console = format!(
            "{START}@rig test a::b\ntest b ... ok\n\n@rig exit 0\n\
             [    9.1] WARNING: CPU: 0 PID: 71 at drivers/dma-buf/dma-fence.c:377\n\
             [    9.2] Call Trace:\n\n@rig test a::c\n\n@rig exit 0\n\n@rig end\n"
        );
        let outcomes = outcomes(&console);
        let how = failed(&outcomes[0]);
        assert!(how.starts_with("the kernel complains: [    9.1] WARNING: CPU: 0"), "{how}");
        assert!(how.contains("Call Trace:"), "{how}");
        assert_eq!(outcomes[1].verdict, Verdict::Passed);
    }

    #[test]
    fn a_lost_mark_makes_no_test_pass() {
        let console = format!("{START}@rig test a::b\n@rig exit 101\n@rig exit 0\n@rig end\n");
        assert!(failed(&outcomes(&console)[0]).contains("101"));
    }

    /// What a test prints is the test's own business.
    #[test]
    fn complaints_in_a_test_are_not_the_kernels() {
        let console = format!("{START}@rig test a::b\nWARNING: x\n\n@rig exit 0\n\n@rig end\n");
        assert_eq!(outcomes(&console)[0].verdict, Verdict::Passed);
    }

    #[test]
    fn a_start_that_goes_wrong_is_a_failure() {
        for console in [
            "SeaBIOS\r\n[    0.9] Kernel panic - not syncing: No working init found\r\n",
            "insmod: can't insert '/modules/00-drm.ko'\n\n@rig exit 1\n\n@rig end\n",
            "\n@rig exit 0\n[    0.5] BUG: kernel NULL pointer dereference\n\n@rig end\n",
            "\n@rig exit 0\n[    6.2] Initramfs unpacking failed: write error\n\n@rig end\n",
            "",
        ] {
            let outcomes = outcomes(console);
            assert_eq!(outcomes.len(), 1, "{console}");
            assert_eq!(outcomes[0].test, super::START);
            failed(&outcomes[0]);
        }
    }

    #[test]
    fn the_test_that_the_guest_ends_in_has_failed() {
        let in_test = "@rig test a::b\n[    3.0] Kernel panic - not syncing: x\n";
        let behind_test = "@rig test a::b\nok\n\n@rig exit 0\n[    3.0] BUG: x\n";
        for console in [in_test, behind_test] {
            let outcomes = outcomes(&format!("{START}{console}"));
            assert_eq!(outcomes.len(), 1, "{outcomes:?}");
            assert!(failed(&outcomes[0]).contains("[    3.0]"), "{outcomes:?}");
        }
    }
}
