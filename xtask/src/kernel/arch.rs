//! What is built for which machine, and how it is started.

use std::{path::Path, process::Command};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Arch {
    /// User Mode Linux: a kernel that is a program
    Um,
    /// A PC, in QEMU
    X86,
}

impl Arch {
    /// Nothing is a module.
    pub(super) fn configuration(self) -> &'static str {
        match self {
            Arch::Um => include_str!("um.config"),
            Arch::X86 => include_str!("x86.config"),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Arch::Um => "um",
            Arch::X86 => "x86",
        }
    }

    /// For the kernel's build.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            // It would otherwise be what the machine is, under another name.
            Arch::Um => &["ARCH=um", "SUBARCH=x86_64"],
            Arch::X86 => &["ARCH=x86_64"],
        }
    }

    /// What is built.
    pub(super) fn target(self) -> &'static str {
        match self {
            Arch::Um => "linux",
            Arch::X86 => "bzImage",
        }
    }

    /// Where it is, from the directory that it is built in.
    pub(super) fn image(self) -> &'static str {
        match self {
            Arch::Um => "linux",
            Arch::X86 => "arch/x86/boot/bzImage",
        }
    }

    /// How many kernels may run side by side.
    pub(super) fn kernels_at_once(self) -> usize {
        match self {
            // Each waits for its timer most of the time.
            Arch::Um => usize::MAX,
            // The emulator never waits.
            Arch::X86 => 1,
        }
    }

    /// Starts what was built in `dir`. It has no disk, runs the suites that match, and ends.
    pub(super) fn command(self, dir: &Path, cpus: u32, suites: &str) -> Command {
        let options = format!("kunit.filter_glob={suites} kunit_shutdown={}", self.end());
        match self {
            Arch::Um => {
                let mut command = Command::new(dir.join(self.image()));
                // More than one CPU there are only with seccomp. The console is what it prints.
                command.args(["mem=1G", "seccomp=on", &format!("ncpus={cpus}")]);
                command.args(["con=none", "con0=fd:0,fd:1", "console=tty"]);
                command.args(options.split(' '));
                command
            }
            Arch::X86 => {
                let mut command = Command::new("qemu-system-x86_64");
                // Emulated even where there is hardware for it: the same everywhere. Its CPUs have a thread each:
                // in turns, as the rig's, they would never meet in a race.
                command.args(["-accel", "tcg,thread=multi", "-m", "2G"]);
                // With five levels of page tables KASAN takes an interrupt's memory for wild while the kernel finds
                // out what its CPU can do.
                command.args(["-cpu", "max,la57=off"]);
                command.args(["-smp", &cpus.to_string(), "-nographic", "-no-reboot", "-kernel"]);
                command
                    .arg(dir.join(self.image()))
                    .args(["-append", &format!("console=ttyS0 panic=-1 {options}")]);
                command
            }
        }
    }

    /// The emulator leaves when its machine resets.
    fn end(self) -> &'static str {
        match self {
            Arch::Um => "halt",
            Arch::X86 => "reboot",
        }
    }
}
