//! The array algorithm inside Linux: the object, the tree, and what the kernel's own tests say.
//!
//! `kernel/` has the sources. A kernel is fetched from Debian or given; the tree that is edited and built is
//! a copy of it in hard links, so that a run after the first builds only what has changed.

mod arch;
mod build;
mod check;
mod edit;
mod guest;
mod object;
mod source;
mod suites;
mod test;
mod tree;

use std::{
    env,
    path::{self, Path, PathBuf},
};

use crate::shell::{self, Result};

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
}

pub(crate) fn run(args: &Args) -> Result {
    match &args.verb {
        Verb::Object => object::build_checked().map(|path| println!("{}", path.display())),
        Verb::Apply { tree } => {
            let object = object::build_checked()?;
            edit::apply(tree, tree, Some(&object))
        }
        Verb::Test(args) => test::run(args),
    }
}

/// Where sources and builds are kept unless somebody says otherwise.
pub(crate) fn default_cache() -> Result<PathBuf> {
    let inherited = env::var_os("DMA_FENCE_KERNEL_CACHE").map(PathBuf::from);
    let dir = inherited.unwrap_or_else(|| shell::target_dir().join("kernel"));
    path::absolute(&dir).map_err(at(&dir))
}

/// Says with which file something went wrong.
fn at(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
