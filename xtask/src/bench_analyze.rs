//! How fast `dma-fence analyze` is, against finding a word in the same file, and how much memory it takes.
//!
//! The trace is generated, and in the page cache. Both run in turn, round after round, each round beginning with
//! the other one; the first round warms up and does not count. The memory is that of runs of their own, of this
//! file and of one twice as long.

mod desktop;

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    bench::{self, Directory, median, millis},
    shell::{self, Result},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many events the trace has
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1000..))]
    events: u64,

    /// How many times each contender runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Another dma-fence than the one that is built from here
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,

    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
}

/// Who takes part.
const OURS: usize = 0;
const GREP: usize = 1;

/// How many times as long as grep it may take.
const MOST_TIMES_GREP: f64 = 5.0;
/// How many events it should understand in a second. The machine decides, so that nothing fails by it.
const EVENTS_PER_SECOND: f64 = 1e6;
/// How many times as much memory twice as many events may take: what an allocator keeps differs a little.
const MOST_GROWTH: f64 = 1.25;
/// How often the memory is looked at.
const TICK: Duration = Duration::from_millis(1);

pub(crate) fn run(args: &Args) -> Result {
    let ours = match &args.binary {
        Some(path) => path.clone(),
        None => bench::build()?,
    };
    let dir = Directory::create(&shell::target_dir(), "bench-analyze")?;
    let trace = generate(&dir.0, args.events)?;
    check_work(&ours, &trace)?;

    let analyze = |trace: &Path| {
        let mut command = Command::new(&ours);
        command.arg("analyze").arg(trace).stdout(Stdio::null());
        command
    };
    let grep = || {
        let mut command = Command::new("grep");
        command.args(["-c", "dma_fence"]).arg(&trace);
        command
    };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=args.rounds as usize {
        for turn in 0..2 {
            let contender = (round + turn) % 2;
            let mut command = if contender == OURS { analyze(&trace) } else { grep() };
            // Not to /dev/null, where GNU grep stops at the first line that it finds.
            command.stdout(Stdio::piped());
            let started = Instant::now();
            let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
            let time = started.elapsed();
            // Of both, 1 tells what was found.
            done(&command, Ok(output.status), &[0, 1])?;
            if contender == GREP {
                check_count(&output.stdout, args.events)?;
            }
            eprintln!("round {round}: {:8.1} ms  {}", millis(time), ["analyze", "grep"][contender]);
            if round > 0 {
                times[contender].push(time);
            }
        }
    }
    let bytes = fs::metadata(&trace).map_or(0, |metadata| metadata.len());
    let once = peak(analyze(&trace))?;
    // It makes room for the next one.
    fs::remove_file(&trace).map_err(|error| format!("{}: {error}", trace.display()))?;
    let twice = peak(analyze(&generate(&dir.0, 2 * args.events)?))?;

    let [ours, grep] = times;
    let figures = Figures { events: args.events, bytes, ours, grep, once, twice };
    let (text, met) = figures.judge();
    println!("{text}");
    if args.check && !met { Err("a target is missed".to_owned()) } else { Ok(()) }
}

fn generate(dir: &Path, events: u64) -> Result<PathBuf> {
    let path = dir.join(format!("desktop-{events}.txt"));
    eprintln!("writing {events} events to {}", path.display());
    let write = || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        desktop::write(events, &mut file)?;
        file.flush()?;
        // So that writing it back does not go on while others are timed.
        file.get_ref().sync_all()
    };
    write().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Whoever is compared must do the work.
fn check_work(ours: &Path, trace: &Path) -> Result {
    let mut command = Command::new(ours);
    command.args(["analyze", "--json"]).arg(trace);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    done(&command, Ok(output.status), &[1])?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{command:?} printed something else than a report: {error}"))?;
    let found = [&report["malformed"], &report["stuck"]];
    if found[0] != 0 || found[1] != true || report["verdicts"]["never"].as_u64() < Some(1) {
        return Err(format!("{command:?} did not find the fence that never signals: {found:?}"));
    }
    Ok(())
}

/// Most of the lines are about fences, the others about jobs.
fn check_count(printed: &[u8], events: u64) -> Result {
    let printed = String::from_utf8_lossy(printed);
    match printed.trim().parse::<u64>() {
        Ok(count) if (events / 2..=events).contains(&count) => Ok(()),
        _ => Err(format!("grep counted {printed:?} lines of {events}")),
    }
}

