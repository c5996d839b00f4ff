//! The tests on a known kernel, with devices that few machines have, in a virtual machine.
//!
//! The kernel is Debian's, from a package that is unpacked and not installed, or built from one. The guest has no disk: the
//! initramfs holds the tests, busybox and the kernel's modules. `rig/init.sh` runs the tests one by one, and
//! what it prints is what is known of them here.

pub(crate) mod apt;
mod binaries;
mod cpio;
mod guest;
mod host;
mod initramfs;
pub(crate) mod kernel;
pub(crate) mod outcome;
pub(crate) mod transcript;

use std::{
    env, fs,
    path::{self, PathBuf},
    time::Duration,
};

use crate::{
    shell::{self, Result, at},
    tools,
};
use binaries::Test;
use kernel::Kernel;
use outcome::Outcome;

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Run only the tests whose name, file::test, contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Instead of running the tests, give a shell in the guest, which has them in /tests
    #[arg(long, conflicts_with = "filter")]
    shell: bool,

    /// Instead of running the tests, run the benchmarks and print their tables
    ///
    /// The machine is emulated: only the ratios say something.
    #[arg(long, conflicts_with_all = ["filter", "shell"])]
    bench: bool,

    /// Keep the initramfs and the console's log, and say where
    #[arg(long)]
    keep: bool,

    /// On the newest kernel that Debian has the source of, built with sw_sync and lock debugging
    ///
    /// The first time takes a quarter of an hour or more. What lock debugging reports is a failure.
    #[arg(long)]
    kernel_source: bool,

    /// Only install and download what is needed
    #[arg(long)]
    prepare: bool,

    /// How long the guest may take [default: 900]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    /// Where the kernel is kept between runs; remove it for a newer one
    ///
    /// The default comes from DMA_FENCE_RIG_CACHE, else it is `rig` in cargo's target directory.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Args {
    /// `--prepare`
    pub(crate) fn prepare() -> Self {
        Args { prepare: true, ..Args::default() }
    }
}

/// As the emulator is slow and the machine may be busy: only what hangs takes that long.
const TIMEOUT: u64 = 900;

pub(crate) fn run(args: &Args) -> Result {
    tools::install(tools::RUN, "the rig")?;
    let cache = cache(args)?;
    let kernel = if args.kernel_source { kernel::source(&cache)? } else { kernel::stock(&cache)? };
    if args.prepare {
        return Ok(());
    }
    let filter = args.filter.as_deref().unwrap_or("");
    match run_on(&kernel, args, &[filter])? {
        Some(outcomes) => outcome::report(&outcomes),
        None => Ok(()),
    }
}

/// Tests whose names contain one of those texts, on a kernel that somebody has built, which has no modules.
pub(crate) fn run_on_image(
    image: PathBuf,
    devices: &'static str,
    options: &'static str,
    filters: &[&str],
) -> Result<Vec<Outcome>> {
    let args = Args::default();
    let stock = kernel::stock(&cache(&args)?)?;
    let kernel = Kernel { image, modules: Vec::new(), devices, options, ..stock };
    Ok(run_on(&kernel, &args, filters)?.unwrap_or_default())
}

/// What is for the person at the terminal has no outcome.
fn run_on(kernel: &Kernel, args: &Args, filters: &[&str]) -> Result<Option<Vec<Outcome>>> {
    let dir = Directory::create(args.keep)?;
    let initramfs = dir.path.join("initramfs.cpio");
    if args.bench {
        initramfs::write(&initramfs, kernel, &binaries::build_benches()?, &[])?;
        return guest::attended(kernel, &initramfs, "bench").map(|()| None);
    }
    let binaries = binaries::build()?;
    let is_wanted = |test: &Test| filters.iter().any(|filter| test.to_string().contains(filter));
    let tests: Vec<Test> = binaries.tests()?.into_iter().filter(is_wanted).collect();
    if tests.is_empty() {
        return Err(format!("no test's name contains {filters:?}"));
    }
    // What compares with files of the package needs a compiler, and no device.
    let (on_host, in_guest): (Vec<_>, Vec<_>) = tests.into_iter().partition(host::runs);

    initramfs::write(&initramfs, kernel, &binaries, &in_guest)?;
    if args.shell {
        return guest::attended(kernel, &initramfs, "shell").map(|()| None);
    }
    let mut outcomes = Vec::new();
    for test in &on_host {
        outcomes.push(host::run(test, &binaries, kernel)?);
    }
    if !in_guest.is_empty() {
        let limit = Duration::from_secs(args.timeout.unwrap_or(TIMEOUT));
        let log = dir.path.join("console.log");
        outcomes.extend(guest::run(kernel, &initramfs, &in_guest, limit, &log)?);
    }
    Ok(Some(outcomes))
}

fn cache(args: &Args) -> Result<PathBuf> {
    match &args.cache {
        Some(dir) => path::absolute(dir).map_err(at(dir)),
        None => default_cache(),
    }
}

/// Where kernels are kept unless somebody says otherwise.
pub(crate) fn default_cache() -> Result<PathBuf> {
    let inherited = env::var_os("DMA_FENCE_RIG_CACHE").map(PathBuf::from);
    let dir = inherited.unwrap_or_else(|| shell::target_dir().join("rig"));
    path::absolute(&dir).map_err(at(&dir))
}

/// A new directory for one run.
struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    fn create(keep: bool) -> Result<Self> {
        let path = shell::target_dir().join(format!("rig-run-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(at(&path))?;
        Ok(Self { path, keep })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("initramfs and console.log are in {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
