//! A browser with one page, driven by the DevTools protocol.
//!
//! Chromium speaks it on two pipes too, JSON that ends with a zero byte: that needs no socket, no port and no
//! crate, and the browser ends when the pipes do.

use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs, thread};

use dma_fence_trace::html;
use dma_fence_trace::report::Report;
use serde_json::{Value, json};

use crate::picture::Picture;

/// For a browser that hangs; slow machines start one in seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const SIZE: (usize, usize) = (1480, 900);

/// One at a time: what is measured should not measure the others.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Browser {
    child: Child,
    to: Option<PipeWriter>,
    from: Receiver<Value>,
    session: String,
    sent: u64,
    complaints: Vec<String>,
    loaded: bool,
    home: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// A browser that shows `report`. `None` if there is no Chromium here and none is asked for.
    pub(crate) fn show(report: &Report) -> Option<Self> {
        let mut browser = Self::start()?;
        browser.open(report);
        Some(browser)
    }

    /// Replaces the page.
    pub(crate) fn open(&mut self, report: &Report) {
        let path = self.home.join("page.html");
        let file = io::BufWriter::new(fs::File::create(&path).expect("a file for the page"));
        html::write(report, "some trace.txt", &[], file).expect("the page is written");
        self.loaded = false;
        self.send("Page.navigate", json!({ "url": format!("file://{}", path.display()) }));
        while !self.loaded {
            self.receive();
        }
        // The first frame.
        self.frame();
    }

    fn start() -> Option<Self> {
        let Some(chromium) = chromium() else {
            assert!(
                env::var_os("DMA_FENCE_NEED_CHROMIUM").is_none_or(|need| need != "1"),
                "DMA_FENCE_NEED_CHROMIUM is 1, and there is no chromium"
            );
            // Not by a macro, whose output tests keep to themselves.
            let _ = writeln!(io::stderr(), "SKIPPED: no chromium in PATH, the page is not tested");
            return None;
        };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = env::temp_dir().join(format!("dma-fence-page-{}-{count}", std::process::id()));
        fs::create_dir_all(&home).expect("a folder for the browser");
        let (commands, to) = io::pipe().expect("a pipe");
        let (from, answers) = io::pipe().expect("a pipe");
        // It wants descriptors 3 and 4, which only a shell gives without unsafe code.
        let child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#])
            .arg(chromium)
            .args([
                "--headless",
                "--remote-debugging-pipe",
                // Its sandbox does not work as root, and the page is ours.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
            ])
            .arg(format!("--window-size={},{}", SIZE.0, SIZE.1))
            .arg(format!("--user-data-dir={}", home.display()))
            // For what it would leave in the common one.
            .env("TMPDIR", &home)
            .stdin(Stdio::from(commands))
            .stdout(Stdio::from(answers))
            .spawn()
            .expect("a shell");
        let mut browser = Self {
            child,
            to: Some(to),
            from: listen(from),
            session: String::new(),
            sent: 0,
            complaints: Vec::new(),
            loaded: false,
            home,
            _turn: turn,
        };
        let target = browser.send("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.send("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.send(domain, json!({}));
        }
        browser.resize(SIZE, 1);
        browser.theme("light");
        Some(browser)
    }

    /// Sends a command, and waits for its answer.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let to = self.to.as_mut().expect("it is open");
        to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut answer = self.receive();
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
        }
    }

    /// The next message; events are kept.
    fn receive(&mut self) -> Value {
        let message = self.from.recv_timeout(PATIENCE).expect("the browser answers");
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => {
                self.complaints.push(params["exceptionDetails"].to_string());
            }
            "Runtime.consoleAPICalled" => self.complaints.push(params["args"].to_string()),
            "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
            _ => {}
        }
        message
    }

    /// Fails if anything was thrown or printed since the beginning.
    pub(crate) fn assert_silent(&mut self) {
        self.frame();
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }

    /// The value of an expression, awaited.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.send("Runtime.evaluate", params);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].take()
    }

    /// The text of what is found first, as a person sees it; empty if it is hidden.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!(
            "(found => found?.checkVisibility() ? found.innerText : '')\
             (document.querySelector({selector:?}))"
        ));
        text.as_str().expect("text").to_owned()
    }

    /// Lets it draw what it has to.
    pub(crate) fn frame(&mut self) {
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
    }

    /// Left, top, right and bottom of an element.
    pub(crate) fn place(&mut self, selector: &str) -> [usize; 4] {
        let edges = self.value(&format!(
            "(({{ left, top, right, bottom }}) => [left, top, right, bottom])\
             (document.querySelector({selector:?}).getBoundingClientRect())"
        ));
        [0, 1, 2, 3].map(|i| edges[i].as_f64().expect("a number") as usize)
    }

    pub(crate) fn mouse(&mut self, kind: &str, (x, y): (usize, usize), buttons: u32) {
        let button = if kind == "mouseMoved" && buttons == 0 { "none" } else { "left" };
        let params = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
        self.send("Input.dispatchMouseEvent", params);
        // Moves reach the page with the next frame.
        self.frame();
    }

    pub(crate) fn click(&mut self, at: (usize, usize)) {
        self.mouse("mouseMoved", at, 0);
        self.mouse("mousePressed", at, 1);
        self.mouse("mouseReleased", at, 0);
    }

    pub(crate) fn wheel(&mut self, (x, y): (usize, usize), by: i32) {
        let params = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": by });
        self.send("Input.dispatchMouseEvent", params);
        self.frame();
    }

    /// Presses a key by its name: a character, or `Enter`, `Escape`, `Tab`, `ArrowLeft`, ….
    pub(crate) fn key(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            one if one.chars().count() == 1 => one,
            _ => "",
        };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            _ => 0,
        };
        let down =
            json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.send("Input.dispatchKeyEvent", down);
        self.send(
            "Input.dispatchKeyEvent",
            json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }),
        );
        self.frame();
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.send("Input.insertText", json!({ "text": text }));
        self.frame();
    }

    /// A window of another size, on a screen with so many pixels in each of the style's.
    pub(crate) fn resize(&mut self, (width, height): (usize, usize), scale: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false });
        self.send("Emulation.setDeviceMetricsOverride", size);
        self.frame();
    }

    /// Light or dark.
    pub(crate) fn theme(&mut self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.send("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    pub(crate) fn screenshot(&mut self, name: &str) -> Picture {
        self.frame();
        let answer = self.send("Page.captureScreenshot", json!({ "format": "png" }));
        let (picture, png) = Picture::new(answer["data"].as_str().expect("a picture"));
        if let Some(folder) = env::var_os("DMA_FENCE_SCREENSHOTS") {
            let path = PathBuf::from(folder).join(format!("{name}.png"));
            fs::write(path, png).expect("the picture is kept");
        }
        picture
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when nobody can command it any more; a test that failed does not wait for that.
        self.to = None;
        if thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        // Its helpers may still write for a moment.
        for _ in 0..50 {
            if fs::remove_dir_all(&self.home).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn listen(from: PipeReader) -> Receiver<Value> {
    let (to, messages) = mpsc::channel();
    thread::spawn(move || {
        for message in BufReader::new(from).split(0).map_while(Result::ok) {
            let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
            if to.send(message).is_err() {
                break;
            }
        }
    });
    messages
}

fn chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
        })
        .find(|path| path.is_file())
}
