use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::*;
use crate::report::{Job, SCHEMA, Verdicts};

const MS: u64 = 1_000_000;
/// The end of tracing.
const END: u64 = 10_000 * MS;

fn fence(context: u32, seqno: u32, verdict: Verdict) -> Fence {
    Fence {
        context,
        seqno,
        driver: "gpu".to_owned(),
        timeline: "gfx".to_owned(),
        verdict,
        root: true,
        certain: true,
        init_ns: Some(1000 * MS + 1),
        emit_ns: None,
        signaled_ns: None,
        destroyed_ns: None,
        abandoned_ns: None,
        error: None,
        age_ns: 0,
        late_ns: None,
        outlier: false,
        made_by: None,
        signaled_by: None,
        waiters: Vec::new(),
        asked_by: Vec::new(),
        blamed_on: Vec::new(),
        job: None,
        part_of: None,
    }
}

fn timeline(context: Option<u32>) -> Timeline {
    Timeline {
        driver: "gpu".to_owned(),
        timeline: "gfx".to_owned(),
        context,
        contexts: 1,
        fences: 1,
        signaled: 1,
        pending: 0,
        p50_ns: None,
        p99_ns: None,
        max_ns: None,
        waits: 0,
        wait_p50_ns: None,
        wait_p99_ns: None,
        wait_max_ns: None,
        last: None,
    }
}

fn report(fences: Vec<Fence>) -> Report {
    Report {
        schema: SCHEMA,
        events: 0,
        other_events: 0,
        malformed: 0,
        malformed_lines: Vec::new(),
        lost: 0,
        span_ns: END,
        begin_ns: 0,
        last_ns: END,
        end_ns: END,
        stuck: false,
        verdicts: Verdicts::default(),
        notes: Vec::new(),
        timelines: vec![timeline(Some(5)), timeline(Some(6)), timeline(None)],
        fences,
        late_not_listed: 0,
    }
}

fn waiter(comm: &str, since_ns: u64, waited_ns: u64, open: bool) -> Waiter {
    Waiter { comm: comm.to_owned(), pid: Some(512), since_ns, waited_ns, open }
}

fn on(context: u32, seqno: u32) -> Blame {
    Blame { fence: FenceId { context, seqno }, because: Because::Dependency }
}

