//! `cargo xtask kernel test`

use std::{path::Path, thread, time::Duration};

use super::{
    arch::Arch,
    build, drivers, guest, object,
    place::{Made, Place},
};
use crate::{
    rig::{
        self,
        outcome::{self, Outcome, Verdict},
    },
    shell::Result,
    tools,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// Which kind of machine
    #[arg(long, value_enum, default_value_t = Arch::Um)]
    arch: Arch,

    /// The same tests on the kernel's own array, untouched
    ///
    /// What that one does not promise is shown as skipped.
    #[arg(long)]
    baseline: bool,

    /// Run only the suites, or suite.case, that match this pattern
    ///
    /// "object" only checks the object. Of what --arch x86 does besides, "programs" only runs the programs, and
    /// "drivers" only compiles the drivers; "drivers.xe" one of them.
    #[arg(long, value_name = "GLOB")]
    filter: Option<String>,

    /// Only install, fetch and build what is needed
    #[arg(long)]
    prepare: bool,

    /// How long a kernel may run
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// The kernel's own suites of fences and of the scheduler, and ours. The scheduler's measurements are no tests.
const SUITES: [&str; 2] = ["dma-*", "drm_sched_[!s]*"];

/// Tests of `cargo xtask rig` in which the kernel makes arrays.
const PROGRAMS: [&str; 4] = ["thousand::", "sync_file::", "differential::", "sw_sync::"];

/// What the kernel's own array does otherwise, each by one of our tests.
const OTHERWISE: &[&str] = &[
    "dma-fence-array-orders::members_that_must_be_asked_are_asked_while_somebody_waits",
    "dma-fence-array-orders::one_callback_is_registered_at_a_time",
    "dma-fence-array-results::the_first_error_in_time_counts",
    "dma-fence-array-results::the_first_error_counts_when_nobody_waits",
    "dma-fence-array-results::the_first_error_counts_for_who_comes_late",
    "dma-fence-array-results::a_pending_array_shows_no_error",
    "dma-fence-array-results::among_errors_of_one_time_the_lowest_member_counts",
    "dma-fence-array-results::the_time_is_that_of_the_last_member",
    "dma-fence-array-life::an_array_has_one_size",
];

/// What a filter may name beside suites.
const PARTS: [&str; 3] = ["object", "programs", "drivers"];

impl Args {
    fn wants(&self, part: &str) -> bool {
        let Some(filter) = self.filter.as_deref() else { return true };
        let named = PARTS.into_iter().find(|name| filter.split('.').next() == Some(name));
        named.unwrap_or("suites") == part
    }

    /// Whether a test of a part that a filter may name is to be run.
    fn selects(&self, test: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| test.replace("::", ".").starts_with(filter))
    }
}

pub(super) fn run(args: &Args) -> Result {
    tools::install(tools::BUILD_KERNEL, "building a kernel")?;
    if args.arch == Arch::X86 {
        tools::install(tools::RUN, "running a kernel")?;
    }
    let (object, mut outcomes) = match args.baseline {
        true => (None, Vec::new()),
        false => object::build().map(|(object, checks)| (Some(object), checks))?,
    };
    // What cannot be linked need not be tried.
    let is_sound = outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed);
    outcomes.retain(|check| check.verdict != Verdict::Passed || args.selects(&check.test));
    if is_sound && (args.filter.is_none() || !args.wants("object")) {
        let made = args.place.tree(object.as_deref())?;
        if args.wants("suites") || args.wants("programs") {
            outcomes.extend(run_kernel(args, &made)?);
        }
        // On the header as it was they compile.
        if args.arch == Arch::X86 && !args.baseline && !args.prepare && args.wants("drivers") {
            outcomes.extend(drivers::compile(&made, |test| args.selects(test))?);
        }
    }
    if args.prepare { Ok(()) } else { outcome::report(&outcomes) }
}

fn run_kernel(args: &Args, made: &Made) -> Result<Vec<Outcome>> {
    let dir = made.build_dir(args.arch.name());
    let (arch, configuration) = (args.arch, args.arch.configuration());
    build::build(&made.tree, &dir, arch, configuration, &[arch.target()])?;
    let mut outcomes = Vec::new();
    if args.prepare {
        return Ok(outcomes);
    }
    if args.wants("suites") {
        outcomes = run_suites(args, &dir)?;
    }
    if args.arch == Arch::X86 && args.wants("programs") {
        outcomes.extend(run_programs(&dir)?);
    }
    Ok(outcomes)
}

/// On a kernel for each pattern and number of CPUs.
fn run_suites(args: &Args, dir: &Path) -> Result<Vec<Outcome>> {
    let globs = args.filter.as_deref().map_or(SUITES.to_vec(), |filter| vec![filter]);
    let kernels = [1, 2].into_iter().flat_map(|cpus| globs.iter().map(move |glob| (cpus, *glob)));
    let kernels: Vec<_> = kernels.enumerate().collect();
    let mut outcomes = Vec::new();
    for together in kernels.chunks(args.arch.kernels_at_once()) {
        for ended in run_together(args, dir, together) {
            outcomes.extend(ended?);
        }
    }
    if args.baseline {
        outcomes.iter_mut().for_each(excuse);
    }
    outcomes.iter_mut().for_each(excuse_scheduler);
    Ok(outcomes)
}

