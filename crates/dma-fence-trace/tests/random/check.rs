//! What is true of every report, whatever the trace says.

use std::collections::HashSet;

use dma_fence_trace::culprits::Culprits;
use dma_fence_trace::report::{Fence, Report, Verdict, Verdicts};
use dma_fence_trace::{Filter, Model, Options, Reader, html, perfetto};

/// The report with these options. In the middle somebody looks at it, which changes nothing.
pub(crate) fn report(text: &[u8], options: Options, end_ns: Option<u64>) -> Report {
    let mut reader = Reader::new(text);
    let mut model = Model::new(options);
    let middle = text.iter().filter(|byte| **byte == b'\n').count() as u64 / 2;
    while let Some(line) = reader.next().expect("memory cannot fail") {
        model.line(&line);
        if reader.tally().lines == middle {
            let report = model.report(Some(model.latest_ns() / 2));
            is_sound(&report);
        }
    }
    model.report(end_ns)
}

/// Everything that is done with a trace, with every kind of options.
pub(crate) fn everything(text: &[u8]) {
    for options in [
        Options::default(),
        Options { threshold_ns: Some(100_000_000), ..Options::default() },
        Options { unordered: true, ..Options::default() },
    ] {
        let few = report(text, options, None);
        is_sound(&few);
        // Whatever order tables have.
        assert_eq!(report(text, options, None), few, "it depends on chance");
        let later = report(text, options, Some(few.last_ns.saturating_add(30_000_000_000)));
        is_sound(&later);
        nothing_gets_better(&few, &later);
        let mut all = report(text, Options { all: true, ..options }, None);
        is_sound(&all);
        assert_eq!(counted(&all.fences), all.verdicts, "{:#?}", all.fences);
        assert_eq!((few.verdicts, few.stuck), (all.verdicts, all.stuck));
        is_drawn(&all);
        all.leave_out_fine();
        assert_eq!(few.fences, all.fences);
    }
}

fn is_sound(report: &Report) {
    for fence in &report.fences {
        is_sound_of(fence, report);
    }
    let stuck = report.fences.iter().any(Fence::is_stuck);
    assert_eq!(report.stuck, stuck, "{:#?}", report.fences);
    is_in_order(&report.fences);
    culprits(report);
    for timeline in &report.timelines {
        let taken = [timeline.p50_ns, timeline.p99_ns, timeline.max_ns];
        let waited = [timeline.wait_p50_ns, timeline.wait_p99_ns, timeline.wait_max_ns];
        assert!(taken.is_sorted() && waited.is_sorted(), "{timeline:?}");
        assert!(timeline.max_ns.max(timeline.wait_max_ns) <= Some(report.span_ns), "{timeline:?}");
    }
    filters(report);
}

fn is_sound_of(fence: &Fence, report: &Report) {
    let span = report.begin_ns..=report.end_ns;
    let verdict = fence.verdict;
    assert!(fence.age_ns <= report.span_ns, "{fence:#?}");
    let never = matches!(verdict, Verdict::Never | Verdict::PendingAtEnd);
    assert!(!never || fence.is_pending(), "{fence:#?}");
    assert_eq!(verdict == Verdict::Late, fence.late_ns.is_some(), "{fence:#?}");
    assert!(fence.late_ns.is_none_or(|late| (1..=fence.age_ns).contains(&late)), "{fence:#?}");
    assert!(verdict != Verdict::Late || fence.signaled_ns.is_some(), "{fence:#?}");
    assert!(verdict != Verdict::Unobserved || fence.signaled_ns.is_none(), "{fence:#?}");
    assert!(fence.blamed_on.iter().all(|blame| blame.fence != fence.id()), "{fence:#?}");
    assert!(fence.root || fence.verdict != Verdict::Ok, "{fence:#?}");
    for waiter in &fence.waiters {
        assert!(span.contains(&waiter.since_ns), "{fence:#?}");
        assert!(waiter.waited_ns <= report.span_ns, "{fence:#?}");
    }
    let times = [fence.init_ns, fence.emit_ns, fence.signaled_ns, fence.destroyed_ns];
    let times = times.into_iter().chain([fence.abandoned_ns]).flatten();
    assert!(times.into_iter().all(|at| span.contains(&at)), "{fence:#?}");
}

