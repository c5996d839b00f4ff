//! Packages of a Debian release, unpacked and not installed.
//!
//! apt works with its own list of sources, its own indexes and an empty list of what is installed, so that
//! neither the machine's release nor its configuration decides, and nothing of them is changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::at;
use crate::shell::{self, Result};

const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

pub(crate) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Fetches the indexes of a release.
    pub(crate) fn of(release: &str, dir: PathBuf) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            return Err(format!(
                "the rig fetches packages of Debian, and this machine cannot tell whether they are \
                 genuine: {KEYRING} is missing (package debian-archive-keyring)"
            ));
        }
        // What a run that was interrupted has left must not be unpacked.
        let _ = fs::remove_dir_all(&dir);
        for name in ["lists/partial", "archives/partial"] {
            let path = dir.join(name);
            fs::create_dir_all(&path).map_err(at(&path))?;
        }
        let source = format!("deb [signed-by={KEYRING}] {MIRROR} {release} main\n");
        let configuration = configuration(&dir);
        for (name, content) in
            [("sources.list", source.as_str()), ("status", ""), ("apt.conf", &configuration)]
        {
            let path = dir.join(name);
            fs::write(&path, content).map_err(at(&path))?;
        }
        let apt = Apt { dir };
        shell::run(apt.command("apt-get").args(["--quiet", "update"]))?;
        Ok(apt)
    }

    /// What a package that has nothing in it stands for.
    pub(crate) fn dependency(&self, package: &str) -> Result<String> {
        let depends = shell::output(self.command("apt-cache").args(["depends", package]))?;
        let named = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        named.map(str::to_owned).ok_or_else(|| format!("{package} depends on nothing"))
    }

    /// The packages whose name looks like that.
    pub(crate) fn named(&self, pattern: &str) -> Result<Vec<String>> {
        let mut search = self.command("apt-cache");
        let found = shell::output(search.args(["search", "--names-only", pattern]))?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    /// Fetches packages and unpacks them into one tree.
    pub(crate) fn unpack(&self, packages: &[&str], tree: &Path) -> Result {
        let archives = self.dir.join("archives");
        let mut download = self.command("apt-get");
        shell::run(download.current_dir(&archives).args(["--quiet", "download"]).args(packages))?;
        for entry in fs::read_dir(&archives).map_err(at(&archives))? {
            let path = entry.map_err(at(&archives))?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                shell::run(Command::new("dpkg-deb").arg("--extract").args([&path, tree]))?;
            }
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.dir.join("apt.conf"));
        command
    }
}

/// What is not said here, such as a proxy, is as the machine has it.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
// An index that cannot be fetched is no warning.
APT::Update::Error-Mode "any";
// The user that apt would become cannot write here.
APT::Sandbox::User "root";
"#
    )
}
