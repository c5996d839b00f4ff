//! `dma-fence record` on a real kernel.

mod recording;

use std::{
    cell::RefCell,
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Output, Stdio},
};

use dma_fence_linux::Vgem;
use recording::common::{in_time, or_skip};
use recording::{LIMIT, machine, program, record, settings, tracefs};
use rustix::process::{Pid, Signal, kill_process};

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_a_command_does_is_recorded_and_nothing_else_changed() {
    let Some((_vgem, _dir, file)) = machine() else { return };
    let before = settings();
    // The command is another test, which makes a fence.
    let exe = std::env::current_exe().unwrap();
    let (exe, test) = (exe.to_str().unwrap(), "a_fence_is_made_and_signaled");
    let output = record(&["-o", &file, "--", exe, "--exact", test]).output().unwrap();
    succeeds(&output);
    let text = fs::read_to_string(&file).unwrap();
    for event in ["dma_fence_init: driver=vgem", "dma_fence_signaled: driver=vgem"] {
        assert!(text.contains(event), "no {event} in:\n{text}");
    }
    assert!(text.lines().last().unwrap().starts_with("# tracing ended at "), "{text}");
    assert_eq!(settings(), before);
}

#[test]
fn a_fence_is_made_and_signaled() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (producer, _file) = vgem.new_fence().unwrap();
    producer.signal().unwrap();
}

#[test]
fn the_status_is_that_of_the_command() {
    let Some((_dir, file)) = tracefs() else { return };
    for (script, status) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let output = record(&["-o", &file, "--", "sh", "-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{script}");
    }
    let output = record(&["-o", &file, "--", "/no/such/command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/command"));
}

#[test]
fn it_ends_when_the_time_is_over_or_a_signal_comes() {
    let Some((_dir, file)) = tracefs() else { return };
    let before = settings();
    succeeds(&record(&["-o", &file, "--seconds", "100ms"]).output().unwrap());
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = record(&["-o", &file]).stderr(Stdio::null()).spawn().unwrap();
        // Its handlers come before its buffer.
        in_time(LIMIT, || settings().1 > before.1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(child.wait().unwrap().success(), "what was recorded is there");
        assert_eq!(settings(), before);
    }
}

/// Nobody may ever read it.
#[test]
fn a_signal_ends_it_while_it_waits_for_a_pipe() {
    let Some((dir, _)) = tracefs() else { return };
    let before = settings();
    let fifo = program::fifo(dir.0.path());
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let mut child = record(&["-o", fifo.to_str().unwrap()]).spawn().unwrap();
        program::wait_until_it_waits(&child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = program::ended(&mut child).expect("it does not hang");
        assert_eq!(status.signal(), Some(number));
        assert_eq!(settings(), before);
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let Some((_dir, _)) = tracefs() else { return };
    let before = settings();
    for path in ["/no/such/directory/trace", "/dev/full"] {
        let output = record(&["-o", path, "--seconds", "0.1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(path), "{path}");
        assert_eq!(settings(), before);
    }
}

#[test]
fn a_recording_that_does_not_begin_leaves_an_older_one_alone_and_no_new_one() {
    let Some((_dir, file)) = tracefs() else { return };
    let nothing = record(&["-o", &file, "--", "/no/such/command"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(fs::metadata(&file).is_err(), "an empty recording");
    fs::write(&file, "an older recording").unwrap();
    let output = record(&["-o", &file, "--", "/no/such/command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "an older recording");
    succeeds(&record(&["-o", &file, "--seconds", "0.1"]).output().unwrap());
    assert!(!fs::read_to_string(&file).unwrap().contains("older"));
}

#[test]
fn standard_output_has_the_trace_and_nothing_else() {
    let Some((dir, _)) = tracefs() else { return };
    let mut command = record(&["-o", "-", "--", "echo", "said by the command"]);
    let output = command.current_dir(dir.0.path()).output().unwrap();
    succeeds(&output);
    let (stdout, stderr) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(stdout.lines().last().unwrap().starts_with("# tracing ended at "), "{stdout}");
    assert!(!stdout.contains("said by") && stderr.contains("said by"), "{stdout}{stderr}");
    assert!(!dir.0.path().join("-").exists());
}

#[test]
fn the_next_command_is_named() {
    let Some((_dir, file)) = tracefs() else { return };
    let output = record(&["-o", &file, "--seconds", "0.1"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("dma-fence analyze {file}")), "{stderr}");
}

#[test]
fn a_command_that_does_not_want_to_end_is_killed_by_the_second_signal() {
    let Some((_dir, file)) = tracefs() else { return };
    let before = settings();
    let ready = format!("{file}.ready");
    let script = format!("trap '' INT; : > '{ready}'; while :; do sleep 0.1; done");
    let child = record(&["-o", &file, "--", "sh", "-c", &script]).spawn().unwrap();
    let child = RefCell::new(child);
    in_time(LIMIT, || Path::new(&ready).exists());
    let interrupt = || kill_process(Pid::from_child(&child.borrow()), Signal::INT).unwrap();
    interrupt();
    // Nothing is left of the recording, although the command is there.
    in_time(LIMIT, || settings() == before);
    interrupt();
    in_time(LIMIT, || child.borrow_mut().try_wait().unwrap().is_some());
    assert_eq!(child.into_inner().wait().unwrap().code(), Some(137));
}