/// An error, unless it ended as it should.
fn done(command: &Command, status: std::io::Result<ExitStatus>, good: &[i32]) -> Result {
    match status {
        Ok(status) if status.code().is_some_and(|code| good.contains(&code)) => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// The most memory that a command has had, in KiB. The kernel knows it while the process lives, and it only
/// grows: what the last millisecond adds is missed.
fn peak(mut command: Command) -> Result<u64> {
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let mut peak = 0;
    loop {
        peak = peak_of(&child).unwrap_or(peak);
        if let Some(status) = child.try_wait().transpose() {
            done(&command, status, &[0, 1])?;
            break;
        }
        thread::sleep(TICK);
    }
    if peak == 0 { Err(format!("{command:?} was over before it was looked at")) } else { Ok(peak) }
}

fn peak_of(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    peak_in(&status)
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

struct Figures {
    events: u64,
    bytes: u64,
    ours: Vec<Duration>,
    grep: Vec<Duration>,
    /// KiB, of the file and of one twice as long.
    once: u64,
    twice: u64,
}

impl Figures {
    /// What is printed, and whether all targets that count are met.
    fn judge(mut self) -> (String, bool) {
        let (ours, grep) = (median(&mut self.ours), median(&mut self.grep));
        let rate = self.events as f64 / ours.as_secs_f64();
        let ratio = ours.as_secs_f64() / grep.as_secs_f64();
        // Others use the machine too: it counts only if the fastest runs say so as well.
        let fastest = self.ours[0].as_secs_f64() / self.grep[0].as_secs_f64();
        let fast = ratio <= MOST_TIMES_GREP || fastest <= MOST_TIMES_GREP;
        let growth = self.twice as f64 / self.once as f64;
        let lean = growth <= MOST_GROWTH;
        let met = |met: bool| if met { "met" } else { "NOT met" };
        let mut text = format!(
            "{} events, {} bytes, medians of {} interleaved runs, {} CPUs\n\n",
            self.events,
            self.bytes,
            self.ours.len(),
            thread::available_parallelism().map_or(0, usize::from)
        );
        for (name, median, times) in
            [("dma-fence analyze", ours, &self.ours), ("grep -c dma_fence", grep, &self.grep)]
        {
            let (first, last) = (millis(times[0]), millis(times[times.len() - 1]));
            let median = millis(median);
            let _ = writeln!(text, "{name}   {median:7.0} ms   {first:.0}–{last:.0} ms");
        }
        let _ = write!(
            text,
            "\n- {:.2} million events a second (≥ {}: {}, informational)\n\
             - ≤ {MOST_TIMES_GREP} × grep: {ratio:.2}, {fastest:.2} of the fastest, {}\n\
             - memory of twice as many events ≤ {MOST_GROWTH} ×: {} KiB, then {} KiB, {growth:.2}, {}\n",
            rate / 1e6,
            EVENTS_PER_SECOND / 1e6,
            met(rate >= EVENTS_PER_SECOND),
            met(fast),
            self.once,
            self.twice,
            met(lean)
        );
        (text, fast && lean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(ours: [u64; 3], grep: [u64; 3], once: u64, twice: u64) -> (String, bool) {
        let [ours, grep] = [ours, grep].map(|times| times.map(Duration::from_millis).to_vec());
        Figures { events: 2_000_000, bytes: 1, ours, grep, once, twice }.judge()
    }

    #[test]
    fn targets_are_judged() {
        let (text, met) = judge([500, 600, 400], [100, 120, 90], 8000, 8100);
        assert!(met && text.contains("4.00 million events a second (≥ 1: met"), "{text}");
        assert!(text.contains("≤ 5 × grep: 5.00, 4.44 of the fastest, met"), "{text}");
        assert!(text.contains("8000 KiB, then 8100 KiB, 1.01, met"), "{text}");
        // One run of grep was lucky. Somebody else was busy.
        assert!(judge([450, 460, 400], [100, 120, 60], 8000, 8100).1);
        assert!(judge([800, 900, 400], [100, 120, 90], 8000, 8100).1);
        let (text, met) = judge([800, 900, 700], [100, 120, 90], 8000, 8100);
        assert!(!met && text.contains("8.00, 7.78 of the fastest, NOT met"), "{text}");
        let (text, met) = judge([500, 600, 400], [100, 120, 90], 8000, 16000);
        assert!(!met && text.contains("2.00, NOT met"), "{text}");
        // The machine's business.
        let (text, met) = judge([5000, 6000, 4000], [1000, 1200, 900], 8000, 8100);
        assert!(met && text.contains("0.40 million events a second (≥ 1: NOT met"), "{text}");
    }

    #[test]
    fn the_peak_is_found() {
        assert_eq!(peak_in("Name:\tx\nVmPeak:\t 9999 kB\nVmHWM:\t    1234 kB\n"), Some(1234));
        // Of a process that has ended.
        assert_eq!(peak_in("Name:\tx\nState:\tZ (zombie)\n"), None);
        let mut command = Command::new("sleep");
        command.arg("0.1");
        assert!(peak(command).unwrap() > 100);
    }

    #[test]
    fn grep_has_to_count() {
        assert!(check_count(b"1500\n", 2000).is_ok());
        for bad in ["", "1\n", "2001\n"] {
            assert!(check_count(bad.as_bytes(), 2000).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_status_is_an_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 2"]);
        let status = command.status();
        assert!(done(&command, status, &[0, 1]).unwrap_err().contains("exit status: 2"));
        assert!(peak(Command::new("/no/such/command")).is_err());
    }
}
