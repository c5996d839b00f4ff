//! The oldest Rust that compiles this workspace.

use std::{fs, process::Command};

use crate::shell::{self, Result};

pub(crate) fn run() -> Result {
    let manifest = shell::root().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| format!("Cargo.toml: {error}"))?;
    let version = rust_version(&text).ok_or("Cargo.toml does not name a rust-version")?;
    // Toolchains are installed by their full number.
    let toolchain =
        if version.split('.').count() == 2 { format!("{version}.0") } else { version.to_owned() };
    if !shell::succeeds(&mut shell::cargo_of(&toolchain, ["--version"])) {
        let install = ["toolchain", "install", "--profile", "minimal", &toolchain];
        shell::run(Command::new("rustup").args(install)).map_err(|error| {
            format!("Rust {toolchain} is not installed and could not be added: {error}")
        })?;
    }
    let mut check = shell::cargo_of(&toolchain, ["check", "--workspace", "--all-targets"]);
    shell::run(check.env("CARGO_TARGET_DIR", shell::target_dir().join("msrv")))
}

fn rust_version(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version"))?;
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_found() {
        let manifest = "[package]\nedition = \"2024\"\nrust-version = \"1.88\"\n";
        assert_eq!(super::rust_version(manifest), Some("1.88"));
        assert_eq!(super::rust_version("edition = \"2024\""), None);
    }
}
