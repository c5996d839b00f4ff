//! A copy of a source tree that may be edited: hard links, so it costs neither time nor space.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

use super::{at, edit, source::Source};
use crate::shell::Result;

/// Makes the tree, or brings it up to date with the source and with what is done to it: [`edit::apply`].
///
/// One tree for either array: going from one to the other builds no more than that.
pub(super) fn make(source: &Source, cache: &Path, object: Option<&Path>) -> Result<PathBuf> {
    let tree = cache.join("trees").join(format!("{}-ours", source.name));
    mirror(&source.dir, &tree, &tree).map_err(at(&tree))?;
    edit::apply(&source.dir, &tree, object)?;
    Ok(tree)
}

/// Links what is not the same file yet, except for what is edited.
fn mirror(from: &Path, to: &Path, root: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    sweep(from, to, root)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, kind, target) = (entry.path(), entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() && entry.file_name() != ".git" {
            mirror(&path, &target, root)?;
        } else if !kind.is_dir() && !edit::is_edited(target.strip_prefix(root).unwrap_or(&target)) {
            link(&path, &target)?;
        }
    }
    Ok(())
}

/// Removes what the source has no longer.
fn sweep(from: &Path, to: &Path, root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_ours = edit::is_ours(path.strip_prefix(root).unwrap_or(&path));
        if is_ours || fs::symlink_metadata(from.join(entry.file_name())).is_ok() {
            continue;
        }
        if kind.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    let (ours, theirs) = (fs::symlink_metadata(to), fs::symlink_metadata(from)?);
    let same = |ours: &fs::Metadata| {
        let file = |meta: &fs::Metadata| (meta.dev(), meta.ino());
        let content = |meta: &fs::Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
        file(ours) == file(&theirs) || content(ours) == content(&theirs)
    };
    match ours {
        Ok(meta) if same(&meta) => return Ok(()),
        Ok(_) => fs::remove_file(to)?,
        Err(_) => {}
    }
    // Another file system has no links to this one.
    fs::hard_link(from, to).or_else(|_| copy(from, to, &theirs))
}

fn copy(from: &Path, to: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if meta.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(meta.modified()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_follows_its_source_and_leaves_what_is_edited() {
        let home = std::env::temp_dir().join(format!("mirror-{}", std::process::id()));
        let (from, to) = (home.join("from"), home.join("to"));
        fs::create_dir_all(from.join("drivers/dma-buf")).unwrap();
        let makefile = "drivers/dma-buf/Makefile";
        fs::write(from.join("a"), "old").unwrap();
        fs::write(from.join(makefile), "theirs").unwrap();
        mirror(&from, &to, &to).unwrap();
        assert!(!to.join(makefile).exists());
        fs::write(to.join(makefile), "ours").unwrap();
        fs::write(to.join("drivers/dma-buf/dma-fence-array-glue.c"), "ours").unwrap();
        fs::write(to.join("drivers/dma-buf/gone.c"), "theirs").unwrap();
        fs::remove_file(from.join("a")).unwrap();
        fs::write(from.join("a"), "new!").unwrap();
        mirror(&from, &to, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a")).unwrap(), "new!");
        assert_eq!(fs::read_to_string(to.join(makefile)).unwrap(), "ours");
        assert!(to.join("drivers/dma-buf/dma-fence-array-glue.c").exists());
        assert!(!to.join("drivers/dma-buf/gone.c").exists());
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_copy_has_the_links_and_the_times_of_its_source() {
        let home = std::env::temp_dir().join(format!("copy-{}", std::process::id()));
        fs::create_dir_all(home.join("directory")).unwrap();
        fs::write(home.join("file"), "text").unwrap();
        symlink("directory", home.join("link")).unwrap();
        for name in ["file", "link"] {
            let (from, to) = (home.join(name), home.join(name.to_owned() + "-copy"));
            let meta = fs::symlink_metadata(&from).unwrap();
            copy(&from, &to, &meta).unwrap();
            let copied = fs::symlink_metadata(&to).unwrap();
            assert_eq!(copied.file_type(), meta.file_type());
        }
        let modified = |name| fs::metadata(home.join(name)).unwrap().modified().unwrap();
        assert_eq!(modified("file"), modified("file-copy"));
        fs::remove_dir_all(&home).unwrap();
    }
}
