//! `dma-fence analyze`: what people, machines and scripts get from it.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Run, Sandbox, add_keys, dma_fence, noise};
use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dma-fence-trace/tests/data");
    data.join(name)
}

fn analyze(args: &[&str], files: &[&Path]) -> Run {
    let sandbox = Sandbox::new();
    let mut command = dma_fence();
    command.arg("analyze").args(args).args(files);
    sandbox.spawn(command).finish()
}

const FREEZE: &str = "kms-freeze.txt.gz";
const END: [&str; 2] = ["--end", "12.717909"];

fn json(args: &[&str], files: &[&Path]) -> (i32, Value) {
    let run = analyze(&[args, &["--json"]].concat(), files);
    (run.status(), run.json())
}

/// The first screen of a frozen desktop names the driver, the waiter and the victim.
#[test]
fn the_first_screen_says_whom_to_blame() {
    let run = analyze(&END, &[&capture(FREEZE)]).failed(1, &[]);
    let text = run.stdout();
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("STUCK: driver sw_sync, timeline nv-prime-ring: fence 3:21"),
        "{text}"
    );
    let screen: Vec<_> = text.lines().take(24).collect();
    let screen = screen.join("\n");
    for words in [
        "kworker/u8:0 (pid 10) has waited 3.46 s for 3:21",
        "vkms/CRTC:45-crtc-0 1:21 → sw_sync/nv-prime-ring 3:21",
        "made by kwin_wayland (pid 48); the display waits for it",
        "last sign of life: 3:20 signaled, 3.47 s before the end, by game (pid 47)",
    ] {
        assert!(screen.contains(words), "{words:?} is not in\n{screen}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_scheduler_chain_names_the_hardware() {
    let run = analyze(&["--threshold", "200ms"], &[&capture("sched-chain-never.txt.gz")]);
    let text = run.failed(1, &[]).stdout();
    let first = text.lines().next().unwrap();
    assert!(first.contains("driver drm_mock_sched, timeline gfx_0.0.0"), "{first}");
    assert!(first.contains("device chain_never.drm-mock-scheduler-0"), "{first}");
    assert!(
        text.contains("drm_sched/sdma0 11:1 → drm_sched/comp_1.0.0 9:2 → drm_sched/gfx_0.0.0 7:2")
    );
}

#[test]
fn what_is_too_young_is_said_to_be_too_young() {
    let run = analyze(&[], &[&capture(FREEZE)]).succeeded();
    let text = run.stdout();
    assert!(text.starts_with("TOO SOON TO TELL"), "{text}");
    assert!(text.contains("--end TIME"), "{text}");
}

#[test]
fn nothing_wrong_is_said_in_a_line() {
    let text = analyze(&[], &[&capture("kms-ok.txt.gz")]).succeeded().stdout();
    assert!(text.starts_with("OK: nothing is stuck, and nothing is late."), "{text}");
}

#[test]
fn late_ones_do_not_fail() {
    let text = analyze(&[], &[&capture("kms-late.txt.gz")]).succeeded().stdout();
    assert!(
        text.starts_with("LATE, but nothing is stuck: driver sw_sync, timeline dgpu-ring"),
        "{text}"
    );
    assert!(text.contains("vkms/CRTC:45-crtc-0 1:15 took 3.02 s because of 3:15"), "{text}");
}

/// The fields that docs/analyze.md promises.
#[test]
fn the_json_has_what_is_promised() {
    let (status, json) = json(&END, &[&capture(FREEZE)]);
    assert_eq!(status, 1);
    for (key, value) in [
        ("schema", 1),
        ("events", 163),
        ("lost", 0),
        ("malformed", 0),
        ("span_ns", 3_898_833_000_i64),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!((&json["stuck"], &json["warnings"]), (&true.into(), &Value::Array(vec![])));
    let fences = json["fences"].as_array().unwrap();
    assert_eq!(fences.len(), 2, "those that are fine only with --all");
    let root = &fences[0];
    for (key, value) in [("context", 3), ("seqno", 21)] {
        assert_eq!(root[key], value);
    }
    for (key, value) in [("driver", "sw_sync"), ("timeline", "nv-prime-ring"), ("verdict", "never")]
    {
        assert_eq!(root[key], value);
    }
    assert_eq!(root["root"], true);
    assert_eq!(root["init_ns"], 9_251_955_000_u64);
    assert!(root["signaled_ns"].is_null() && root["late_ns"].is_null());
    let waiter = &root["waiters"][0];
    assert_eq!((&waiter["comm"], &waiter["pid"]), (&"kworker/u8:0".into(), &10.into()));
    assert_eq!(waiter["since_ns"], 9_259_670_000_u64);
    assert_eq!(waiter["waited_ns"], 3_458_239_000_u64);
    let victim = &fences[1];
    assert_eq!(victim["root"], false);
    let blame = &victim["blamed_on"][0];
    assert_eq!((&blame["context"], &blame["seqno"]), (&3.into(), &21.into()));
    assert_eq!(blame["because"], "display");
    let timeline = &json["timelines"][0];
    for key in ["driver", "timeline", "context", "fences", "p50_ns", "p99_ns", "max_ns"] {
        assert!(!timeline[key].is_null(), "{key}: {timeline}");
    }
}

#[test]
fn help_documents_every_json_field() {
    let sandbox = Sandbox::new();
    let bad = sandbox.file("bad", b"dma_fence_init: rubbish\n");
    let mut found = BTreeSet::new();
    for files in [
        &[&*capture("sched-chain-never.txt.gz"), &bad][..],
        // Somebody waits, and somebody has enabled signaling.
        &[&capture("sw-never-mixed.txt.gz")],
        &[&bad],
    ] {
        add_keys(&json(&["--all"], files).1, &mut found);
    }
    for key in ["hardware", "waited_ns", "because", "problem", "exit_status"] {
        assert!(found.contains(key), "these traces have no {key}");
    }
    let help = analyze(&["--help"], &[]).succeeded().stdout();
    assert!(help.contains("made, signaled, waited for or asked for"), "as --pid does it: {help}");
    assert!(help.contains("--all, --html, --perfetto and several files keep all fences"), "{help}");
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c));
    let words: BTreeSet<&str> = words.collect();
    for key in found {
        assert!(words.contains(&*key), "{key} is not documented");
    }
}

