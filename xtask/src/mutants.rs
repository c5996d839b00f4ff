//! Mutation testing of the core: would a test fail if this were wrong?
//!
//! cargo-mutants changes one thing at a time and runs the core's tests. A mutant that no test notices
//! has survived; docs/mutants.md explains each one that may.

use std::{fs, path::Path};

use crate::shell::{self, Result};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change only the files that match this, as in '**/list.rs'
    #[arg(long, value_name = "GLOB")]
    file: Vec<String>,

    /// Test only the K-th of N parts, counted from 0
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,

    /// How many mutants are built and tested at once, each in its own copy
    ///
    /// Tests that race or wait find less on a machine that is overloaded.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u32,
}

/// Where survivors are explained.
const EXPLAINED: &str = "docs/mutants.md";

/// The names of the mutants of what is compiled without std only.
const WITHOUT_STD: &str = r"^crates/dma-fence/src/(platform|callback/drain/table)\.rs:";

/// The names of the mutants of what does all its work with other features only.
const WITH_FEATURES: &str = r"^crates/dma-fence/src/(contract|taint|trace|wait/blocking)";

/// Each mutant is tested in the one of the builds that has it.
const PASSES: [(&str, &[&str]); 3] = [
    ("std", &["--exclude-re", WITHOUT_STD, "--exclude-re", WITH_FEATURES]),
    ("no-std", &["--no-default-features", "--re", WITHOUT_STD]),
    ("all-features", &["--all-features", "--re", WITH_FEATURES]),
];

/// What became of the mutants.
#[derive(Default)]
struct Outcomes {
    caught: usize,
    hung: usize,
    unviable: usize,
    /// Their names.
    survived: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result {
    if !shell::succeeds(&mut shell::cargo(["mutants", "--version"])) {
        return Err(
            "cargo-mutants is not installed; `cargo install --locked cargo-mutants` does it".into(),
        );
    }
    let document = fs::read_to_string(shell::root().join(EXPLAINED))
        .map_err(|error| format!("{EXPLAINED}: {error}"))?;
    let mut outcomes = Outcomes::default();
    for (name, options) in PASSES {
        let output = shell::target_dir().join("mutants").join(name);
        run_pass(args, options, &output)?;
        outcomes.add(&output.join("mutants.out"))?;
    }
    outcomes.judge(&explained(&document))
}

fn run_pass(args: &Args, options: &[&str], output: &Path) -> Result {
    let mut command = shell::cargo(["mutants", "--package", "dma-fence", "--output"]);
    command.arg(output).args(options).args(["--jobs", &args.jobs.to_string()]);
    for glob in &args.file {
        command.args(["--file", glob]);
    }
    if let Some(shard) = &args.shard {
        command.args(["--shard", shard]);
    }
    // Every copy of the sources is built in itself.
    command.env_remove("CARGO_TARGET_DIR");
    match shell::status(&mut command)?.code() {
        // All caught, some missed, some hung: which of them matters is for us to say.
        Some(0 | 2 | 3) => Ok(()),
        _ => Err("cargo-mutants failed; what it says above is the reason".into()),
    }
}

impl Outcomes {
    /// Adds the lists that cargo-mutants has left in a folder.
    fn add(&mut self, dir: &Path) -> Result {
        self.caught += list(dir, "caught.txt")?.len();
        self.hung += list(dir, "timeout.txt")?.len();
        self.unviable += list(dir, "unviable.txt")?.len();
        self.survived.extend(list(dir, "missed.txt")?);
        Ok(())
    }

    /// Says how it went; fails if a mutant survived that is not explained.
    fn judge(self, explained: &[&str]) -> Result {
        let Outcomes { caught, hung, unviable, survived } = self;
        let (viable, survivors) = (caught + hung + survived.len(), survived.len());
        let unexplained = without(survived, explained);
        for name in &unexplained {
            eprintln!("survived: {name}");
        }
        eprintln!(
            "{viable} mutants: {caught} caught, {hung} hung, {survivors} survived; \
             {unviable} more did not compile"
        );
        match unexplained.len() {
            0 => Ok(()),
            n => Err(format!("{n} survivors are not in {EXPLAINED}: kill or explain them")),
        }
    }
}

/// The names in a list of cargo-mutants.
fn list(dir: &Path, list: &str) -> Result<Vec<String>> {
    let path = dir.join(list);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().map(without_position).collect())
}

/// `path:line:column: what` without the position, which every edit above it moves.
fn without_position(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(path), Some(what)) => format!("{path}:{what}"),
        _ => name.to_owned(),
    }
}

/// The survivors that the document explains: its items of the form "- `name`: reason".
fn explained(document: &str) -> Vec<&str> {
    let items = document.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    items.filter(|(_, reason)| !reason.is_empty()).map(|(name, _)| name).collect()
}

/// What is left of `names` when one is taken out for each of `taken`.
///
/// Several mutants can have one name; each has to be explained.
fn without(mut names: Vec<String>, taken: &[&str]) -> Vec<String> {
    for name in taken {
        if let Some(index) = names.iter().position(|other| other == name) {
            names.remove(index);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\
Text with `code`: no item.

- `a.rs: replace || with && in f`: the same either way.
- `a.rs: delete ! in g`: twice the same name,
- `a.rs: delete ! in g`: and each is explained.
- `a.rs: replace h with ()`
- `a.rs: replace i with ()`: 
";

    fn outcomes(survived: &[&str]) -> Outcomes {
        let survived = survived.iter().copied().map(without_position).collect();
        Outcomes { survived, ..Outcomes::default() }
    }

    #[test]
    fn survivors_need_an_explanation_wherever_they_stand() {
        let explained = explained(DOCUMENT);
        assert_eq!(explained.len(), 3, "a name without a reason is no explanation");
        let known = ["a.rs:1:2: replace || with && in f", "a.rs:7:7: delete ! in g"];
        assert!(outcomes(&known).judge(&explained).is_ok());
        for new in ["a.rs:1:2: replace || with && in other", "a.rs:9:9: replace h with ()"] {
            assert!(outcomes(&[known[0], new]).judge(&explained).is_err(), "{new}");
        }
    }

    #[test]
    fn mutants_of_one_name_are_explained_one_by_one() {
        let explained = explained(DOCUMENT);
        let thrice =
            ["a.rs:3:1: delete ! in g", "a.rs:5:1: delete ! in g", "a.rs:7:1: delete ! in g"];
        assert!(outcomes(&thrice[..2]).judge(&explained).is_ok());
        assert!(outcomes(&thrice).judge(&explained).is_err());
    }
}
