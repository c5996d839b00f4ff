//! The list of bugs.

use crate::shell::Result;
use serde::Deserialize;
use std::{fmt, fs, path::Path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    bug: Vec<Bug>,
}

/// A bug to be planted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bug {
    /// What is wrong then.
    pub(crate) name: String,
    /// From the root of the workspace.
    pub(crate) file: String,
    /// A text that is in the file once.
    pub(crate) replace: String,
    pub(crate) with: String,
    /// The tests that fail then, as `file::test`: a file or folder of `tests/`, or a module with its own.
    pub(crate) caught_by: Vec<String>,
    /// In which kernel they run, if they need one.
    pub(crate) kernel: Option<Kernel>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kernel {
    /// `cargo xtask rig`
    Stock,
    /// `cargo xtask rig --kernel-source`
    Source,
    /// `cargo xtask kernel test`: they are tests of the kernel's, `suite::case`, or of what is
    /// compiled beside it, `object::check` and `drivers::driver`.
    Array,
}

impl Bug {
    pub(crate) fn matches(&self, filter: &str) -> bool {
        let mut texts = [&self.name, &self.file].into_iter().chain(&self.caught_by);
        texts.any(|text| text.contains(filter))
    }

    /// What the file is with the bug in it.
    pub(crate) fn planted_in(&self, source: &str) -> Result<String> {
        match source.matches(&self.replace).count() {
            1 => Ok(source.replacen(&self.replace, &self.with, 1)),
            found => Err(format!(
                "planted bug {:?}: what it replaces is {found} times in {}, not once",
                self.name, self.file
            )),
        }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.file)?;
        self.caught_by.iter().try_for_each(|test| write!(f, "\n    {test}"))
    }
}

/// All bugs, in the order of the files' names.
pub(crate) fn load(root: &Path) -> Result<Vec<Bug>> {
    let dir = root.join("xtask/planted");
    let entries = fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut bugs = Vec::new();
    for path in paths {
        let problem = |error: String| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| problem(error.to_string()))?;
        let document: Document =
            toml::from_str(&text).map_err(|error| problem(error.to_string()))?;
        bugs.extend(document.bug);
    }
    Ok(bugs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    #[test]
    fn every_bug_can_still_be_planted() {
        let bugs = load(shell::root()).unwrap();
        assert!(bugs.len() > 50, "{}", bugs.len());
        let mut lost = Vec::new();
        for bug in &bugs {
            assert!(!bug.caught_by.is_empty(), "{bug}");
            let source = fs::read_to_string(shell::root().join(&bug.file)).unwrap_or_default();
            lost.extend(bug.planted_in(&source).err());
        }
        assert!(lost.is_empty(), "{}", lost.join("\n"));
    }

    #[test]
    fn a_text_that_is_not_there_once_is_refused() {
        let bug = Bug {
            name: "a bug".into(),
            file: "a.rs".into(),
            replace: "a".into(),
            with: "b".into(),
            caught_by: Vec::new(),
            kernel: None,
        };
        assert_eq!(bug.planted_in("a c").unwrap(), "b c");
        assert!(bug.planted_in("a a").is_err() && bug.planted_in("c").is_err());
    }
}
