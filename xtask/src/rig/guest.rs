//! The virtual machine.

use std::{path::Path, process::Command, time::Duration};

use super::{binaries::Test, kernel::Kernel, outcome::Outcome, transcript::Transcript};
use crate::{
    console::{self, Limit},
    shell::{self, Result},
};

/// Boots, runs the tests, and powers off. Tests that the guest did not come to have failed.
pub(super) fn run(
    kernel: &Kernel,
    initramfs: &Path,
    tests: &[Test],
    limit: Duration,
    log: &Path,
) -> Result<Vec<Outcome>> {
    eprintln!("booting");
    let limit = Limit { after: limit, test: "the time limit".into() };
    let command = qemu(kernel, initramfs, "");
    let mut outcomes = console::run(command, "the guest", limit, log, Transcript::new())?;
    let silent = tests.iter().map(Test::to_string);
    let silent: Vec<String> =
        silent.filter(|test| outcomes.iter().all(|outcome| outcome.test != *test)).collect();
    outcomes.extend(silent.into_iter().map(|test| Outcome::failed(test, "it has not run")));
    Ok(outcomes)
}

/// Something that is for the person at this terminal: `shell` or `bench`.
pub(super) fn attended(kernel: &Kernel, initramfs: &Path, what: &str) -> Result {
    // What the kernel does not know becomes a variable of /init.
    shell::run(&mut qemu(kernel, initramfs, &format!("rig={what}")))
}

/// Emulated even where there is hardware for it: the same everywhere.
fn qemu(kernel: &Kernel, initramfs: &Path, option: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    // The two CPUs take turns: with a thread each, the kernel now and then runs into a breakpoint that
    // it has taken away already, where it changes its own code (as it does whenever tracing begins).
    command.args(["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2"]);
    // The initramfs is unpacked in memory, into no more than half of what its archive leaves.
    command.args(["-m", "2G"]);
    command.args(["-device", "virtio-gpu-pci", "-nographic", "-no-reboot"]);
    command.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(initramfs);
    // Silent, for messages among the tests' are nobody's: `init.sh` prints the log between them.
    let console = "console=ttyS0 loglevel=1 log_buf_len=4M panic=-1 mitigations=off";
    command.args(["-append", &format!("{console} {} {option}", kernel.options)]);
    command
}
