//! `dma-fence watch` in a terminal, and where there is none.

mod program;

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use program::{BIN, LIMIT, dma_fence, ended};
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

/// The worker of a display waits for a fence of another device, which does not signal.
const FROZEN: &str = "\
  compositor-48 [000] .....     9.000000: dma_fence_init: driver=gpu timeline=ring-ok context=3 seqno=1
  compositor-48 [000] .....     9.010000: dma_fence_signaled: driver=gpu timeline=ring-ok context=3 seqno=1
  compositor-48 [000] .....     9.020000: dma_fence_init: driver=gpu timeline=ring-stuck context=7 seqno=1
  compositor-48 [000] .....     9.030000: dma_fence_init: driver=vkms timeline=CRTC:45-crtc-0 context=1 seqno=1
    kworker/0:1-10 [001] .....     9.040000: dma_fence_wait_start: driver=gpu timeline=ring-stuck context=7 seqno=1
# tracing ended at 20.000000
";

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    fn frozen(&self) -> PathBuf {
        let path = self.0.path().join("frozen.trace");
        fs::write(&path, FROZEN).unwrap();
        path
    }
}

fn watch(args: &[&str]) -> Command {
    let mut command = dma_fence();
    command.arg("watch").args(args);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command
}

/// The ends of a pseudo-terminal: whoever types and looks has the first one.
fn pair() -> (OwnedFd, OwnedFd) {
    let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&control).unwrap();
    unlockpt(&control).unwrap();
    let name = ptsname(&control, Vec::new()).unwrap();
    let terminal =
        rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .unwrap();
    let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    (control, terminal)
}

/// A terminal with the command in it.
struct Terminal {
    keys: File,
    terminal: OwnedFd,
    modes: Termios,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Until its end is waited for.
    child: Option<Child>,
}

impl Terminal {
    fn start(args: &[&str]) -> Self {
        let (control, terminal) = pair();
        let modes = tcgetattr(&terminal).unwrap();
        let side = || Stdio::from(terminal.try_clone().unwrap());
        let child = watch(args).stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let keys = File::from(control);
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        thread::spawn({
            let (mut screen, shown) = (keys.try_clone().unwrap(), shown.clone());
            move || {
                let mut bytes = [0; 4096];
                while let Ok(len @ 1..) = screen.read(&mut bytes) {
                    shown.lock().unwrap().extend_from_slice(&bytes[..len]);
                }
            }
        });
        Terminal { keys, terminal, modes, shown, child: Some(child) }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits for a word: of what has changed only that is drawn.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        self.wait_for_after(0, text);
    }

