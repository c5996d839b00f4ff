//! `cargo xtask kernel test`

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{arch::Arch, build, guest, object, place::Place};
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
    /// "object" only checks the object; "programs" only runs the programs that --arch x86 ends with.
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

pub(super) fn run(args: &Args) -> Result {
    tools::install(tools::BUILD_KERNEL, "building a kernel")?;
    if args.arch == Arch::X86 {
        tools::install(tools::RUN, "running a kernel")?;
    }
    let mut outcomes = Vec::new();
    let object = if args.baseline {
        None
    } else {
        let (object, checks) = object::build()?;
        outcomes = checks;
        if let Some(filter) = args.filter.as_deref() {
            outcomes.retain(|check| {
                check.verdict != Verdict::Passed || check.test.replace("::", ".") == filter
            });
        }
        Some(object)
    };
    // What cannot be linked need not be tried.
    let is_sound = outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed);
    if is_sound && !args.filter.as_deref().is_some_and(|filter| filter.starts_with("object")) {
        let dir = build(args, object.as_deref())?;
        if args.prepare {
            return Ok(());
        }
        let filter = args.filter.as_deref();
        if filter != Some("programs") {
            for cpus in [1, 2] {
                outcomes.extend(run_suites(args, &dir, cpus)?);
            }
        }
        if args.arch == Arch::X86 && filter.is_none_or(|filter| filter == "programs") {
            outcomes.extend(run_programs(&dir)?);
        }
    }
    outcome::report(&outcomes)
}

/// Where the kernel is.
fn build(args: &Args, object: Option<&Path>) -> Result<PathBuf> {
    let made = args.place.tree(object)?;
    let dir = made.build_dir(args.arch.name());
    let arch = args.arch;
    build::build(&made.tree, &dir, arch, arch.configuration(), &[arch.target()])?;
    Ok(dir)
}

fn run_suites(args: &Args, dir: &Path, cpus: u32) -> Result<Vec<Outcome>> {
    let globs = args.filter.as_deref().map_or(SUITES.to_vec(), |filter| vec![filter]);
    let name = format!("{}, {cpus} CPU{}", args.arch.name(), if cpus == 1 { "" } else { "s" });
    let mut outcomes = Vec::new();
    for (number, glob) in globs.into_iter().enumerate() {
        let kernel = args.arch.command(dir, cpus, &format!("kunit.filter_glob={glob}"));
        let log = dir.join(format!("console-{cpus}-{number}.log"));
        outcomes.extend(guest::run(kernel, &name, Duration::from_secs(args.timeout), &log)?);
    }
    if args.baseline {
        outcomes.iter_mut().for_each(excuse);
    }
    Ok(outcomes)
}

/// Programs that use sync files, on this kernel as on others: what one of the rig's tests says of itself.
fn run_programs(dir: &Path) -> Result<Vec<Outcome>> {
    // KUnit's suites have run, and would run again.
    let image = dir.join(Arch::X86.image());
    rig::run_on_image(image, "vgem,sw_sync", "kunit.enable=0", &PROGRAMS)
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
