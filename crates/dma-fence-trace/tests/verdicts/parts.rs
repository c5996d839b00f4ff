//! Parts of a report, and whom it names.

use dma_fence_trace::culprits::Culprits;
use dma_fence_trace::{Filter, Options};

use crate::script::{judge, report, text, verdicts};

/// Two jobs that wait for each other, and what the first of them waits for.
const CHAIN: &str = "
    |a-7 [001] ..... 1.000000: drm_sched_job_queue: dev=d, fence=21:1, ring=r, job count:0, hw job count:0, client_id:1
    |a-7 [001] ..... 1.000000: drm_sched_job_queue: dev=d, fence=31:1, ring=q, job count:0, hw job count:0, client_id:1
    |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=31:1 depends on fence=21:1
    |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=21:1 depends on fence=5:1
    a-7 1.0 init gpu/gfx 5:1
    a-7 1.0 init gpu/slow 6:1
    a-2 4.0 signaled gpu/slow 6:1
    c-11 1.3 enable_signal gpu/gfx 5:1";

#[test]
fn a_part_has_the_reasons_of_the_reasons() {
    let part = |filter: Filter| {
        let mut report = report(CHAIN, 9.0);
        report.filter(&filter);
        (verdicts(&report), report.stuck)
    };
    let timeline = |name: &str| Filter { timeline: Some(name.into()), ..Filter::default() };
    let all = ["5:1 never", "21:1 never", "31:1 never"].map(str::to_owned);
    assert_eq!(part(timeline("/q")), (all.to_vec(), true));
    assert_eq!(part(timeline("slow")), (vec!["6:1 late".to_owned()], false));
    let asked = part(Filter { pid: Some(11), ..Filter::default() });
    assert_eq!(asked, (vec!["5:1 never".to_owned()], true));
}

#[test]
fn the_device_is_that_of_the_culprit() {
    let report = report(CHAIN, 9.0);
    let culprits = Culprits::of(&report);
    assert_eq!((culprits.stuck[0].first().context, culprits.stuck[0].device()), (5, None));
}

#[test]
fn what_has_an_error_is_not_fine() {
    let script = "
        a-7 1.0 init io/read 5:1
        a-2 1.1 signaled io/read 5:1 error=-5
        a-7 1.0 init io/read 5:2
        a-2 1.1 signaled io/read 5:2";
    let options = Options { all: true, ..Options::default() };
    let mut report = judge(text(script).as_bytes(), options, None);
    report.leave_out_fine();
    assert_eq!(verdicts(&report), ["5:1 ok"]);
}

#[test]
fn of_several_reasons_the_one_that_never_signals_is_the_culprit() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init own/all 9:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=9 seqno=1 member=6:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=9 seqno=1 member=5:1
        b-9 1.1 wait_start own/all 9:1
        a-7 8.9 init gpu/copy 6:1";
    let report = report(script, 9.0);
    let culprits = Culprits::of(&report);
    let victim = &culprits.stuck[0].victims[0];
    assert_eq!((victim.fence.context, victim.root.context), (9, 5));
}

#[test]
fn what_is_unclear_and_only_asked_for_is_nobodys_fault() {
    let script = "
        a-7 4.5 init gpu/gfx 5:1
        b-9 4.5 enable_signal gpu/gfx 5:1
        |CPU:1 [LOST 1 EVENTS]";
    assert!(Culprits::of(&report(script, 9.0)).stuck.is_empty());
}

#[test]
fn containers_whose_members_are_unknown_are_one_culprit() {
    let script = "
        a-7 1.0 init dma_fence_array/unbound 9:1
        b-9 1.1 wait_start dma_fence_array/unbound 9:1
        a-7 1.0 init dma_fence_array/unbound 10:1
        b-11 1.1 wait_start dma_fence_array/unbound 10:1";
    let report = report(script, 9.0);
    let culprits = Culprits::of(&report);
    assert_eq!((culprits.stuck.len(), culprits.stuck[0].roots.len()), (1, 2));
}
