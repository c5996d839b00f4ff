//! Events that are missing: what was not seen is no evidence.

use dma_fence_trace::culprits::Culprits;
use dma_fence_trace::report::Verdict;

use crate::script::{find, report, verdicts};

#[test]
fn lost_events_lower_the_certainty() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/gfx 5:2
        b-9 1.1 wait_start gpu/gfx 5:2
        |CPU:1 [LOST 158 EVENTS]
        a-7 2.0 init gpu/gfx 5:3";
    let report = report(script, 9.0);
    assert_eq!(report.lost, 158);
    assert!(report.notes.iter().any(|note| note.contains("158 events were lost")));
    // They were young when events were lost: nobody knows what became of them.
    for seqno in [1, 2] {
        let unseen = find(&report, 5, seqno);
        assert!(unseen.verdict == Verdict::PendingAtEnd && !unseen.certain, "{unseen:?}");
    }
    // And this one came later.
    let sure = find(&report, 5, 3);
    assert!(sure.verdict == Verdict::Never && sure.certain, "{sure:?}");
    // Somebody waits for the second one, as far as one can see.
    let order = ["5:3 never", "5:2 pending-at-end", "5:1 pending-at-end"];
    assert_eq!(verdicts(&report), order);
    let culprits = Culprits::of(&report);
    assert_eq!(culprits.stuck[0].roots.len(), 2);
}

#[test]
fn what_was_stuck_when_events_were_lost_is_stuck() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        a-7 5.0 init gpu/gfx 5:2
        |CPU:1 [LOST 3 EVENTS]
        |CPU:0 [LOST 3 EVENTS]";
    let report = report(script, 9.0);
    let stuck = find(&report, 5, 1);
    assert!(stuck.verdict == Verdict::Never && !stuck.certain, "{stuck:?}");
    assert_eq!(find(&report, 5, 2).verdict, Verdict::PendingAtEnd);
}

/// The first gap counts, not the last.
#[test]
fn gaps_everywhere() {
    let mut script = String::from("a-7 1.0 init gpu/gfx 5:1\n b-9 1.1 wait_start gpu/gfx 5:1\n");
    for n in 0..20_000 {
        script += &format!(
            "|CPU:1 [LOST 1 EVENTS]\n a-7 {:.4} init gpu/other 6:{n}\n",
            1.1 + f64::from(n) / 2000.0
        );
        script += &format!("a-2 {:.4} signaled gpu/other 6:{n}\n", 1.1 + f64::from(n) / 2000.0);
    }
    let report = report(&script, 20.0);
    assert_eq!(find(&report, 5, 1).verdict, Verdict::PendingAtEnd);
    assert_eq!(report.lost, 20_000);
}

#[test]
fn what_a_late_buffer_does_not_show() {
    let script = "
        |# entries-in-buffer/entries-written: 5/1005   #P:2
        |##### CPU 0 buffer started ####
        a-8 1.0 init gpu/gfx 5:1
        a-8 1.0 init gpu/gfx 5:2
        b-8 1.1 wait_start gpu/gfx 5:2
        a-8 1.0 init gpu/gfx 5:3
        |##### CPU 1 buffer started ####
        a-7 2.0 init gpu/gfx 5:4
        c-9 2.1 wait_start gpu/gfx 5:3";
    let report = report(script, 9.0);
    assert_eq!(report.lost, 1000);
    for (seqno, verdict) in [
        (1, Verdict::PendingAtEnd),
        (2, Verdict::PendingAtEnd),
        (3, Verdict::Never),
        (4, Verdict::Never),
    ] {
        assert_eq!(find(&report, 5, seqno).verdict, verdict, "{seqno}");
        assert_eq!(find(&report, 5, seqno).certain, verdict == Verdict::Never, "{seqno}");
    }
    assert!(
        report.notes.iter().any(|note| note.contains("CPU 1 begin 0.100 s later")),
        "{:?}",
        report.notes
    );
}

#[test]
fn what_is_destroyed_after_a_gap_is_not_lost() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        |CPU:1 [LOST 1 EVENTS]
        a-7 2.0 destroy gpu/gfx 5:1
        a-7 2.0 init gpu/gfx 5:2
        a-7 2.1 destroy gpu/gfx 5:2";
    assert_eq!(verdicts(&report(script, 9.0)), ["5:2 lost"]);
}