#[test]
fn all_fences_only_if_asked_for() {
    let (_, json) = json(&["--all"], &[&capture("kms-ok.txt.gz")]);
    let fences = json["fences"].as_array().unwrap();
    assert_eq!(fences.len() as u64, json["verdicts"]["ok"].as_u64().unwrap());
    assert!(fences.iter().all(|fence| fence["verdict"] == "ok"));
}

#[test]
fn standard_input_packed_and_damaged() {
    let packed = fs::read(capture(FREEZE)).unwrap();
    let text = analyze_stdin(&["--json", "-"], &packed);
    assert_eq!(text["events"], 163);
    let cut = analyze_stdin(&["--json", "-"], &packed[..packed.len() / 2]);
    assert!(cut["events"].as_u64().unwrap() > 10, "{cut}");
    let warning = cut["warnings"][0].as_str().unwrap();
    assert!(warning.contains("standard input is damaged or cut off"), "{warning}");
}

fn analyze_stdin(args: &[&str], input: &[u8]) -> Value {
    let mut command = dma_fence();
    command.arg("analyze").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

/// What `cat per_cpu/cpu0/trace` and the others give.
#[test]
fn files_of_one_trace_in_any_order() {
    let sandbox = Sandbox::new();
    let run = Command::new("gzip").arg("-dc").arg(capture("kms-ok.txt.gz")).output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let cpu = |cpu: &str| {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(cpu)).collect();
        lines.join("\n") + "\n"
    };
    let first = sandbox.file("cpu0", cpu("[000]").as_bytes());
    let second = sandbox.file("cpu1", cpu("[001]").as_bytes());
    let (_, whole) = json(&[], &[&capture("kms-ok.txt.gz")]);
    for files in [[&first, &second], [&second, &first]] {
        let (status, json) = json(&[], &files.map(|file| &**file));
        assert_eq!((status, &json["verdicts"]), (0, &whole["verdicts"]));
        assert_eq!(json["timelines"], whole["timelines"]);
    }
}

