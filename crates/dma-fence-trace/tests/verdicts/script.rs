//! Traces in few words.

use dma_fence_trace::report::{Fence, Report, Verdict};
use dma_fence_trace::{FenceId, Model, Options, Reader};

/// `COMM-PID TIME STEP DRIVER/TIMELINE CONTEXT:SEQNO` and what else the line has; with a `|` before it, a line as it
/// is. The CPU is the last digit of the thread's number, modulo 2.
pub(crate) fn text(script: &str) -> String {
    let mut text = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('|') {
            Some(line) => text += line,
            None => text += &event(line).unwrap_or_else(|| panic!("{line}")),
        }
        text.push('\n');
    }
    text
}

fn event(line: &str) -> Option<String> {
    let mut words = line.splitn(6, ' ');
    let (task, time, step) = (words.next()?, words.next()?, words.next()?);
    let (driver, timeline) = words.next()?.split_once('/')?;
    let (context, seqno) = words.next()?.split_once(':')?;
    let rest = words.next().map(|rest| format!(" {rest}")).unwrap_or_default();
    let cpu = task.bytes().next_back()? % 2;
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    Some(format!(
        "{task:>20} [00{cpu}] ..... {seconds}.{fraction:0<6}: dma_fence_{step}: \
         driver={driver} timeline={timeline} context={context} seqno={seqno}{rest}"
    ))
}

/// What a script says, up to a time in seconds.
pub(crate) fn report(script: &str, end: f64) -> Report {
    judge(text(script).as_bytes(), Options::default(), Some(end))
}

/// What a script says with a threshold in seconds.
pub(crate) fn with_threshold(script: &str, threshold: f64) -> Report {
    let threshold_ns = Some((threshold * 1e9) as u64);
    judge(text(script).as_bytes(), Options { threshold_ns, ..Options::default() }, None)
}

pub(crate) fn judge(text: &[u8], options: Options, end: Option<f64>) -> Report {
    let mut reader = Reader::new(text);
    let mut model = Model::new(options);
    while let Some(line) = reader.next().expect("memory cannot fail") {
        model.line(&line);
    }
    model.report(end.map(|end| (end * 1e9) as u64))
}

/// All that is said of a fence.
#[track_caller]
pub(crate) fn find(report: &Report, context: u32, seqno: u32) -> &Fence {
    let found = report.fences.iter().find(|fence| fence.id() == FenceId { context, seqno });
    found.unwrap_or_else(|| panic!("{context}:{seqno} is not in {:#?}", report.fences))
}

/// `3:21 never`, in the order of the report.
pub(crate) fn verdicts(report: &Report) -> Vec<String> {
    let verdict = |verdict: Verdict| {
        serde_json::to_value(verdict).expect("a word").as_str().expect("a word").to_owned()
    };
    report.fences.iter().map(|fence| format!("{} {}", fence.id(), verdict(fence.verdict))).collect()
}

/// `1:21 display 3:21` for each blame.
pub(crate) fn blames(report: &Report) -> Vec<String> {
    let mut blames = Vec::new();
    for fence in &report.fences {
        for blame in &fence.blamed_on {
            let because = serde_json::to_value(blame.because).expect("a word");
            let because = because.as_str().expect("a word").to_owned();
            blames.push(format!("{} {because} {}", fence.id(), blame.fence));
        }
    }
    blames.sort();
    blames
}

/// A timeline whose fences take 10 ms each.
pub(crate) fn usual(track: &str, context: u32, from: u32, count: u32) -> String {
    let mut script = String::new();
    for n in 0..count {
        let begin = f64::from(n) * 0.02;
        let seqno = from.wrapping_add(n);
        script += &format!("game-7 {begin:.6} init {track} {context}:{seqno}\n");
        script += &format!("irq-2 {:.6} signaled {track} {context}:{seqno}\n", begin + 0.01);
        script += &format!("game-7 {:.6} destroy {track} {context}:{seqno}\n", begin + 0.015);
    }
    script
}
