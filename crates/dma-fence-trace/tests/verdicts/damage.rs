//! Traces as they come: in another order, cut off, with rubbish and strange names in them.

use dma_fence_trace::{Model, Options, Reader};

use crate::script::{find, judge, report, text, usual, verdicts};

/// As if a program had written one CPU after the other.
#[test]
fn cpus_one_after_the_other() {
    let script = text(
        &(usual("gpu/gfx", 5, 1, 50)
            + "game-7 2.0 init gpu/gfx 5:60\n b-9 2.1 wait_start gpu/gfx 5:60"),
    );
    let (even, odd): (Vec<_>, Vec<_>) = script.lines().partition(|line| line.contains("[000]"));
    for cpus in [[&even, &odd], [&odd, &even]] {
        let text =
            cpus.iter().flat_map(|lines| lines.iter()).fold(String::new(), |mut text, line| {
                text += line;
                text += "\n";
                text
            });
        let report = judge(text.as_bytes(), Options::default(), Some(9.0));
        assert_eq!(verdicts(&report), ["5:60 never"]);
        assert_eq!((report.verdicts.ok, report.timelines[0].signaled), (50, 50));
        assert_eq!(report.timelines[0].max_ns, Some(10_000_000));
    }
}

#[test]
fn neighbours_in_the_wrong_order() {
    let script = "
        irq-2 1.1 signaled gpu/gfx 5:1
        game-7 1.0 init gpu/gfx 5:1
        b-9 1.2 wait_end gpu/gfx 5:2
        b-9 1.1 wait_start gpu/gfx 5:2
        game-7 1.0 init gpu/gfx 5:2
        game-7 2.0 destroy gpu/gfx 5:2
        irq-2 1.3 signaled gpu/gfx 5:2
        game-7 2.0 destroy gpu/gfx 5:3
        game-7 1.0 init gpu/gfx 5:3
        irq-2 1.3 signaled gpu/gfx 5:3";
    let report =
        judge(text(script).as_bytes(), Options { all: true, ..Options::default() }, Some(9.0));
    assert_eq!(report.verdicts.ok, 3, "{:#?}", report.fences);
    assert_eq!(report.timelines[0].signaled, 3);
    let waiter = &find(&report, 5, 2).waiters[0];
    assert_eq!((waiter.open, waiter.waited_ns), (false, 100_000_000));
}

#[test]
fn a_thread_number_that_is_used_again() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/gfx 5:2
        old-9 1.1 wait_start gpu/gfx 5:1
        new-9 2.1 wait_start gpu/gfx 5:2";
    let report = report(script, 9.0);
    assert!(!find(&report, 5, 1).is_awaited(), "a thread waits for one fence at a time");
    let waiter = &find(&report, 5, 2).waiters[0];
    assert_eq!((&*waiter.comm, waiter.open), ("new", true));
}

#[test]
fn names_of_any_length_and_kind() {
    let long = "x".repeat(300);
    let script = format!(
        "{long}-7 1.0 init gpu/{long} 5:1
        {long}-9 1.1 wait_start gpu/{long} 5:1"
    );
    let report = report(&script, 9.0);
    let fence = find(&report, 5, 1);
    assert_eq!((fence.timeline.len(), fence.waiters[0].comm.len()), (300, 300));
}

#[test]
fn lines_that_end_as_elsewhere() {
    let text = text(&usual("gpu/gfx", 5, 1, 5)).replace('\n', "\r\n");
    let report = judge(text.as_bytes(), Options::default(), None);
    assert_eq!(report.verdicts.ok, 5);
}

#[test]
fn rubbish_between_the_lines() {
    let mut bytes = Vec::new();
    for line in text(&(usual("gpu/gfx", 5, 1, 5) + "game-7 2.0 init gpu/gfx 5:60")).lines() {
        bytes.extend_from_slice(b"\xff\xfe\0\x1b[31m rubbish\n");
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\n\0\0\0\n");
    }
    let report = judge(&bytes, Options::default(), Some(9.0));
    assert_eq!(verdicts(&report), ["5:60 never"]);
    assert_eq!(report.verdicts.ok, 5);
}

