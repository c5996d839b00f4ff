//! How many events a second are understood, and judged, beside what it costs to find a word in the same bytes:
//! `cargo bench -p dma-fence-trace --bench parse`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use dma_fence_trace::{Line, Model, Options, Reader};
use memchr::memmem;

/// The best of so many runs: others use the machine too.
const RUNS: usize = 7;

fn main() {
    let text = common::capture("busy.txt");
    let (parsing, events) = best(|| events(&text));
    let (analyzing, _) = best(|| analyzed(&text));
    let (searching, found) = best(|| lines_with(&text, b"dma_fence"));
    let rate = |time: Duration| events as f64 / time.as_secs_f64() / 1e6;
    println!("{events} events in {} bytes, {found} lines with \"dma_fence\"", text.len());
    println!("parsed:   {parsing:>10.2?}  {:6.2} million events/s", rate(parsing));
    println!("analyzed: {analyzing:>10.2?}  {:6.2} million events/s", rate(analyzing));
    println!("searched: {searching:>10.2?}  {:6.2} million lines/s", rate(searching));
    let ratio = |time: Duration| time.as_secs_f64() / searching.as_secs_f64();
    println!("ratios:   {:.2} and {:.2}", ratio(parsing), ratio(analyzing));
}

fn best(run: impl Fn() -> u64) -> (Duration, u64) {
    let timed = || {
        let start = Instant::now();
        let result = black_box(run());
        (start.elapsed(), result)
    };
    (0..RUNS).map(|_| timed()).min().expect("at least one run")
}

fn events(text: &[u8]) -> u64 {
    let mut reader = Reader::new(black_box(text));
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        if let Line::Event(event) = line {
            black_box(event);
        }
    }
    reader.tally().events
}

fn analyzed(text: &[u8]) -> u64 {
    let mut reader = Reader::new(black_box(text));
    let mut model = Model::new(Options::default());
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        model.line(&line);
    }
    black_box(model.report(None)).events
}

/// What `grep -c` does: whole lines are counted, however often the word is in them.
fn lines_with(text: &[u8], word: &[u8]) -> u64 {
    let word = memmem::Finder::new(word);
    let (mut at, mut count) = (0, 0);
    while let Some(found) = word.find(&text[at..]) {
        count += 1;
        let rest = &text[at + found..];
        let Some(end) = memchr::memchr(b'\n', rest) else { break };
        at += found + end + 1;
    }
    count
}
