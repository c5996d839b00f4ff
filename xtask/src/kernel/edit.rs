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

/// Puts the parts into `tree`, which may have them already, by editing what `source` has. They may be the same.
///
/// With an object the kernel's array gives way to the algorithm that is in it.
pub(super) fn apply(source: &Path, tree: &Path, object: Option<&Path>) -> Result {
    for file in EDITED {
        let path = source.join(file);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        put(&tree.join(file), edited(file, &text, object.is_some())?.as_bytes())?;
    }
    let (ours, theirs) = (shell::root().join("kernel"), tree.join(DIRECTORY));
    copy_all(&ours.join("kunit"), &theirs.join("dma-fence-array-kunit"))?;
    match object {
        Some(object) => {
            copy_all(&ours.join("linux"), &theirs)?;
            copy(object, &theirs.join("dma-fence-array-walk.o_shipped"))?;
            let _ = fs::remove_file(tree.join(REPLACED));
            Ok(())
        }
        None => copy(&source.join(REPLACED), &tree.join(REPLACED)),
    }
}

/// Whether a file of the kernel's is another one afterwards.
pub(super) fn is_edited(file: &Path) -> bool {
    EDITED.iter().chain([&REPLACED]).any(|edited| file == Path::new(edited))
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
        MAKEFILE if ours => Ok(with(&with(&text, SUITE_OBJECTS), ARRAY_OBJECTS)),
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