/// However long after its end the beginning of a fence is read.
#[test]
fn files_of_a_long_trace() {
    let sandbox = Sandbox::new();
    let event = |cpu: u32, step: &str, n: u32, part: u32| {
        let names = "driver=gpu timeline=gfx context=5";
        format!("a-7 [00{cpu}] ..... {n}.00000{part}: dma_fence_{step}: {names} seqno={n}\n")
    };
    let init: String = (1..5000).map(|n| event(0, "init", n, 0)).collect();
    let signaled: String = (1..5000).map(|n| event(1, "signaled", n, 7)).collect();
    let init = sandbox.file("cpu0", init.as_bytes());
    let signaled = sandbox.file("cpu1", signaled.as_bytes());
    let (status, json) = json(&[], &[&signaled, &init]);
    assert_eq!((status, &json["verdicts"]["ok"]), (0, &4999.into()));
    assert_eq!(json["timelines"][0]["p99_ns"], 7000);
}

#[test]
fn who_waits_longest_is_told_first() {
    let sandbox = Sandbox::new();
    let names = "driver=gpu timeline=gfx context=5";
    let text = format!(
        "a-7 [000] ..... 1.000000: dma_fence_init: {names} seqno=1\n\
         a-7 [000] ..... 1.100000: dma_fence_init: {names} seqno=2\n\
         long-8 [000] ..... 1.200000: dma_fence_wait_start: {names} seqno=2\n\
         short-9 [000] ..... 3.000000: dma_fence_wait_start: {names} seqno=1\n"
    );
    let file = sandbox.file("waits", text.as_bytes());
    let text = analyze(&["--end", "9"], &[&file]).failed(1, &[]).stdout();
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{text}"));
    assert!(at("long (pid 8) has waited 7.80 s") < at("short (pid 9) has waited 6.00 s"));
}

/// Nobody is stuck: whether that is so was once asked again for each who waits, which took minutes.
#[test]
fn very_many_who_wait_take_no_longer_each() {
    let sandbox = Sandbox::new();
    let event = |step: &str, names: &str, context: u32| {
        format!("a-7 [000] ..... 1.000000: dma_fence_{step}: {names} context={context} seqno=1\n")
    };
    let took = |waiters: u32| {
        let mut text = event("init", "driver=gpu timeline=gfx", 5);
        for context in 10..10 + waiters {
            let array = "driver=dma_fence_array timeline=unbound";
            text += &(event("init", array, context) + &event("enable_signal", array, context));
        }
        let run = analyze(&[], &[&sandbox.file("many", text.as_bytes())]).succeeded();
        let shown = run.stdout();
        assert!(shown.contains(&format!("and {waiters} fences wait for it")), "{shown}");
        run.took
    };
    let (few, many) = (took(3_000), took(30_000));
    assert!(many < 40 * few, "{few:?}, {many:?}");
}

#[test]
fn malformed_lines_are_counted_and_shown() {
    let sandbox = Sandbox::new();
    let text = "\
        a-7 [000] ..... 1.000000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1\n\
        dma_fence_init: rubbish\n\
        \0\u{1}\u{2}\n\
        a-7 [000] ..... 1.100000: dma_fence_init: driver=gpu\n";
    let file = sandbox.file("bad.txt", text.as_bytes());
    let (_, json) = json(&[], &[&file]);
    assert_eq!((&json["events"], &json["malformed"]), (&1.into(), &2.into()));
    assert_eq!(json["malformed_lines"][0]["line"], 2);
    let shown = analyze(&[], &[&file]).stdout();
    assert!(shown.contains("2 lines make no sense"), "{shown}");
    assert!(shown.contains("line 2: an event, but not when and by whom"), "{shown}");
    let other = sandbox.file("other.txt", text.as_bytes());
    let shown = analyze(&[], &[&file, &other]).stdout();
    assert!(shown.contains(&format!("{}, line 2", other.display())), "{shown}");
}