fn text(report: &Report) -> String {
    let mut text = Vec::new();
    write(report, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A slice, as a viewer understands it.
#[derive(Clone, PartialEq, Debug)]
struct Seen {
    /// What the viewer gathers tracks by.
    track: String,
    name: String,
    begin: u64,
    end: u64,
    args: Value,
}

#[derive(Default, Debug)]
struct Viewed {
    slices: Vec<Seen>,
    marks: Vec<(String, u64, Value)>,
    /// From the name of a slice to that of a slice or a mark.
    arrows: Vec<(String, String)>,
    names: BTreeMap<u64, String>,
}

/// Reads it back as Perfetto does, and fails where Perfetto would drop something.
fn view(report: &Report) -> Viewed {
    let trace: Value = serde_json::from_str(&text(report)).unwrap();
    let mut events = trace["traceEvents"].as_array().unwrap().clone();
    // Stable, as the viewer's.
    events.sort_by_key(time);
    let mut viewed = Viewed::default();
    let mut processes = HashMap::new();
    let mut stacks: HashMap<(u64, String, String), Vec<Seen>> = HashMap::new();
    let mut closed = BTreeSet::new();
    let mut arrows = HashMap::new();
    for event in &events {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let (name, pid, tid) = (text("name"), event["pid"].as_u64().unwrap(), &event["tid"]);
        assert!(!name.is_empty() && (pid == 1 || pid == 2), "{event}");
        if text("ph") == "M" {
            if name == "thread_name" {
                let name = event["args"]["name"].as_str().unwrap().to_owned();
                assert_eq!(viewed.names.insert(tid.as_u64().unwrap(), name), None, "{event}");
                assert_eq!(processes.insert(tid.clone(), pid), None, "{event}");
            }
            continue;
        }
        assert_eq!(processes.get(tid), Some(&pid), "{event}: a thread of one process");
        let id = (pid, text("cat"), event["id2"]["local"].as_str().unwrap().to_owned());
        let stack = stacks.entry(id.clone()).or_default();
        let bind = text("bind_id");
        match text("ph").as_str() {
            "b" => {
                assert!(!stack.is_empty() || closed.insert(id), "{event}: its ID was used before");
                let track = stack.first().map_or(&name, |outermost| &outermost.track).clone();
                let (begin, args) = (time(event), event["args"].clone());
                stack.push(Seen { track, name: name.clone(), begin, end: 0, args });
            }
            "e" => {
                let mut slice = stack.pop().unwrap_or_else(|| panic!("{event}: no beginning"));
                assert_eq!(slice.name, name, "{event}");
                slice.end = time(event);
                assert!(slice.begin <= slice.end, "{event}");
                viewed.slices.push(slice);
            }
            "n" => {
                assert!(closed.contains(&id), "{event}: in a slice, or after it");
                viewed.marks.push((name.clone(), time(event), event["args"].clone()));
            }
            phase => panic!("{phase}"),
        }
        if event["flow_out"] == true {
            assert_eq!(arrows.insert(bind, name), None, "{event}: two beginnings");
        } else if event["flow_in"] == true {
            let from = arrows.get(&bind).unwrap_or_else(|| panic!("{event}: from nowhere"));
            viewed.arrows.push((from.clone(), name));
        }
    }
    assert!(stacks.values().all(Vec::is_empty), "slices without an end");
    viewed
}

/// In nanoseconds. A float would not be exact.
fn time(event: &Value) -> u64 {
    let ts = event["ts"].to_string();
    if ts == "null" {
        return 0;
    }
    (ts.parse::<f64>().unwrap() * 1000.0).round() as u64
}

#[test]
fn nothing_is_a_trace_too() {
    let viewed = view(&report(Vec::new()));
    assert!(viewed.slices.is_empty() && viewed.names.is_empty());
}

#[test]
fn a_fence_is_a_slice_of_its_timeline() {
    let mut signaled = fence(5, 7, Verdict::Late);
    signaled.signaled_ns = Some(1016 * MS);
    signaled.error = Some(-62);
    signaled.late_ns = Some(6 * MS);
    let mut emitted = fence(6, 8, Verdict::Ok);
    (emitted.emit_ns, emitted.signaled_ns) = (Some(1005 * MS), Some(1006 * MS));
    // Before the trace began.
    let mut old = fence(9, 1, Verdict::Ok);
    (old.init_ns, old.signaled_ns, old.age_ns) = (None, Some(20 * MS), 15 * MS);
    let viewed = view(&report(vec![signaled, emitted, old]));
    let slices: Vec<_> = viewed.slices.iter().map(|s| (s.track.as_str(), s.begin, s.end)).collect();
    assert_eq!(
        slices,
        [
            ("gpu/gfx", 5 * MS, 20 * MS),
            ("gpu/gfx 6", 1005 * MS, 1006 * MS),
            ("gpu/gfx 5", 1000 * MS + 1, 1016 * MS),
        ]
    );
    let args = &viewed.slices[2].args;
    assert_eq!((&args["fence"], &args["verdict"]), (&"5:7".into(), &"late".into()));
    assert_eq!((&args["error"], &args["late_ns"]), (&(-62).into(), &(6 * MS).into()));
    assert_eq!(args["made_by"], Value::Null);
    let names: Vec<_> = viewed.names.values().collect();
    assert_eq!(names, ["gpu/gfx 5", "gpu/gfx 6", "gpu/gfx"]);
}

#[test]
fn what_has_no_end_is_marked_and_goes_on_to_the_end_of_tracing() {
    let mut lost = fence(5, 1, Verdict::Lost);
    lost.destroyed_ns = Some(2000 * MS);
    let mut abandoned = lost.clone();
    (abandoned.seqno, abandoned.abandoned_ns) = (2, Some(1500 * MS));
    let mut never = fence(5, 3, Verdict::Never);
    never.waiters.push(waiter("Xorg", 3000 * MS, 7000 * MS, true));
    let viewed = view(&report(vec![lost, abandoned, never]));
    let slices: Vec<_> = viewed.slices.iter().map(|s| (s.name.as_str(), s.end)).collect();
    assert_eq!(
        slices,
        [
            ("lost: gpu/gfx 5", 1500 * MS),
            ("lost: gpu/gfx 5", 2000 * MS),
            ("never signaled: gpu/gfx 5", END),
            ("still waiting: Xorg-512", END),
        ]
    );
}

#[test]
fn waits_of_a_thread_share_a_track_and_arrows_lead_to_them() {
    let mut waited = fence(5, 7, Verdict::Ok);
    waited.signaled_ns = Some(1016 * MS);
    waited.waiters.push(waiter("Xorg", 1001 * MS, 15 * MS, false));
    // At once with its beginning.
    waited.waiters.push(waiter("Xorg", 1000 * MS + 1, 10 * MS, false));
    // Before it was emitted.
    let mut early = fence(6, 8, Verdict::Ok);
    (early.emit_ns, early.signaled_ns) = (Some(1005 * MS), Some(1006 * MS));
    early.waiters.push(waiter("kworker/u8:0", 1004 * MS, 2 * MS, false));
    let viewed = view(&report(vec![waited, early]));
    let arrows = [("gpu/gfx 5", "Xorg-512"), ("gpu/gfx 5", "Xorg-512")];
    assert_eq!(viewed.arrows, arrows.map(|(from, to)| (from.to_owned(), to.to_owned())));
    let waits: Vec<_> = viewed.slices.iter().filter(|s| s.track == "Xorg-512").collect();
    assert_eq!((waits[0].begin, waits[0].end), (1000 * MS + 1, 1010 * MS + 1));
    assert_eq!((&waits[0].args["fence"], &waits[0].args["open"]), (&"5:7".into(), &false.into()));
    assert_eq!(viewed.names.len(), 4);
}

#[test]
fn blame_is_an_arrow_from_the_fence_to_a_mark() {
    let mut victim = fence(5, 7, Verdict::Late);
    victim.signaled_ns = Some(1016 * MS);
    // Older; younger, and written later; younger than the end; unknown.
    victim.blamed_on = vec![on(6, 1), on(6, 2), on(6, 3), on(77, 1)];
    let begun = |seqno, begin| {
        let mut fence = fence(6, seqno, Verdict::Late);
        (fence.init_ns, fence.signaled_ns) = (Some(begin), Some(begin + 500 * MS));
        fence
    };
    let (older, younger, last) = (begun(1, 900 * MS), begun(2, 1010 * MS), begun(3, 1017 * MS));
    // The number was used before.
    let used_before = begun(2, 100 * MS);
    let viewed = view(&report(vec![victim, used_before, older, younger, last]));
    let marks: Vec<_> =
        viewed.marks.iter().map(|(_, at, args)| (*at, args["fence"].as_str().unwrap())).collect();
    assert_eq!(marks, [(1000 * MS + 1, "6:1"), (1010 * MS, "6:2")]);
    assert_eq!(viewed.marks[0].2["because"], "dependency");
    assert_eq!(viewed.arrows.len(), 2);
    let victim = viewed.slices.iter().find(|slice| slice.args["fence"] == "5:7").unwrap();
    assert_eq!(victim.args["blamed_on"].as_array().unwrap().len(), 4);
}

#[test]
fn a_job_is_drawn_within_its_fence() {
    let job = |queued_ns, run_ns, done_ns| {
        let mut fence = fence(5, 7, Verdict::Ok);
        (fence.emit_ns, fence.signaled_ns) = (Some(1002 * MS), Some(1016 * MS));
        let (device, ring) = ("0000:01:00.0".to_owned(), "sdma0".to_owned());
        let hardware = Some(FenceId { context: 8, seqno: 9 });
        fence.job = Some(Job { device, ring, queued_ns, run_ns, done_ns, hardware });
        let viewed = view(&report(vec![fence]));
        let slices = viewed.slices.iter().map(|s| (s.name.clone(), s.begin / MS, s.end / MS));
        (viewed.slices.last().unwrap().args.clone(), slices.collect::<Vec<_>>())
    };
    let named = |name: &str, begin, end| (name.to_owned(), begin, end);
    let (args, slices) = job(Some(1001 * MS), Some(1004 * MS), Some(1015 * MS));
    assert_eq!(args["job"]["hardware"], "8:9");
    assert_eq!(
        slices,
        [
            named("queued", 1001, 1004),
            named("on the device", 1004, 1015),
            named("gpu/gfx 5", 1001, 1016),
        ]
    );
    assert_eq!(job(None, None, Some(1015 * MS)).1, [named("gpu/gfx 5", 1002, 1016)]);
    assert_eq!(job(Some(1003 * MS), None, None).1[0], named("queued", 1003, 1016));
    assert_eq!(job(None, Some(1003 * MS), None).1[0], named("on the device", 1003, 1016));
    // Out of order, and after the end.
    let (_, slices) = job(Some(1012 * MS), Some(1011 * MS), Some(1010 * MS));
    assert_eq!(slices[0], named("queued", 1010, 1010));
    let (_, slices) = job(Some(2001 * MS), Some(2002 * MS), Some(2003 * MS));
    assert_eq!(slices[1], named("on the device", 1016, 1016));
}

#[test]
fn names_contain_anything() {
    let hostile = "\"},{\n\u{1b}[31m\\ \0 \u{fffd}";
    let mut fence = fence(77, 7, Verdict::Never);
    fence.driver = hostile.to_owned();
    fence.timeline.clear();
    fence.waiters.push(waiter(hostile, 2000 * MS, 1, false));
    fence.waiters.push(Waiter { pid: None, ..waiter("", 2000 * MS, 1, false) });
    fence.made_by = Some(Task { comm: hostile.to_owned(), pid: None });
    let mut nameless = fence.clone();
    nameless.driver.clear();
    let viewed = view(&report(vec![fence, nameless]));
    let names: Vec<_> = viewed.names.values().map(String::as_str).collect();
    assert_eq!(names, [hostile, "without a name", &format!("{hostile}-512"), "without a name",]);
    let thread = viewed.slices.iter().filter(|slice| slice.args["made_by"]["comm"] == hostile);
    assert_eq!(thread.count(), 2);
}

/// A clock that tells the date has 19 digits, of which a float keeps 15.
#[test]
fn times_are_exact() {
    let mut fence = fence(5, 7, Verdict::Ok);
    fence.init_ns = Some(1_764_105_981_123_456_789);
    fence.signaled_ns = Some(u64::MAX);
    let text = text(&report(vec![fence]));
    assert!(text.contains("\"ts\":1764105981123456.789,"), "{text}");
    assert!(text.contains("\"ts\":18446744073709551.615}"), "{text}");
}

/// Whatever a model says, it is a trace in which nothing is dropped.
#[test]
fn any_report_is_a_trace() {
    use Verdict::{Late, Lost, Never, Ok, PendingAtEnd, Unobserved};
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let mut fences = Vec::new();
        for _ in 0..random(30) {
            // Few of each, so that all is met.
            let verdict = [Never, Lost, PendingAtEnd, Late, Unobserved, Ok][random(6) as usize];
            let mut fence = fence(random(9) as u32, random(4) as u32, verdict);
            let mut time = || (random(3) > 0).then(|| random(12));
            (fence.init_ns, fence.emit_ns) = (time(), time());
            (fence.signaled_ns, fence.destroyed_ns, fence.abandoned_ns) = (time(), time(), time());
            let (queued_ns, run_ns, done_ns) = (time(), time(), time());
            fence.age_ns = random(15);
            if random(2) > 0 {
                let (device, ring) = (String::new(), String::new());
                fence.job = Some(Job { device, ring, queued_ns, run_ns, done_ns, hardware: None });
            }
            for _ in 0..random(4) {
                fence.blamed_on.push(on(random(9) as u32, random(4) as u32));
                let comm = ["Xorg", "gpu/gfx 5"][random(2) as usize];
                fence.waiters.push(waiter(comm, random(12), random(5), random(2) > 0));
            }
            fences.push(fence);
        }
        let (fences_there, mut report) = (fences.len(), report(fences));
        report.end_ns = 12;
        let viewed = view(&report);
        let slices = viewed.slices.iter().filter(|slice| slice.args.get("verdict").is_some());
        assert_eq!(slices.count(), fences_there);
    }
}
