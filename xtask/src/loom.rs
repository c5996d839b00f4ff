//! The concurrency models.
//!
//! A model is a test in `crates/*/tests/loom_*.rs`, or in a module `model` where it needs what is private.
//! Under `--cfg loom` the atomics, cells and locks
//! of the crates are loom's, which runs the model in every order that threads can take.

use std::{env, fs, path::Path};

use crate::shell::{self, Result};

/// Every bug planted so far is found with that.
pub(crate) const PREEMPTIONS: &str = "2";

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Run only the models whose file name contains this, and no private ones
    filter: Option<String>,

    /// How often a model may switch threads where it need not; more takes exponentially longer
    ///
    /// The default comes from LOOM_MAX_PREEMPTIONS, else it is 2: every bug planted so far was found
    /// with that, and each one more multiplies the time.
    #[arg(long, value_name = "N")]
    preemptions: Option<u32>,
}

pub(crate) fn run(args: &Args) -> Result {
    let filter = args.filter.as_deref().unwrap_or("");
    let preemptions = match (args.preemptions, env::var("LOOM_MAX_PREEMPTIONS")) {
        (Some(given), _) => given.to_string(),
        (None, Ok(inherited)) => inherited,
        (None, Err(_)) => PREEMPTIONS.into(),
    };
    let mut found = false;
    for package in ["dma-fence", "dma-fence-engines"] {
        let tests = shell::root().join("crates").join(package).join("tests");
        let models: Vec<_> = models_in(&tests).into_iter().filter(|m| m.contains(filter)).collect();
        if models.is_empty() {
            continue;
        }
        found = true;
        // Optimised: a model of a second here takes a minute without.
        let mut command = shell::cargo(["test", "--release", "--package", package]);
        if args.filter.is_none() {
            command.arg("--lib");
        }
        for model in &models {
            command.args(["--test", model]);
        }
        command
            .env("RUSTFLAGS", "--cfg loom")
            // Its own, so that other builds are not thrown away with each change of RUSTFLAGS.
            .env("CARGO_TARGET_DIR", shell::target_dir().join("loom"))
            .env("LOOM_MAX_PREEMPTIONS", &preemptions);
        shell::run(&mut command)?;
    }
    if found { Ok(()) } else { Err(format!("no model tests/loom_*{filter}*.rs in any crate")) }
}

/// The names of the models in a folder of tests, sorted.
fn models_in(tests: &Path) -> Vec<String> {
    let entries = fs::read_dir(tests).into_iter().flatten().flatten();
    let mut models: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let model = name.strip_suffix(".rs")?;
            model.starts_with("loom_").then(|| model.to_owned())
        })
        .collect();
    models.sort();
    models
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_name() {
        let dir = env::temp_dir().join(format!("xtask-loom-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for name in ["loom_b.rs", "loom_a.rs", "bloom_c.rs", "loom_d.txt"] {
            fs::write(dir.join(name), "").unwrap();
        }
        let models = models_in(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(models, ["loom_a", "loom_b"]);
        assert!(models_in(&dir).is_empty());
    }
}
