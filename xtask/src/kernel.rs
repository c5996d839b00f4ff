//! The array algorithm inside Linux: the object, the tree, and what the kernel's own tests say.
//!
//! `kernel/` has the sources. A kernel is fetched from Debian or given; the tree that is edited and built is
//! a copy of it in hard links, so that a run after the first builds only what has changed.

mod arch;
mod bench;
mod build;
mod check;
mod drivers;
mod edit;
mod guest;
mod object;
mod place;
mod source;
mod suites;
mod test;
mod tree;

use std::path::PathBuf;

use crate::shell::{Result, at};
pub(crate) use place::default_cache;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Build the object with the algorithm, and check that it can be linked into a kernel
    Object,
    /// Edit a kernel's source tree of your own, so that it builds with the algorithm
    ///
    /// Doing it again only brings the project's own files up to date.
    Apply {
        /// The root of the tree
        tree: PathBuf,
    },
    /// Build a kernel with the algorithm and run its tests, and the project's, in it
    Test(test::Args),
    /// Measure the array beside the kernel's own, in one kernel, and write kernel/RESULTS.md
    Bench(bench::Args),
}

pub(crate) fn run(args: &Args) -> Result {
    match &args.verb {
        Verb::Object => object::build_checked().map(|path| println!("{}", path.display())),
        Verb::Apply { tree } => {
            let object = object::build_checked()?;
            edit::apply(tree, tree, Some(&object))
        }
        Verb::Test(args) => test::run(args),
        Verb::Bench(args) => bench::run(args),
    }
}
