//! What all benchmarks of the command do alike.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::shell::{self, Result};

/// Builds the command as `cargo run --release` would.
pub(crate) fn build() -> Result<PathBuf> {
    shell::run(&mut shell::cargo(["build", "--release", "--package", "dma-fence-cli"]))?;
    Ok(shell::target_dir().join("release/dma-fence"))
}

/// A new directory, removed with everything in it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn create(parent: &Path, name: &str) -> Result<Self> {
        let dir = parent.join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sorts, too.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2 }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let ms =
            |list: &[u64]| list.iter().map(|&ms| Duration::from_millis(ms)).collect::<Vec<_>>();
        assert_eq!(median(&mut ms(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(median(&mut ms(&[9, 1, 5, 7])), Duration::from_millis(6));
        assert_eq!(median(&mut ms(&[4])), Duration::from_millis(4));
    }
}
