//! `cargo xtask kernel bench`

mod figures;
mod picture;
mod report;

use std::{fs, path::Path, process::Command, time::Duration};

use super::{arch::Arch, at, build, guest, object, place::Place};
use crate::{
    rig::outcome,
    shell::{self, Result},
    tools,
};
use figures::Figures;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// Print the report, and leave kernel/RESULTS.md and its picture as they are
    #[arg(long)]
    dry: bool,
}

const LIMIT: Duration = Duration::from_secs(600);

/// Both arrays in one kernel, which checks nothing, on two CPUs.
pub(super) fn run(args: &Args) -> Result {
    tools::install(tools::BUILD_KERNEL, "building a kernel")?;
    let made = args.place.tree(Some(&object::build_checked()?))?;
    let dir = made.build_dir("bench");
    let arch = Arch::Um;
    build::build(&made.tree, &dir, arch, include_str!("bench/um.config"), &[arch.target()])?;
    let log = dir.join("console.log");
    let kernel = arch.command(&dir, 2, "bench-*");
    outcome::report(&guest::run(kernel, "um, 2 CPUs", LIMIT, &log)?)?;

    let console = fs::read_to_string(&log).map_err(at(&log))?;
    let figures = Figures::of(&console)?;
    let report = report::markdown(&figures, &machine(&console)?)?;
    if args.dry {
        print!("{report}");
        return Ok(());
    }
    let home = shell::root().join("kernel");
    write(&home.join("RESULTS.md"), &report)?;
    write(&home.join("results.svg"), &picture::svg(&figures)?)
}

fn write(path: &Path, text: &str) -> Result {
    println!("{}", path.display());
    fs::write(path, text).map_err(at(path))
}

/// What the figures are of: the kernel, its compiler, and the processor.
fn machine(console: &str) -> Result<String> {
    let version = console.lines().find_map(|line| line.strip_prefix("Linux version "));
    let version = version.and_then(|line| line.split(' ').next()).unwrap_or("?");
    let compiler = shell::output(Command::new("cc").arg("-dumpfullversion"))?;
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("?", |model| model.trim_start_matches([' ', '\t', ':']));
    Ok(format!("Linux {version}, User Mode Linux on 2 CPUs ({model}), gcc {}", compiler.trim()))
}