#[test]
fn a_trace_that_is_cut_anywhere() {
    let text = text(
        "
        game-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        irq-2 1.2 signaled gpu/gfx 5:1
        b-9 1.3 wait_end gpu/gfx 5:1",
    );
    for end in 0..text.len() {
        let report = judge(&text.as_bytes()[..end], Options::default(), None);
        assert!(report.verdicts.never + report.verdicts.lost + report.verdicts.late == 0, "{end}");
    }
}

/// Memory is bounded by the fences alive, so what is known of the others is bounded too.
#[test]
fn what_is_over_is_forgotten() {
    let mut model = Model::new(Options::default());
    for round in 0..200_u32 {
        let mut script = String::new();
        for n in 0..1000 {
            let (context, seqno) = (round * 1000 + n, 1);
            let at = f64::from(round) + f64::from(n) / 2000.0;
            script += &format!("a-7 {at:.6} init dma_fence_array/unbound {context}:{seqno}\n");
            script += &format!("a-2 {at:.6} signaled dma_fence_array/unbound {context}:{seqno}\n");
            script += &format!("a-7 {at:.6} destroy dma_fence_array/unbound {context}:{seqno}\n");
        }
        let text = text(&script);
        let mut reader = Reader::new(text.as_bytes());
        while let Some(line) = reader.next().expect("memory cannot fail") {
            model.line(&line);
        }
        assert!(model.remembered() < 10_000, "{round}: {}", model.remembered());
    }
    let report = model.report(None);
    assert_eq!((report.verdicts.ok, report.timelines.len()), (200_000, 1));
}

/// Clocks of CPUs differ a little where `trace_clock` is `local`.
#[test]
fn clocks_that_differ() {
    let script = "
        a-7 1.000040 init gpu/gfx 5:1
        a-2 1.000010 signaled gpu/gfx 5:1
        b-8 1.000020 destroy gpu/gfx 5:1
        b-8 1.000020 destroy gpu/gfx 5:2
        a-2 1.000030 signaled gpu/gfx 5:2
        a-7 1.000040 init gpu/gfx 5:2
        c-12 1.000050 wait_end gpu/gfx 5:3
        c-13 1.000090 wait_start gpu/gfx 5:3
        a-2 1.000060 signaled gpu/gfx 5:3
        a-7 1.000070 init gpu/gfx 5:3";
    for sorted in [false, true] {
        let mut lines: Vec<_> = script.trim().lines().map(str::trim).collect();
        if sorted {
            lines.sort_by_key(|line| line.split(' ').nth(1));
        }
        let script = lines.join("\n").replace("c-12", "c-13");
        assert_eq!(verdicts(&report(&script, 9.0)), [""; 0]);
    }
}

/// Thousands of fences later, a beginning that comes after its end is not recognized: it accuses nobody.
#[test]
fn a_cpu_long_after_the_other() {
    let healthy = text(&usual("gpu/gfx", 5, 1, 3000));
    for without in ["destroy", "nothing"] {
        let lines = healthy.lines().filter(|line| !line.contains(without));
        let (even, odd): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains("[000]"));
        let joined = even.join("\n") + "\n" + &odd.join("\n");
        for unordered in [false, true] {
            let options = Options { unordered, ..Options::default() };
            let report = judge(joined.as_bytes(), options, Some(99.0));
            assert!(!report.stuck && report.verdicts.lost == 0, "{without} {unordered}");
            let told = report.notes.iter().any(|note| note.contains("times go back"));
            assert!(told, "{:?}", report.notes);
            let unclear = report.verdicts.pending_at_end;
            assert_eq!(unclear > 0, !unordered && without == "destroy", "{without} {unordered}");
        }
    }
}