#[test]
fn what_is_no_trace_is_refused() {
    let sandbox = Sandbox::new();
    let noise = sandbox.file("noise", &noise(50_000));
    analyze(&[], &[&noise]).failed(2, &["no event was understood", "noise"]);
    let empty = sandbox.file("empty", b"");
    analyze(&[], &[&empty]).failed(2, &["empty"]);
    analyze(&[], &[&sandbox.path("missing")]).failed(2, &["missing", "No such file"]);
    analyze(&[], &[&sandbox.path("")]).failed(2, &["is a directory"]);
    analyze(&[], &[]).failed(2, &["FILE"]);
    let counter =
        "a-7 [000] ..... 123456789: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1\n";
    let file = sandbox.file("counter", counter.as_bytes());
    analyze(&[], &[&file]).failed(2, &["line 1", "not in seconds"]);
    let with_header =
        format!("# tracer: nop\n# entries-in-buffer/entries-written: 1/1   #P:2\n{counter}");
    for (name, trace) in [("counted", &with_header), ("tabs", &with_header.replace(' ', "\t"))] {
        let file = sandbox.file(name, trace.as_bytes());
        analyze(&[], &[&file]).failed(2, &["3 lines, of which 1 look like events"]);
    }
    let (status, json) = json(&[], &[&noise]);
    assert_eq!((status, &json["error"]["kind"]), (2, &"input".into()));
    let which = format!("(line 1 of '{}': ", file.display());
    analyze(&[], &[&noise, &file]).failed(2, &[&which]);
    let nothing = analyze_stdin(&["--json", "-"], b"a shopping list\n");
    let message = nothing["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("no event was understood in standard input: "), "{message}");
}

#[test]
fn a_trace_without_fences_is_no_error() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("idle", b"# tracing ended at 12.000000\n");
    let run = analyze(&[], &[&file]).succeeded();
    assert!(run.stdout().starts_with("No fences"), "{}", run.stdout());
    assert!(run.stderr().contains("was dma_fence:* enabled"), "{}", run.stderr());
}

#[test]
fn filters_say_that_there_is_more() {
    let file = capture(FREEZE);
    let shown = analyze(&["--end", "12.7", "--timeline", "vkms"], &[&file]).failed(1, &[]).stdout();
    assert!(shown.starts_with("STUCK: driver sw_sync"), "the reason stays: {shown}");
    let shown = analyze(&["--end", "12.7", "--pid", "999"], &[&file]).succeeded().stdout();
    assert!(shown.contains("2 other fences are"), "{shown}");
    let (_, json) = json(&["--end", "12.7", "--pid", "10"], &[&file]);
    assert_eq!(json["fences"].as_array().unwrap().len(), 1);
}

#[test]
fn names_do_not_reach_the_terminal_as_they_are() {
    let sandbox = Sandbox::new();
    let text = "a\u{1b}]0;x-7 [000] ..... 1.000000: dma_fence_init: driver=gpu timeline=g\u{1b}[2Jx context=5 seqno=1\n";
    let other = text.replace("[2Jx context=5 seqno=1", "[2Jy context=5 seqno=2");
    let file = sandbox.file("names", (text.to_owned() + &other).as_bytes());
    let shown = analyze(&["--end", "9", "--all"], &[&file]).failed(1, &[]).stdout();
    assert!(!shown.contains('\u{1b}') && shown.contains("g\\u{1b}[2Jx"), "{shown}");
    assert!(shown.contains("and gpu/g\\u{1b}[2Jy later"), "{shown}");
}

#[test]
fn pages_are_written_whole_or_not_at_all() {
    let sandbox = Sandbox::new();
    let (html, perfetto) = (sandbox.path("page.html"), sandbox.path("trace.json"));
    let file = sandbox.file("trace.gz", &fs::read(capture(FREEZE)).unwrap());
    let pages = ["--html", html.to_str().unwrap(), "--perfetto", perfetto.to_str().unwrap()];
    analyze(&pages, &[&file]).succeeded();
    let page = fs::read_to_string(&html).unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains("nv-prime-ring"),
        "{}",
        &page[..200]
    );
    let trace: Value = serde_json::from_slice(&fs::read(&perfetto).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 80);
    assert_eq!(sandbox.temporary_file(), None);
    // Pages show what is fine, too; the object only if it is asked for.
    let (_, object) = json(&pages, &[&file]);
    assert_eq!(object["fences"].as_array().unwrap().len(), 2);

    let same = file.to_str().unwrap();
    analyze(&["--html", same], &[&file]).failed(2, &["--html", "one of the files to analyze"]);
    assert!(fs::read(&file).unwrap().starts_with(&[0x1f, 0x8b]), "it is as it was");
    let nowhere = sandbox.path("no/such/page.html");
    let nowhere = ["--html", nowhere.to_str().unwrap()];
    analyze(&nowhere, &[&file]).failed(2, &["cannot write", "no/such/page.html"]);
    analyze(&["--html", "/dev/full"], &[&file]).failed(2, &["cannot write '/dev/full'"]);
}

