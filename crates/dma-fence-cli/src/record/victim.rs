//! The command that is recorded.

use std::{
    ffi::OsString,
    io,
    os::fd::AsFd,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::error::RecordError;
use crate::interrupt::Interrupt;

/// How long nobody looks whether the command has ended.
const TICK: Duration = Duration::from_millis(20);

/// Without a command there is nothing to end.
pub(super) struct Victim(Option<Child>);

/// Where the command's standard output goes.
#[derive(Clone, Copy)]
pub(super) enum Stdout {
    Ours,
    /// To standard error: ours is the trace's.
    Stderr,
}

impl Victim {
    pub(super) fn start(command: &[OsString], stdout: Stdout) -> Result<Self, RecordError> {
        let Some((program, args)) = command.split_first() else { return Ok(Victim(None)) };
        let cannot = |cause| RecordError::Command { program: program.clone(), cause };
        let mut command = Command::new(program);
        if let Stdout::Stderr = stdout {
            let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(cannot)?;
            command.stdout(Stdio::from(stderr));
        }
        command.args(args).spawn().map(|child| Victim(Some(child))).map_err(cannot)
    }

    pub(super) fn has_ended(&mut self) -> Result<bool, RecordError> {
        let Some(child) = &mut self.0 else { return Ok(false) };
        child.try_wait().map(|status| status.is_some()).map_err(RecordError::Wait)
    }

    /// Waits for its end; a signal that ended the recording ends the command, too, and another one ends it if
    /// it does not want to. Its exit status, as a shell tells it.
    pub(super) fn end(
        mut self,
        signal: Option<i32>,
        interrupt: &Interrupt,
    ) -> Result<u8, RecordError> {
        let Some(mut child) = self.0.take() else { return Ok(0) };
        if let Some(signal) = signal.and_then(Signal::from_named_raw) {
            kill(&child, signal);
        }
        loop {
            if let Some(status) = child.try_wait().map_err(RecordError::Wait)? {
                return Ok(status_of(status));
            }
            if interrupt.take().is_some() {
                kill(&child, Signal::KILL);
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // The recording has failed, and nobody will wait for the command: it must not go on behind the shell's
        // back.
        if let Some(child) = &self.0 {
            kill(child, Signal::TERM);
        }
    }
}

/// A process that has ended meanwhile keeps its number until it is waited for.
fn kill(child: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(child), signal);
}

fn status_of(status: ExitStatus) -> u8 {
    let by_signal = || status.signal().map_or(1, |signal| 128 + signal);
    status.code().unwrap_or_else(by_signal) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Instant};

    #[test]
    fn a_command_does_not_outlive_a_recording_that_fails() {
        let command = ["sleep", "1000"].map(OsString::from);
        let victim = Victim::start(&command, Stdout::Ours).unwrap();
        let pid = victim.0.as_ref().unwrap().id();
        drop(victim);
        // Until it is waited for, which nobody does, it is a zombie.
        let runs = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|state| state.starts_with(['S', 'R', 'D']))
        };
        let begin = Instant::now();
        while runs() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
            thread::sleep(TICK);
        }
    }
}
