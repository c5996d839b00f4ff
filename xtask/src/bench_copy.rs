//! How fast `dma-fence copy` is, against what people would use instead.
//!
//! The source is random, so that nothing can be saved on it, and in the page cache, so that the
//! storage does not decide. All contenders run in turn, round after round, each round beginning
//! with another one; before each run the destination is removed and the storage is idle. The first
//! round warms up and does not count.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    bench::{Directory, build, median, millis},
    shell::{self, Result},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Size of the file to copy, with an optional K, M, G (KiB, MiB, GiB)
    #[arg(long, default_value = "1GiB", value_parser = parse_size)]
    size: u64,

    /// How many times each contender runs; the table has the medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Where to copy; a new directory in it is used and removed [default: cargo's target directory]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Print the table as Markdown, for the README
    #[arg(long)]
    markdown: bool,
}

/// Who takes part. The order is that of the table.
const OURS: usize = 0;
const CP: usize = 1;
const CP_B3SUM: usize = 2;
const SERIAL: usize = 3;
const NAMES: [&str; 5] = [
    "dma-fence copy",
    "cp",
    "cp, then b3sum --num-threads 1",
    "dma-fence copy --sync serial",
    "dma-fence copy --engine threads",
];

/// (what ours is compared with, the ratio that is wanted, whether that ratio itself will do)
const TARGETS: [(usize, f64, bool); 3] =
    [(CP_B3SUM, 0.85, true), (CP, 1.15, true), (SERIAL, 1.0, false)];

pub(crate) fn run(args: &Args) -> Result {
    let ours = build()?;
    let b3sum = find_b3sum()?;
    let parent = args.dir.clone().unwrap_or_else(shell::target_dir);
    let dir = Directory::create(&parent, "bench-copy")?;
    let (source, destination) = (dir.0.join("source"), dir.0.join("destination"));
    eprintln!("writing {} random bytes to {}", args.size, source.display());
    write_random(&source, args.size).map_err(|error| format!("{}: {error}", source.display()))?;
    reread(&source)?;
    check_hash(&ours, &b3sum, &source, &destination)?;

    let copy = |options: &[&str]| {
        let mut command = Command::new(&ours);
        command.arg("copy").args([&source, &destination]).arg("--quiet").args(options);
        command
    };
    let cp = || {
        let mut command = Command::new("cp");
        command.args([&source, &destination]);
        command
    };
    let hash = || {
        let mut command = Command::new(&b3sum);
        command.args(["--num-threads", "1"]).arg(&destination).stdout(Stdio::null());
        command
    };
    let commands = |contender| match contender {
        OURS => vec![copy(&[])],
        CP => vec![cp()],
        CP_B3SUM => vec![cp(), hash()],
        SERIAL => vec![copy(&["--sync", "serial"])],
        _ => vec![copy(&["--engine", "threads"])],
    };

    let mut times = vec![Vec::new(); NAMES.len()];
    for round in 0..=args.rounds as usize {
        for turn in 0..NAMES.len() {
            let contender = (round + turn) % NAMES.len();
            settle(&destination)?;
            let mut commands = commands(contender);
            let started = Instant::now();
            for command in &mut commands {
                quietly(command)?;
            }
            let time = started.elapsed();
            eprintln!("round {round}: {:8.1} ms  {}", millis(time), NAMES[contender]);
            if round > 0 {
                times[contender].push(time);
            }
        }
    }
    println!("{}", table(args, times));
    Ok(())
}

/// b3sum from the PATH, or one that an earlier run installed, or installs it.
fn find_b3sum() -> Result<PathBuf> {
    let tools = shell::target_dir().join("tools");
    for candidate in [PathBuf::from("b3sum"), tools.join("bin/b3sum")] {
        if shell::succeeds(Command::new(&candidate).arg("--version")) {
            return Ok(candidate);
        }
    }
    let mut install = shell::cargo(["install", "--quiet", "b3sum", "--root"]);
    shell::run(install.arg(&tools))
        .map_err(|error| format!("b3sum is not on the PATH and could not be installed: {error}"))?;
    Ok(tools.join("bin/b3sum"))
}

fn write_random(path: &Path, size: u64) -> io::Result<()> {
    let mut random = io::BufReader::with_capacity(1 << 20, File::open("/dev/urandom")?).take(size);
    let mut file = File::create(path)?;
    io::copy(&mut random, &mut file)?;
    file.flush()?;
    file.sync_all()
}

