//! The command that is recorded.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus},
};

use rustix::process::{Pid, Signal, kill_process};

use super::error::RecordError;

/// Without a command there is nothing to end.
pub(super) struct Victim(Option<Child>);

impl Victim {
    pub(super) fn start(command: &[OsString]) -> Result<Self, RecordError> {
        let Some((program, args)) = command.split_first() else { return Ok(Victim(None)) };
        let child = Command::new(program).args(args).spawn();
        child
            .map(|child| Victim(Some(child)))
            .map_err(|cause| RecordError::Command { program: program.clone(), cause })
    }

    pub(super) fn has_ended(&mut self) -> Result<bool, RecordError> {
        let Some(child) = &mut self.0 else { return Ok(false) };
        child.try_wait().map(|status| status.is_some()).map_err(RecordError::Wait)
    }

    /// Waits for its end; a signal that ended the recording ends the command, too. Its exit status, as a shell
    /// tells it.
    pub(super) fn end(self, signal: Option<i32>) -> Result<u8, RecordError> {
        let Some(mut child) = self.0 else { return Ok(0) };
        if let Some(signal) = signal.and_then(Signal::from_named_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(Pid::from_child(&child), signal);
        }
        child.wait().map(status_of).map_err(RecordError::Wait)
    }
}

fn status_of(status: ExitStatus) -> u8 {
    let by_signal = || status.signal().map_or(1, |signal| 128 + signal);
    status.code().unwrap_or_else(by_signal) as u8
}