#[test]
fn links_stay_links_and_devices_devices() {
    let sandbox = Sandbox::new();
    let file = capture(FREEZE);
    let page = sandbox.file("page.html", b"old");
    symlink("page.html", sandbox.path("link")).unwrap();
    symlink("new.html", sandbox.path("dangling")).unwrap();
    symlink("/dev/full", sandbox.path("full")).unwrap();
    let html = |name: &str| analyze(&["--html", sandbox.path(name).to_str().unwrap()], &[&file]);
    html("link").succeeded();
    html("dangling").succeeded();
    html("full").failed(2, &["cannot write", "full"]);
    for name in ["link", "dangling", "full"] {
        assert!(sandbox.path(name).is_symlink(), "{name}");
    }
    for page in [page, sandbox.path("new.html")] {
        assert!(fs::read(page).unwrap().starts_with(b"<!doctype html>"));
    }
    // What /dev/stdout is: a link to a link to a pipe.
    symlink("/proc/self/fd/1", sandbox.path("stdout")).unwrap();
    let shown = html("stdout").succeeded().stdout();
    assert!(shown.contains("<!doctype html>"), "{shown}");
    assert!(sandbox.path("stdout").is_symlink());
}

#[test]
fn pages_do_not_overwrite_each_other_or_what_is_read() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("trace.gz", &fs::read(capture(FREEZE)).unwrap());
    let page = sandbox.path("page");
    fs::create_dir(sandbox.path("dir")).unwrap();
    let around = sandbox.path("dir/../page");
    let both = ["--html", page.to_str().unwrap(), "--perfetto", around.to_str().unwrap()];
    analyze(&both, &[&file]).failed(2, &["--html and --perfetto are both"]);
    assert!(!page.exists());

    let (_, json) = json(&["--html", "-"], &[&file]);
    assert_eq!(json["error"]["kind"], "usage");
    analyze(&["--perfetto", "-"], &[&file]).failed(2, &["--perfetto needs a file"]);

    let before = fs::read(&file).unwrap();
    let mut command = dma_fence();
    command.args(["analyze", "-", "--html"]).arg(&file).stdin(fs::File::open(&file).unwrap());
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("is one of the files to analyze"), "{message}");
    assert_eq!(output.status.code(), Some(2));
    assert!(fs::read(&file).unwrap() == before, "it is as it was");
}

#[test]
fn a_page_says_what_is_wrong_with_the_trace() {
    let sandbox = Sandbox::new();
    let packed = fs::read(capture(FREEZE)).unwrap();
    let file = sandbox.file("cut.gz", &packed[..packed.len() / 2]);
    let page = sandbox.path("page.html");
    analyze(&["--html", page.to_str().unwrap()], &[&file]);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("cut.gz' is damaged or cut off"), "{}", &page[page.len() - 20_000..]);
}

/// A copy that loses a producer on purpose, traced by the library itself.
#[test]
fn the_lost_producer_of_a_copy_is_blamed() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(5 << 20));
    let (copy, events) = (sandbox.path("copy"), sandbox.path("events"));
    let args =
        ["--trace-events", events.to_str().unwrap(), "--inject", "lost-producer=7", "--json"];
    let failed = sandbox.copy(&source, &copy, &args).failed(4, &[]);
    let fence = failed.json()["error"]["fence"].as_str().unwrap().to_owned();
    let (driver, rest) = fence.split_once(' ').unwrap();
    let (timeline, id) = rest.split_once(' ').unwrap();

    let run = analyze(&[], &[&events]).failed(1, &[]);
    let first = run.stdout().lines().next().unwrap().to_owned();
    let blame = format!("driver {driver}, timeline {timeline}: fence {id} lost its producer");
    assert!(first.starts_with("STUCK: ") && first.contains(&blame), "{first}\n{fence}");
    let (_, json) = json(&[], &[&events]);
    let lost = &json["fences"][0];
    assert_eq!((&lost["verdict"], &lost["root"]), (&"lost".into(), &true.into()));
    assert_eq!(format!("{}:{}", lost["context"], lost["seqno"]), id);
    let fences = json["fences"].as_array().unwrap();
    let arrays: Vec<_> =
        fences.iter().filter(|f| f["verdict"] == "lost" && f["root"] == false).collect();
    assert!(!arrays.is_empty());
    assert!(arrays.iter().all(|array| array["blamed_on"][0]["because"] == "member"), "{arrays:?}");
}
