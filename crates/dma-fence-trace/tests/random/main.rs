//! Traces of random events: what is true of every report is true of theirs. `cargo xtask fuzz --target analysis` does
//! the same for longer, and steered.

mod check;
mod scenario;

use std::{fs, path::Path};

use dma_fence_trace::Options;
use dma_fence_trace::report::Verdicts;

/// xorshift64: the same traces every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[test]
fn whatever_a_trace_says() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..100 {
        let bytes: Vec<u8> = (0..4 * random.below(50)).map(|_| random.next() as u8).collect();
        check::everything(scenario::text(&bytes).as_bytes());
    }
}

/// What fuzzing has found worth keeping.
#[test]
fn whatever_was_found() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/analysis");
    let mut files = 0;
    for file in fs::read_dir(corpus).expect("the corpus") {
        let bytes = fs::read(file.expect("a file").path()).expect("its bytes");
        check::everything(&scenario::any(&bytes));
        files += 1;
    }
    assert!(files > 0);
}

/// Whatever the order in which fences are made, waited for, signaled and destroyed.
#[test]
fn where_all_fences_signal_nothing_is_wrong() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..100 {
        let count = 1 + random.below(60);
        let mut lines = Vec::new();
        for fence in 0..count {
            let (context, begin) = (5 + fence % 3, 1_000_000 + random.below(2_000_000));
            let signal = begin + 1 + random.below(200_000);
            let mut event = |at: u64, task: &str, step: &str| {
                let time = format!("{}.{:06}", at / 1_000_000, at % 1_000_000);
                let names = format!("driver=gpu timeline=ring{context}");
                let event = format!("dma_fence_{step}: {names} context={context} seqno={fence}");
                lines.push((at, format!("{task} [000] ..... {time}: {event}\n")));
            };
            event(begin, "game-7", "init");
            event(signal, "irq-2", "signaled");
            if random.below(2) == 0 {
                let waiter = format!("waiter-{}", 100 + fence);
                event(begin + random.below(signal - begin), &waiter, "wait_start");
                event(signal + random.below(1000), &waiter, "wait_end");
            }
            if random.below(2) == 0 {
                event(signal + 1 + random.below(900_000), "game-7", "destroy");
            }
        }
        // What happens at the same time stays in its order.
        lines.sort_by_key(|(at, _)| *at);
        let text: String = lines.into_iter().map(|(_, line)| line).collect();
        let report = check::report(text.as_bytes(), Options::default(), Some(99_000_000_000));
        assert!(!report.stuck);
        assert_eq!(report.verdicts, Verdicts { ok: count, ..Verdicts::default() }, "{text}");
    }
}