type Kernel<'a> = (usize, (u32, &'a str));

fn run_together(args: &Args, dir: &Path, kernels: &[Kernel]) -> Vec<Result<Vec<Outcome>>> {
    thread::scope(|scope| {
        let start = |&(number, (cpus, glob)): &Kernel| {
            let glob = glob.to_owned();
            scope.spawn(move || run_suite(args, dir, number, cpus, &glob))
        };
        let running: Vec<_> = kernels.iter().map(start).collect();
        running.into_iter().map(|kernel| kernel.join().expect("it does not panic")).collect()
    })
}

fn run_suite(
    args: &Args,
    dir: &Path,
    number: usize,
    cpus: u32,
    glob: &str,
) -> Result<Vec<Outcome>> {
    let name = format!("{}, {cpus} CPU{}", args.arch.name(), if cpus == 1 { "" } else { "s" });
    let kernel = args.arch.command(dir, cpus, glob);
    let log = dir.join(format!("console-{number}.log"));
    guest::run(kernel, &name, Duration::from_secs(args.timeout), &log)
}

/// Programs that use sync files, on this kernel as on others: what one of the rig's tests says of itself.
fn run_programs(dir: &Path) -> Result<Vec<Outcome>> {
    // KUnit's suites have run, and would run again.
    let image = dir.join(Arch::X86.image());
    rig::run_on_image(image, "vgem,sw_sync,virtio_gpu", "kunit.enable=0", &PROGRAMS)
}

/// The kernel's own array may fail where it promises nothing.
fn excuse(outcome: &mut Outcome) {
    let otherwise = OTHERWISE.iter().any(|test| outcome.test.ends_with(test));
    if let (true, Verdict::Failed(how)) = (otherwise, &outcome.verdict) {
        let said: Vec<&str> = how.lines().map(str::trim).filter(|l| !l.starts_with('#')).collect();
        let why = format!("the kernel's own array does not do that: {}", said.join(" "));
        outcome.verdict = Verdict::Skipped(why);
    }
}

/// The scheduler's tests free their jobs while a worker has them still, and look at jobs that it is through with.
/// KASAN sees that now and then; nothing of an array is in it.
fn excuse_scheduler(outcome: &mut Outcome) {
    let Verdict::Failed(how) = &outcome.verdict else { return };
    let seen = how
        .lines()
        .next()
        .filter(|line| line.contains("BUG: KASAN: ") && line.contains(" in drm_sched_"));
    let has_array = ["dma_fence_array", "dfa_"].iter().any(|name| how.contains(name));
    if let (Some(seen), true, false) = (seen, outcome.test.contains(" drm_sched_"), has_array) {
        outcome.verdict = Verdict::Skipped(format!("it uses a job that is gone: {seen}"));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn with(filter: &[&str]) -> Args {
        Line::parse_from([&["test"], filter].concat()).args
    }

    #[test]
    fn a_filter_is_of_one_part() {
        let parts = || PARTS.into_iter().chain(["suites"]);
        assert!(parts().all(|part| with(&[]).wants(part)));
        for (filter, part) in [
            ("object", "object"),
            ("drivers.xe", "drivers"),
            ("programs", "programs"),
            ("dma-*", "suites"),
            ("dma-buf-fence.test_stub", "suites"),
        ] {
            let args = with(&["--filter", filter]);
            assert!(parts().all(|other| args.wants(other) == (other == part)), "{filter}");
        }
    }

    #[test]
    fn a_filter_names_a_part_or_one_test_of_it() {
        let selects = |filter: &[&str], test| with(filter).selects(test);
        assert!(selects(&[], "drivers::xe"));
        assert!(selects(&["--filter", "drivers"], "drivers::xe"));
        assert!(selects(&["--filter", "drivers.xe"], "drivers::xe"));
        assert!(!selects(&["--filter", "drivers.xe"], "drivers::i915"));
        assert!(!selects(&["--filter", "dma-*"], "object::it_cannot_panic"));
    }

    #[test]
    fn the_scheduler_is_excused_where_no_array_is_in_it() {
        let excused = |test: &str, how: &str| {
            let mut outcome = Outcome::failed(test, how);
            excuse_scheduler(&mut outcome);
            matches!(outcome.verdict, Verdict::Skipped(_))
        };
        let (theirs, ours) =
            ("x86, 1 CPU: drm_sched_basic_tests::a", "x86, 1 CPU: dma-buf-resv::a");
        let seen = "the kernel complains: BUG: KASAN: slab-use-after-free in drm_sched_job_cleanup";
        assert!(excused(theirs, seen));
        assert!(!excused(ours, seen));
        assert!(!excused(theirs, &format!("{seen}\n dfa_enable+0x3")));
        assert!(!excused(theirs, "the kernel complains: BUG: KASAN: wild-memory-access in a"));
        assert!(!excused(theirs, "not ok"));
        assert!(!excused(theirs, "the kernel complains: WARNING: a"));
    }
}
