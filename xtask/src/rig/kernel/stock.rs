//! Debian's own kernel.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    super::{apt::Apt, at},
    Kernel, RELEASE,
};
use crate::{
    shell::{self, Result},
    tools,
};

/// The one of `RELEASE`, fetched and unpacked if it is not in the cache.
pub(in super::super) fn stock(cache: &Path) -> Result<Kernel> {
    let home = cache.join("stock");
    let tree = home.join("tree");
    if !tree.exists() {
        fetch(&home, &tree)?;
    }
    Ok(Kernel {
        image: only_entry(&tree.join("boot"), "vmlinuz-")?,
        modules: modules(&only_entry(&tree.join("usr/lib/modules"), "")?)?,
        headers: tree.join("usr/include"),
        busybox: tree.join("usr/bin/busybox"),
        devices: "udmabuf,dma_heap,vgem,virtio_gpu,debugfs,tracefs",
        options: "",
    })
}

fn fetch(home: &Path, tree: &Path) -> Result {
    eprintln!("fetching Debian's kernel to {}", home.display());
    // It gets its name when it is complete.
    let unpacked = home.join("incomplete");
    let _ = fs::remove_dir_all(&unpacked);
    let indexes = home.join("apt");
    let apt = Apt::of(RELEASE, indexes.clone())?;
    let image = apt.dependency("linux-image-amd64")?;
    apt.unpack(&[&image, "linux-libc-dev", "busybox-static"], &unpacked)?;
    // Where depmod looks for modules.
    symlink("usr/lib", unpacked.join("lib")).map_err(at(&unpacked))?;
    let modules = only_entry(&unpacked.join("usr/lib/modules"), "")?;
    let version = modules.file_name().expect("it has been listed");
    shell::run(Command::new(tools::DEPMOD).arg("--basedir").arg(&unpacked).arg(version))?;
    fs::rename(&unpacked, tree).map_err(at(tree))?;
    fs::remove_dir_all(&indexes).map_err(at(&indexes))
}

/// What is in `dir` and begins so.
fn only_entry(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).map_err(at(dir))?.flatten();
    let mut found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry.path()),
        (None, _) => Err(format!("{}/{prefix}* is missing", dir.display())),
        (Some(_), Some(_)) => Err(format!("{}/{prefix}* is not the only one", dir.display())),
    }
}

fn modules(dir: &Path) -> Result<Vec<PathBuf>> {
    let path = dir.join("modules.dep");
    let dependencies = fs::read_to_string(&path).map_err(at(&path))?;
    let modules = in_order(&dependencies, &["vgem", "virtio-gpu"])?;
    Ok(modules.into_iter().map(|module| dir.join(module)).collect())
}

/// The modules and those that they need, the needed ones first, by what depmod says of them.
fn in_order<'a>(dependencies: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>> {
    let mut modules = Vec::new();
    for name in wanted {
        let line = line_of(dependencies, name).ok_or_else(|| format!("there is no {name}"))?;
        // The other way round: what a module needs stands behind it.
        for module in line.split([':', ' ']).filter(|word| !word.is_empty()).rev() {
            if !modules.contains(&module) {
                modules.push(module);
            }
        }
    }
    Ok(modules)
}

/// `…/name.ko.xz: …/needed.ko.xz …`
fn line_of<'a>(dependencies: &'a str, name: &str) -> Option<&'a str> {
    dependencies.lines().find(|line| {
        let file = line.split(':').next().and_then(|path| path.rsplit('/').next());
        file.and_then(|file| file.split('.').next()) == Some(name)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_module_needs_comes_first_and_once() {
        let dependencies = "k/other-vgem.ko.xz: k/x.ko.xz\n\
                            k/vgem.ko.xz: k/helper.ko.xz k/drm.ko.xz\n\
                            k/drm.ko.xz:\n\
                            k/virtio-gpu.ko.xz: k/virtio.ko.xz k/helper.ko.xz k/drm.ko.xz\n";
        let order = super::in_order(dependencies, &["vgem", "virtio-gpu"]).unwrap();
        let files = ["drm", "helper", "vgem", "virtio", "virtio-gpu"];
        assert_eq!(order, files.map(|name| format!("k/{name}.ko.xz")));
        assert!(super::in_order(dependencies, &["gem"]).is_err());
    }
}
