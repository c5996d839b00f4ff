//! A kernel's source tree with the algorithm in it: the project's own files, and the few lines of the
//! kernel's that change with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::at;
use crate::shell::{self, Result};

const DIRECTORY: &str = "drivers/dma-buf";

/// A text of the kernel's, once in its file, and what takes its place.
struct Change {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// One callback instead of one for each member, and an allocation that does not depend on their number.
const CHANGES: &[Change] = &[
    Change {
        file: HEADER,
        from: "\tstruct dma_fence_array_cb callbacks[] __counted_by(num_fences);\n",
        to: "\tstruct dma_fence_cb callback;\n",
    },
    Change {
        file: HEADER,
        from: " * @callbacks: array of callback helpers\n",
        to: " * @callback: on one member at a time\n",
    },
    Change { file: HEADER, from: "\tatomic_t num_pending;\n", to: "\tunsigned int num_pending;\n" },
    Change {
        file: HEADER,
        from: "dma_fence_array_alloc(int num_fences);\n",
        to: "dma_fence_array_alloc(void);\n",
    },
    Change {
        file: XE,
        from: "dma_fence_array_alloc(n_fence);\n",
        to: "dma_fence_array_alloc();\n",
    },
];

const HEADER: &str = "include/linux/dma-fence-array.h";
const MAKEFILE: &str = "drivers/dma-buf/Makefile";
/// The one driver that allocates an array before it makes it.
const XE: &str = "drivers/gpu/drm/xe/xe_vm.c";
const EDITED: [&str; 3] = [HEADER, MAKEFILE, XE];

/// What the kernel has and nobody needs any more.
const REPLACED: &str = "drivers/dma-buf/dma-fence-array.c";
const HELPER: (&str, &str) = ("/**\n * struct dma_fence_array_cb -", "\n};\n\n");

/// For the kernel's build: the array is made of the glue and of the object.
const ARRAY_OBJECTS: &str =
    "\ndma-fence-array-y := dma-fence-array-glue.o dma-fence-array-walk.o\n";
const SUITE_OBJECTS: &str = "\nobj-$(CONFIG_DMABUF_KUNIT_TEST) += dma-fence-array-kunit/\n";
const BENCH_OBJECTS: &str = "\nobj-$(CONFIG_DMABUF_KUNIT_TEST) += dma-fence-array-bench/\n";

/// Puts the parts into `tree`, which may have them already, by editing what `source` has. They may be the same.
///
/// With an object the kernel's array gives way to the algorithm that is in it. Nothing is written unless all of
/// it can be.
pub(super) fn apply(source: &Path, tree: &Path, object: Option<&Path>) -> Result {
    let edits = edits(source, object.is_some())?;
    if object.is_some() {
        keep_theirs(source, tree)?;
    }
    for (file, text) in edits {
        put(&tree.join(file), text.as_bytes())?;
    }
    let (ours, theirs) = (shell::root().join("kernel"), tree.join(DIRECTORY));
    copy_all(&ours.join("kunit"), &theirs.join("dma-fence-array-kunit"))?;
    match object {
        Some(object) => {
            copy_all(&ours.join("linux"), &theirs)?;
            copy(object, &theirs.join("dma-fence-array-walk.o_shipped"))?;
            copy_all(&ours.join("bench"), &theirs.join("dma-fence-array-bench"))?;
            let _ = fs::remove_file(tree.join(REPLACED));
            Ok(())
        }
        None => copy(&source.join(REPLACED), &tree.join(REPLACED)),
    }
}

/// What becomes of each file.
fn edits(source: &Path, ours: bool) -> Result<Vec<(&'static str, String)>> {
    let edit = |file| {
        let path = source.join(file);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        Ok((file, edited(file, &text, ours)?))
    };
    EDITED.into_iter().map(edit).collect()
}

/// A copy of the kernel's own array under other names, to measure ours beside it.
///
/// A tree of somebody's that has been edited has that copy already, and no more than that.
fn keep_theirs(source: &Path, tree: &Path) -> Result {
    if !source.join(REPLACED).exists() {
        return Ok(());
    }
    let bench = tree.join(DIRECTORY).join("dma-fence-array-bench");
    fs::create_dir_all(&bench).map_err(at(&bench))?;
    for (file, copy) in [(REPLACED, "theirs-array.c"), (HEADER, "theirs-array.h")] {
        let path = source.join(file);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        put(&bench.join(copy), renamed(&text).as_bytes())?;
    }
    Ok(())
}

/// No name of it is the kernel's any more, so that both can be in one kernel.
fn renamed(text: &str) -> String {
    const NAMES: [(&str, &str); 5] = [
        ("<linux/dma-fence-array.h>", "\"theirs-array.h\""),
        ("LINUX_DMA_FENCE_ARRAY_H", "THEIRS_ARRAY_H"),
        ("dma_fence_array", "theirs_array"),
        ("dma_fence_match_context", "theirs_match_context"),
        ("dma_fence_is_array", "theirs_is_array"),
    ];
    let text = NAMES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    // What tells an array from other fences is elsewhere in the kernel.
    text.replace(
        "#include <linux/irq_work.h>\n",
        "#include <linux/irq_work.h>\n\n\
         extern const struct dma_fence_ops theirs_array_ops;\n\n\
         static inline bool theirs_is_array(struct dma_fence *fence)\n\
         {\n\treturn rcu_access_pointer(fence->ops) == &theirs_array_ops;\n}\n",
    )
}

/// Whether a file of the kernel's is another one afterwards.
pub(super) fn is_edited(file: &Path) -> bool {
    EDITED.iter().chain([&REPLACED]).any(|edited| file == Path::new(edited))
}

/// Whether it is in the place of what is put there, which no source has.
pub(super) fn is_ours(file: &Path) -> bool {
    let name = file.strip_prefix(DIRECTORY).ok().and_then(Path::to_str);
    name.is_some_and(|name| name.starts_with("dma-fence-array"))
}

/// What is to become of a file of the kernel's.
fn edited(file: &str, text: &str, ours: bool) -> Result<String> {
    let mut text = text.to_owned();
    if ours {
        for change in CHANGES.iter().filter(|change| change.file == file) {
            text = replaced(&text, change)?;
        }
    }
    match file {
        HEADER if ours => without_helper(&text),
        MAKEFILE if ours => {
            let lines = [SUITE_OBJECTS, ARRAY_OBJECTS, BENCH_OBJECTS];
            Ok(lines.iter().fold(text, |text, lines| with(&text, lines)))
        }
        MAKEFILE => Ok(with(&text, SUITE_OBJECTS)),
        _ => Ok(text),
    }
}

fn replaced(text: &str, change: &Change) -> Result<String> {
    match (text.matches(change.from).count(), text.contains(change.to)) {
        (1, _) => Ok(text.replacen(change.from, change.to, 1)),
        (0, true) => Ok(text.to_owned()),
        (found, _) => Err(format!(
            "{} has {:?} {found} times, not once: this kernel is not one that is known here",
            change.file,
            change.from.trim()
        )),
    }
}

/// The type of the callbacks that there were.
fn without_helper(text: &str) -> Result<String> {
    let (begin, end) = HELPER;
    let Some((before, rest)) = text.split_once(begin) else { return Ok(text.to_owned()) };
    let (_, after) = rest.split_once(end).ok_or("struct dma_fence_array_cb has no end")?;
    Ok(format!("{before}{after}"))
}

fn with(text: &str, lines: &str) -> String {
    if text.contains(lines) { text.to_owned() } else { format!("{text}{lines}") }
}

fn copy_all(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let path: PathBuf = entry.map_err(at(from))?.path();
        copy(&path, &to.join(path.file_name().expect("it has been listed")))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result {
    put(to, &fs::read(from).map_err(at(from))?)
}

/// Writes what differs: the rest need not be built again. Never into a file, which may have other names.
fn put(path: &Path, content: &[u8]) -> Result {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let _ = fs::remove_file(path);
    fs::write(path, content).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const CHANGE: Change = Change { file: "a.h", from: "int a;\n", to: "long b;\n" };

    #[test]
    fn a_change_is_made_once_and_only_where_its_place_is_known() {
        let edited = replaced("int a;\nint c;\n", &CHANGE).unwrap();
        assert_eq!(edited, "long b;\nint c;\n");
        assert_eq!(replaced(&edited, &CHANGE).unwrap(), edited);
        assert!(replaced("int c;\n", &CHANGE).is_err());
        assert!(replaced("int a;\nint a;\n", &CHANGE).is_err());
    }

    /// A tree with no more in it than what is edited.
    fn tree(test: &str) -> PathBuf {
        let tree = std::env::temp_dir().join(format!("edit-{test}-{}", std::process::id()));
        for file in EDITED.iter().chain([&REPLACED]) {
            let known = CHANGES.iter().filter(|change| change.file == *file);
            let path = tree.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, known.map(|change| change.from).collect::<String>()).unwrap();
        }
        fs::write(tree.join("object"), "object").unwrap();
        tree
    }

    fn content(tree: &Path) -> BTreeMap<PathBuf, String> {
        let entries = fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| match path.is_dir() {
            true => content(&path),
            false => BTreeMap::from([(path.clone(), fs::read_to_string(&path).unwrap())]),
        };
        entries.flat_map(of).collect()
    }

    #[test]
    fn applying_again_changes_nothing() {
        let tree = tree("again");
        let apply = || apply(&tree, &tree, Some(&tree.join("object")));
        apply().unwrap();
        let once = content(&tree);
        assert!(once[&tree.join(HEADER)].contains("struct dma_fence_cb callback;"));
        assert!(!once.contains_key(&tree.join(REPLACED)));
        apply().unwrap();
        assert_eq!(content(&tree), once);
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn nothing_is_written_unless_all_of_it_can_be() {
        let tree = tree("nothing");
        // The file that is edited last.
        fs::write(tree.join(XE), "another kernel").unwrap();
        let before = content(&tree);
        let error = apply(&tree, &tree, Some(&tree.join("object"))).unwrap_err();
        assert!(error.contains(XE), "{error}");
        assert_eq!(content(&tree), before);
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn the_helper_goes_with_its_description() {
        let text = "#if 1\n\n/**\n * struct dma_fence_array_cb - x\n */\nstruct x {\n};\n\n/**\n * y\n */\n";
        assert_eq!(without_helper(text).unwrap(), "#if 1\n\n/**\n * y\n */\n");
        assert_eq!(without_helper("y").unwrap(), "y");
    }

    #[test]
    fn lines_are_added_once() {
        let once = with("obj-y := a.o\n", ARRAY_OBJECTS);
        assert_eq!(with(&once, ARRAY_OBJECTS), once);
    }
}
