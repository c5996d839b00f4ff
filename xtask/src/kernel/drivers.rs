//! The drivers that use arrays: they change with the header, and only machines with their devices can run them.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::{arch::Arch, build, place::Made};
use crate::{
    rig::outcome::Outcome,
    shell::{self, Result},
};

/// Compiles those that are wanted; each is a test.
pub(super) fn compile(made: &Made, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Outcome>> {
    let dir = made.build_dir("drivers");
    let configuration = include_str!("drivers.config");
    build::configure(&made.tree, &dir, Arch::X86, configuration)?;
    let mut outcomes = Vec::new();
    for driver in users(&made.tree)? {
        let test = named(&driver);
        if !is_wanted(&test) {
            continue;
        }
        let outcome = match compiled(&made.tree, &dir, &driver) {
            Ok(()) => Outcome::of(test, true, "", ""),
            Err(how) => Outcome::failed(test, how),
        };
        eprintln!("{outcome}");
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// `drivers::xe`
fn named(driver: &str) -> String {
    let (_, name) = driver.rsplit_once('/').unwrap_or(("", driver));
    format!("drivers::{name}")
}

/// The whole driver: what else it makes of the header is in its other files.
fn compiled(tree: &Path, dir: &Path, driver: &str) -> Result {
    let archive = dir.join(driver).join("built-in.a");
    let _ = fs::remove_file(&archive);
    build::make(tree, dir, Arch::X86, &[&format!("{driver}/")])?;
    // One that is not configured has none, and that is no failure of the build's.
    match archive.exists() {
        true => Ok(()),
        false => Err("nothing was compiled: xtask/src/kernel/drivers.config lacks it".into()),
    }
}

/// The directories, from the root of the tree, of drivers with a file that includes the header.
fn users(tree: &Path) -> Result<BTreeSet<String>> {
    let mut grep = Command::new("grep");
    grep.current_dir(tree).args(["-rlF", "--include=*.[ch]"]);
    let listed = shell::output(grep.args(["<linux/dma-fence-array.h>", "drivers/gpu"]))?;
    let is_driver = |dir: &&Path| tree.join(dir).join("Makefile").exists();
    let driver = |file| Path::new(file).ancestors().skip(1).find(is_driver);
    Ok(listed.lines().filter_map(driver).map(|dir| dir.display().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_found_by_what_they_include() {
        let tree = std::env::temp_dir().join(format!("drivers-{}", std::process::id()));
        let include = "#include <linux/dma-fence-array.h>\n";
        for (file, text) in [
            ("drivers/gpu/Makefile", ""),
            ("drivers/gpu/one/Makefile", ""),
            ("drivers/gpu/one/inner/a.c", include),
            ("drivers/gpu/two/Makefile", ""),
            ("drivers/gpu/two/b.h", include),
            ("drivers/gpu/three/Makefile", ""),
            ("drivers/gpu/three/c.c", "#include <linux/dma-fence.h>\n"),
        ] {
            fs::create_dir_all(tree.join(file).parent().unwrap()).unwrap();
            fs::write(tree.join(file), text).unwrap();
        }
        let found = users(&tree).unwrap();
        fs::remove_dir_all(&tree).unwrap();
        assert_eq!(Vec::from_iter(&found), ["drivers/gpu/one", "drivers/gpu/two"]);
        assert_eq!(named("drivers/gpu/one"), "drivers::one");
    }
}
