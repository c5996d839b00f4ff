//! Planting a bug in a copy of the workspace and running the tests that must notice.

use super::{list::Bug, rig};
use crate::{
    loom,
    shell::{self, Result},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Longer than any test takes that passes; the tests' own limit is a minute.
const HANGS: Duration = Duration::from_secs(80);

/// Where tests are looked for, in this order.
const PACKAGES: [&str; 4] = ["dma-fence", "dma-fence-engines", "dma-fence-trace", "dma-fence-cli"];

/// A copy of the workspace, with what is built from it beside it.
pub(super) struct Copy {
    root: PathBuf,
    built: PathBuf,
}

/// What runs a test.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Suite {
    package: String,
    /// A file of `tests/`; the library, or the command, itself if there is none.
    file: Option<String>,
    /// Run by the model checker.
    model: bool,
}

impl Copy {
    pub(super) fn of_the_workspace() -> Result<Copy> {
        let home = shell::target_dir().join("planted");
        let copy = Copy { root: home.join("workspace"), built: home.join("target") };
        copy_changed(shell::root(), &copy.root)
            .map_err(|error| format!("{}: {error}", copy.root.display()))?;
        Ok(copy)
    }

    /// Those tests of the bug's that do not notice it.
    pub(super) fn plant<'a>(&self, bug: &'a Bug) -> Result<Vec<&'a str>> {
        let path = self.root.join(&bug.file);
        let problem = |error: io::Error| format!("{}: {error}", path.display());
        let source = fs::read_to_string(&path).map_err(problem)?;
        fs::write(&path, bug.planted_in(&source)?).map_err(problem)?;
        let unnoticed = self.unnoticed(bug);
        fs::write(&path, source).map_err(problem)?;
        unnoticed
    }

    fn unnoticed<'a>(&self, bug: &'a Bug) -> Result<Vec<&'a str>> {
        if let Some(kernel) = bug.kernel {
            return rig::unnoticed(bug, kernel, &self.root, &self.built.join("rig"));
        }
        let mut suites: BTreeMap<Suite, Vec<&str>> = BTreeMap::new();
        for test in &bug.caught_by {
            suites.entry(self.suite_of(test)?).or_default().push(test);
        }
        let mut unnoticed = Vec::new();
        for (suite, tests) in suites {
            let passed = self.passed(&suite, &tests)?;
            unnoticed.extend(tests.into_iter().filter(|test| passed.contains(&name_of(test))));
        }
        Ok(unnoticed)
    }

    /// Those tests that pass; one that fails, hangs or takes the process with it does not.
    fn passed<'a>(&self, suite: &Suite, tests: &[&'a str]) -> Result<Vec<&'a str>> {
        let executable = executable(&shell::output(&mut self.build(suite))?)?;
        let mut passed = Vec::new();
        // One at a time: one that aborts the process must not speak for the others.
        for name in tests.iter().map(|test| name_of(test)) {
            let mut command = Command::new(&executable);
            command.current_dir(self.root.join("crates").join(&suite.package)).arg(name);
            command.env("LOOM_MAX_PREEMPTIONS", loom::PREEMPTIONS).env("RUST_BACKTRACE", "0");
            let output = output_in_time(&mut command).map_err(|error| error.to_string())?;
            if output.as_ref().is_some_and(|output| output.contains("running 0 tests")) {
                return Err(format!("there is no test {name}"));
            }
            if output.is_some_and(|output| output.contains("test result: ok. ")) {
                passed.push(name);
            }
        }
        Ok(passed)
    }

    /// Where `file::test` is: a file or folder of `tests/`, else a module of the library or command.
    fn suite_of(&self, test: &str) -> Result<Suite> {
        let (file, name) =
            test.split_once("::").ok_or_else(|| format!("{test}: not file::test"))?;
        for package in PACKAGES {
            let package_dir = self.root.join("crates").join(package);
            let suite = |file, model| Suite { package: package.into(), file, model };
            let tests = package_dir.join("tests").join(file);
            if tests.with_extension("rs").exists() || tests.join("main.rs").exists() {
                return Ok(suite(Some(file.into()), file.starts_with("loom_")));
            }
            if let Some(source) = source_with(&package_dir.join("src"), &format!("fn {name}(")) {
                return Ok(suite(None, source.contains("mod model {")));
            }
        }
        Err(format!("{test}: there is no such test"))
    }

    fn build(&self, suite: &Suite) -> Command {
        let mut command = shell::cargo(["test", "--no-run", "--message-format", "json", "--quiet"]);
        command.current_dir(&self.root).args(["--package", &suite.package]);
        match &suite.file {
            Some(file) => command.args(["--test", file]),
            None if suite.package == "dma-fence-cli" => command.arg("--bins"),
            None => command.arg("--lib"),
        };
        let features = match suite.file.as_deref() {
            Some("trace") => Some("trace"),
            Some(file) if file.starts_with("contract") || file == "taint" => {
                Some("contract,tracing")
            }
            _ => None,
        };
        command.args(features.into_iter().flat_map(|features| ["--features", features]));
        if suite.model {
            command.arg("--release").env("RUSTFLAGS", "--cfg loom");
        }
        let built = if suite.model { "loom" } else { "plain" };
        command.env("CARGO_TARGET_DIR", self.built.join(built));
        command
    }
}

/// The test that cargo says it has built.
fn executable(messages: &str) -> Result<PathBuf> {
    let mut built = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    built.next_back().ok_or_else(|| "cargo has built no test".into())
}

fn name_of(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
}

/// The first Rust file of `dir` and below that contains `text`.
fn source_with(dir: &Path, text: &str) -> Option<String> {
    fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            return source_with(&path, text);
        }
        fs::read_to_string(&path).ok().filter(|source| source.contains(text))
    })
}

/// What a command prints; `None` if it hangs.
fn output_in_time(command: &mut Command) -> io::Result<Option<String>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = thread::spawn(move || io::read_to_string(&mut stdout));
    if !shell::ends_in_time(&mut child, HANGS)? {
        return Ok(None);
    }
    Ok(Some(reader.join().expect("reading does not panic")?))
}

/// Makes `to` the same as `from`, and touches only what differs, so that little is built anew.
fn copy_changed(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let target = to.join(&name);
        if [".git", "target"].map(OsStr::new).contains(&name.as_os_str()) {
            continue;
        }
        if path.is_dir() {
            copy_changed(&path, &target)?;
        } else if fs::read(&target).ok() != Some(fs::read(&path)?) {
            fs::copy(&path, &target)?;
        }
    }
    remove_others(from, to)
}

/// What was deleted in `from` since must not be built or run.
fn remove_others(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if from.join(name).exists() {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}
