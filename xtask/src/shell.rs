//! Running commands.

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Errors are for the person at the terminal.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// Says with which file something went wrong.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// `cargo ARGS…` in the root of the workspace.
pub(crate) fn cargo<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(args);
    command
}

/// `cargo ARGS…` of another toolchain than the one of rust-toolchain.toml.
pub(crate) fn cargo_of<I: IntoIterator<Item: AsRef<OsStr>>>(toolchain: &str, args: I) -> Command {
    let mut command = Command::new("rustup");
    // What `cargo xtask` was built with must not decide.
    command.env_remove("RUSTC").env_remove("RUSTDOC").env_remove("CARGO");
    command.current_dir(root()).args(["run", toolchain, "cargo"]).args(args);
    command
}

/// Shows a command, runs it, and makes its failure an error.
pub(crate) fn run(command: &mut Command) -> Result {
    match status(command)? {
        status if status.success() => Ok(()),
        status => Err(format!("`{}`: {status}", show(command))),
    }
}

/// Shows a command, runs it, and tells how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let line = show(command);
    eprintln!("+ {line}");
    command.status().map_err(|error| format!("`{line}` cannot be run: {error}"))
}

/// Whether a command can be run and succeeds; what it prints is nobody's business.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = show(command);
    let output = command.output().map_err(|error| format!("`{line}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a process ends by itself; otherwise it is ended.
pub(crate) fn ends_in_time(child: &mut Child, limit: Duration) -> io::Result<bool> {
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

fn show(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}='{}' ", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    variables.collect::<String>() + &words.join(" ")
}