    #[track_caller]
    fn wait_for_after(&self, place: usize, text: &str) {
        let begin = Instant::now();
        while !self.shown()[place..].contains(text) {
            assert!(begin.elapsed() < LIMIT, "no {text:?} in {:?}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.terminal, size).unwrap();
        // It is not the one that the terminal belongs to, which the kernel would tell.
        self.signal(Signal::WINCH);
    }

    /// Waits for its end: its status. The terminal must be as it was.
    #[track_caller]
    fn end(mut self) -> (Option<i32>, String) {
        let mut child = self.child.take().expect("it is taken here only");
        let status = ended(&mut child).unwrap_or_else(|| panic!("it hangs: {:?}", self.shown()));
        let modes = tcgetattr(&self.terminal).unwrap();
        assert_eq!(format!("{modes:?}"), format!("{:?}", self.modes));
        // Back from the second screen, with a cursor.
        self.wait_for("\x1b[?1049l");
        self.wait_for("\x1b[?25h");
        (status.code(), self.shown())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Of a test that has failed.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }
}

#[test]
fn q_ends_it_and_the_terminal_is_as_it_was() {
    let files = Files::new();
    let mut terminal =
        Terminal::start(&["--replay", files.frozen().to_str().unwrap(), "--speed", "max"]);
    terminal.wait_for("ENDED");
    terminal.wait_for("ring-stuck");
    let raw = tcgetattr(&terminal.terminal).unwrap();
    assert_ne!(format!("{raw:?}"), format!("{:?}", terminal.modes), "keys come one by one");
    terminal.press(b"q");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn it_ends_when_its_terminal_has_gone() {
    let files = Files::new();
    let path = files.frozen();
    let args = ["--replay", path.to_str().unwrap(), "--speed", "max"];
    let (keys, terminal) = pair();
    let side = || Stdio::from(terminal.try_clone().unwrap());
    // Not told by a signal.
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" HUP; exec "$0" watch "$@""#, BIN]).args(args);
    let mut child = command.stdin(side()).stdout(side()).stderr(Stdio::null()).spawn().unwrap();
    let mut screen = File::from(keys);
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("ENDED") {
        let mut bytes = [0; 4096];
        let len = screen.read(&mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..len]);
    }
    drop(screen);
    drop(terminal);
    assert_eq!(ended(&mut child).unwrap().code(), Some(1));
}

#[test]
fn so_it_is_after_an_interrupt_and_a_signal() {
    let files = Files::new();
    let args =
        ["--replay", files.0.path().join("frozen.trace").to_str().unwrap()].map(String::from);
    let args = args.each_ref().map(String::as_str);
    files.frozen();
    let mut terminal = Terminal::start(&args);
    terminal.wait_for("Pending fences");
    terminal.press(b"\x03");
    assert_eq!(terminal.end().0, Some(0));
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let terminal = Terminal::start(&args);
        terminal.wait_for("Pending fences");
        terminal.signal(signal);
        assert_eq!(terminal.end().0, Some(status));
    }
}

#[test]
fn keys_work_and_the_size_may_change() {
    let files = Files::new();
    let mut terminal =
        Terminal::start(&["--replay", files.frozen().to_str().unwrap(), "--speed", "max"]);
    terminal.wait_for("ENDED");
    terminal.press(b"?");
    terminal.wait_for("marks");
    terminal.press(b"x/VKMS\r");
    terminal.wait_for("VKMS");
    let before = terminal.shown().len();
    terminal.resize(40, 5);
    // Everything is drawn anew, and the filter has left one row, which is narrow.
    terminal.wait_for_after(before, "CRTC");
    assert!(!terminal.shown()[before..].contains("ring"), "{:?}", terminal.shown());
    terminal.press(b" nsj\tk+-");
    thread::sleep(Duration::from_millis(50));
    terminal.press(b"\x1b");
    // Alone it is a key only if nothing follows soon.
    thread::sleep(Duration::from_millis(300));
    terminal.press(b"q");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn an_error_is_said_on_a_terminal_that_is_as_it_was() {
    let files = Files::new();
    let path = files.0.path().join("no.trace");
    fs::write(&path, "a shopping list\n").unwrap();
    let terminal = Terminal::start(&["--replay", path.to_str().unwrap()]);
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(1));
    let end = shown.rfind("\x1b[?1049l").unwrap();
    assert!(shown[end..].contains("no.trace has no events of fences"), "{shown:?}");
}

#[test]
fn where_there_is_no_terminal_it_says_what_to_do() {
    let files = Files::new();
    let output = watch(&["--replay", files.frozen().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--once"), "{stderr}");
}

#[test]
fn once_is_the_final_state_as_text() {
    let files = Files::new();
    let output = watch(&["--replay", files.frozen().to_str().unwrap(), "--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("2 stuck  2 pending  11.0 s  ENDED  5 events  0 lost"), "{text}");
    assert!(lines[4].starts_with('!') && lines[4].contains("7:1"), "{text}");
    assert!(lines[5].starts_with('·') && lines[5].contains("7:1, display"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn the_end_of_tracing_may_be_said_from_outside() {
    let files = Files::new();
    let path = files.0.path().join("cut.trace");
    let cut: Vec<&str> = FROZEN.lines().filter(|line| !line.starts_with('#')).collect();
    fs::write(&path, cut.join("\n")).unwrap();
    let path = path.to_str().unwrap();
    for (args, stuck) in
        [(&["--replay", path, "--once"][..], 0), (&["--replay", path, "--once", "--end", "20"], 2)]
    {
        let output = watch(args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(&format!("{stuck} stuck  2 pending")), "{text}");
    }
}

#[test]
fn packed_captures_can_be_replayed_and_a_pipe_too() {
    let data =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../dma-fence-trace/tests/data/kms-freeze.txt.gz");
    let args = ["--replay", data, "--once", "--end", "30"];
    let text = String::from_utf8(watch(&args).output().unwrap().stdout).unwrap();
    let root = text.lines().nth(4).unwrap();
    assert!(root.starts_with('!') && root.contains("nv-prime-ring"), "{text}");

    let mut child = watch(&["--replay", "-", "--once"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(FROZEN.as_bytes()).unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.starts_with("2 stuck"), "{text}");
}

/// There may never be any.
#[test]
fn a_signal_ends_it_while_it_waits_for_a_file() {
    let files = Files::new();
    let fifo = program::fifo(files.0.path());
    let fifo = fifo.to_str().unwrap();
    let begun = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(FROZEN.as_bytes()).unwrap();
        (reader, writer)
    };
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let (_control, terminal) = pair();
        let side = || Stdio::from(terminal.try_clone().unwrap());
        let mut on_terminal = watch(&["--replay", "-"]);
        on_terminal.stdin(side()).stdout(side());
        let mut once = watch(&["--once", "--replay", "-"]);
        let (reader, _writer) = begun();
        once.stdin(reader).stdout(Stdio::null());
        let mut on_fifo = watch(&["--once", "--replay", fifo]);
        on_fifo.stdout(Stdio::null());
        for mut command in [on_terminal, once, on_fifo] {
            let mut child = command.spawn().unwrap();
            program::wait_until_it_waits(&child);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let status = ended(&mut child).unwrap_or_else(|| panic!("{command:?} hangs"));
            assert_eq!(status.signal(), Some(number), "{command:?}");
        }
    }
}

#[test]
fn what_is_no_trace_is_told_with_what_would_be_one() {
    let mut command = watch(&["--once", "--replay", "-"]);
    let output = command.stdin(File::open("/proc/self/status").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    for words in ["standard input has no events of fences", "`trace-cmd report`", "`perf script`"] {
        assert!(message.contains(words), "no {words:?} in: {message}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let output = watch(&["--replay", "/no/such/file", "--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/no/such/file"));
    for wrong in [&["--speed", "2"][..], &["--replay", "x", "--speed", "-1"], &["--seconds", "1"]] {
        assert_eq!(watch(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
}
