//! Where the sources come from, and where what is made of them is kept.

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};

use super::{at, source, tree};
use crate::shell::{self, Result};

#[derive(clap::Args)]
pub(super) struct Place {
    /// The kernel's sources, a directory or an archive [default: the newest that Debian has]
    #[arg(long, value_name = "DIR|TARBALL")]
    source: Option<PathBuf>,

    /// Where sources and builds are kept between runs; remove it for a newer kernel
    ///
    /// The default comes from DMA_FENCE_KERNEL_CACHE, else it is `kernel` in cargo's target directory.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// A tree with an array in it.
pub(super) struct Made {
    pub(super) tree: PathBuf,
    builds: PathBuf,
}

impl Place {
    /// The sources with the algorithm that is in `object`, or with the kernel's own.
    pub(super) fn tree(&self, object: Option<&Path>) -> Result<Made> {
        let cache = match &self.cache {
            Some(dir) => path::absolute(dir).map_err(at(dir))?,
            None => default_cache()?,
        };
        fs::create_dir_all(&cache).map_err(at(&cache))?;
        let source = source::get(self.source.as_deref(), &cache)?;
        let tree = tree::make(&source, &cache, object)?;
        Ok(Made { tree, builds: cache.join("builds") })
    }
}

impl Made {
    /// Where a kernel of that kind is built.
    pub(super) fn build_dir(&self, kind: &str) -> PathBuf {
        let name = self.tree.file_name().expect("it has been made").to_string_lossy();
        self.builds.join(format!("{name}-{kind}"))
    }
}

/// Where they are kept unless somebody says otherwise.
pub(crate) fn default_cache() -> Result<PathBuf> {
    let inherited = env::var_os("DMA_FENCE_KERNEL_CACHE").map(PathBuf::from);
    let dir = inherited.unwrap_or_else(|| shell::target_dir().join("kernel"));
    path::absolute(&dir).map_err(at(&dir))
}