/// Leaves the source in the page cache as reading does it, in large pieces: what a file that was just
/// written looks like there depends on how it was written.
fn reread(source: &Path) -> Result {
    let from = format!("if={}", source.display());
    // The first one reads nothing and drops the cache.
    quietly(Command::new("dd").args([&from, "iflag=nocache", "count=0", "status=none"]))?;
    quietly(Command::new("dd").args([&from, "of=/dev/null", "bs=1M", "status=none"]))
}

/// Whoever is compared must do the same work.
fn check_hash(ours: &Path, b3sum: &Path, source: &Path, destination: &Path) -> Result {
    let mut copy = Command::new(ours);
    let report = shell::output(copy.arg("copy").args([source, destination]).arg("--json"))?;
    let report: serde_json::Value = serde_json::from_str(&report)
        .map_err(|error| format!("--json printed {report}: {error}"))?;
    let theirs = shell::output(Command::new(b3sum).arg("--no-names").arg(destination))?;
    if report["blake3"] != theirs.trim() {
        return Err(format!("the hashes differ: {} and {}", report["blake3"], theirs.trim()));
    }
    Ok(())
}

/// Removes the destination, and lets the storage finish what earlier runs left it to do.
fn settle(destination: &Path) -> Result {
    match fs::remove_file(destination) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", destination.display()));
        }
        _ => {}
    }
    quietly(&mut Command::new("sync"))
}

/// Runs a command without showing it.
fn quietly(command: &mut Command) -> Result {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

fn table(args: &Args, mut times: Vec<Vec<Duration>>) -> String {
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    let ratio = |to: usize| medians[OURS].as_secs_f64() / medians[to].as_secs_f64();
    let mut text = format!(
        "{} bytes, medians of {} interleaved runs, {} CPUs\n\n",
        args.size,
        args.rounds,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    let mut rows =
        vec![["", "median", "fastest–slowest", "throughput", "ours is"].map(String::from)];
    for (contender, name) in NAMES.iter().enumerate() {
        let (times, median) = (&times[contender], medians[contender]);
        rows.push([
            (*name).to_owned(),
            format!("{:.0} ms", millis(median)),
            format!("{:.0}–{:.0} ms", millis(times[0]), millis(times[times.len() - 1])),
            format!("{:.2} GiB/s", args.size as f64 / median.as_secs_f64() / f64::from(1 << 30)),
            if contender == OURS { String::new() } else { format!("{:.2} ×", ratio(contender)) },
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        if args.markdown {
            text += &format!("| {} |\n", cells.join(" | "));
            if number == 0 {
                text += "|:---|---:|---:|---:|---:|\n";
            }
        } else {
            text += &format!("{}\n", cells.join("   "));
        }
    }
    text.push('\n');
    for (contender, wanted, inclusive) in TARGETS {
        let ratio = ratio(contender);
        let met = if ratio < wanted || (inclusive && ratio == wanted) { "met" } else { "NOT met" };
        let sign = if inclusive { "≤" } else { "<" };
        text += &format!("- {sign} {wanted} × ({}): {ratio:.2}, {met}\n", NAMES[contender]);
    }
    text
}

fn parse_size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err("a size is a number with K, M, G, KiB, MiB or GiB".into()),
    };
    let number: u64 = number.parse().map_err(|error| format!("{error}"))?;
    match number.checked_mul(1 << shift) {
        None | Some(0) => Err("that is no size for a file".into()),
        Some(size) => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(markdown: bool) -> Args {
        Args { size: 1 << 30, rounds: 3, dir: None, markdown }
    }

    fn times(medians: [u64; 5]) -> Vec<Vec<Duration>> {
        let spread = |ms| [ms + 9, ms - 9, ms].map(Duration::from_millis).to_vec();
        medians.into_iter().map(spread).collect()
    }

    #[test]
    fn targets_are_judged_by_medians() {
        let text = table(&args(true), times([850, 800, 1000, 850, 900]));
        assert!(text.contains("≤ 0.85 × (cp, then b3sum --num-threads 1): 0.85, met"), "{text}");
        assert!(text.contains("≤ 1.15 × (cp): 1.06, met"), "{text}");
        assert!(text.contains("< 1 × (dma-fence copy --sync serial): 1.00, NOT met"), "{text}");
        assert!(text.contains(" 850 ms | "), "{text}");
        assert!(text.contains("841–859 ms"), "{text}");
        let text = table(&args(false), times([1160, 1000, 1300, 2000, 900]));
        assert!(
            text.contains("): 0.89, NOT met") && text.contains("(cp): 1.16, NOT met"),
            "{text}"
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("12"), Ok(12));
        for bad in ["", "0", "G", "1TB", "-1", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