/// The most urgent first. What is pending is more urgent than what is late if it matters to somebody.
fn is_in_order(fences: &[Fence]) {
    let mut last = 0;
    for fence in fences {
        let may_be = match fence.verdict {
            _ if fence.is_stuck() => [0, 0],
            Verdict::PendingAtEnd => [1, 5],
            Verdict::Late => [2, 2],
            _ if fence.error.is_some() => [3, 3],
            Verdict::Lost | Verdict::Never => [4, 4],
            Verdict::Unobserved => [6, 6],
            Verdict::Ok => [7, 7],
        };
        let rank = may_be.into_iter().find(|rank| *rank >= last);
        last = rank.unwrap_or_else(|| panic!("{fence:?} comes too late in {fences:#?}"));
    }
}

fn culprits(report: &Report) {
    let culprits = Culprits::of(report);
    for culprit in culprits.stuck.iter().chain(&culprits.late) {
        assert!(!culprit.roots.is_empty());
        // Two can have the same name.
        let roots: HashSet<_> = culprit.roots.iter().copied().map(std::ptr::from_ref).collect();
        assert_eq!(roots.len(), culprit.roots.len(), "{culprit:#?}");
        let names: HashSet<_> = culprit.roots.iter().map(|root| root.id()).collect();
        for victim in &culprit.victims {
            assert!(names.contains(&victim.root.id()) && !victim.chain.is_empty(), "{culprit:#?}");
        }
        let _ = (culprit.doubt(report), culprit.device(), culprit.is_awaited());
    }
    let stuck = culprits.stuck.iter().any(|culprit| culprit.is_stuck());
    assert_eq!(stuck, report.stuck, "{culprits:#?}\n{:#?}", report.fences);
}

/// A part has what it is explained with.
fn filters(report: &Report) {
    for filter in [
        Filter { timeline: Some("gfx".into()), ..Filter::default() },
        Filter { pid: Some(10), ..Filter::default() },
        Filter { since_ns: Some(report.end_ns / 2), ..Filter::default() },
    ] {
        let mut part = report.clone();
        part.filter(&filter);
        let all: HashSet<_> = report.fences.iter().map(Fence::id).collect();
        let left: HashSet<_> = part.fences.iter().map(Fence::id).collect();
        assert!(left.is_subset(&all));
        for blame in part.fences.iter().flat_map(|fence| &fence.blamed_on) {
            assert!(left.contains(&blame.fence) || !all.contains(&blame.fence), "{blame:?}");
        }
        assert_eq!(part.stuck, part.fences.iter().any(Fence::is_stuck));
    }
}

/// What is pending does not become fine only because time goes on.
fn nothing_gets_better(before: &Report, after: &Report) {
    assert!(before.verdicts.never <= after.verdicts.never);
    let pending = |verdicts: &Verdicts| verdicts.never + verdicts.pending_at_end;
    assert_eq!(pending(&before.verdicts), pending(&after.verdicts));
    assert!(!before.stuck || after.stuck);
}

fn is_drawn(report: &Report) {
    serde_json::to_string(report).expect("a report is JSON");
    let mut page = Vec::new();
    html::write(report, "a <title>", &[], &mut page).expect("memory cannot fail");
    let mut drawing = Vec::new();
    perfetto::write(report, &mut drawing).expect("memory cannot fail");
    serde_json::from_slice::<serde_json::Value>(&drawing).expect("a drawing is JSON");
}

fn counted(fences: &[Fence]) -> Verdicts {
    let of = |verdict| fences.iter().filter(|fence| fence.verdict == verdict).count() as u64;
    Verdicts {
        never: of(Verdict::Never),
        pending_at_end: of(Verdict::PendingAtEnd),
        lost: of(Verdict::Lost),
        late: of(Verdict::Late),
        unobserved: of(Verdict::Unobserved),
        ok: of(Verdict::Ok),
    }
}
