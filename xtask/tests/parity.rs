//! The tests that docs/parity.md and docs/linux.md name exist; for those of the first, which every machine can run, a
//! planted bug is known to make each of them fail.

use std::{collections::HashSet, fs, path::Path};

/// The Rust files of `dir` and below, as `folder/file.rs`, and their tests: by their names alone, as
/// `file::name`, and for a folder of modules as `folder::name`.
fn tests_in(dir: &Path, found: &mut HashSet<String>) {
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let (folder, file) = (stem(dir), path.file_name().unwrap().to_string_lossy());
            found.insert(format!("{folder}/{file}"));
            for test in test_functions(&fs::read_to_string(&path).unwrap()) {
                found.extend([&folder, &stem(&path)].map(|home| format!("{home}::{test}")));
                found.insert(test.to_owned());
            }
        }
    }
}

/// The functions that `#[test]` stands before, with or without other attributes between.
fn test_functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("#[test]\n").skip(1).filter_map(|after| {
        let mut lines = after.lines().map(str::trim_start);
        lines.find_map(|line| line.strip_prefix("fn ")?.split('(').next())
    })
}

/// What stands in backticks in the last column of the tables.
fn named_in(document: &str) -> impl Iterator<Item = &str> {
    let rows = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let last_cells = rows.filter_map(|row| row.rsplit('|').next());
    last_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn every_test_that_parity_names_catches_a_planted_bug() {
    let files = fs::read_dir(root().join("xtask/planted")).unwrap();
    let planted: String =
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let document = document("parity.md");
    let never_seen_failing: Vec<_> =
        named_in(&document).filter(|test| !planted.contains(&format!("\"{test}\""))).collect();
    assert!(never_seen_failing.is_empty(), "no bug in xtask/planted for {never_seen_failing:#?}");
}

#[test]
fn every_test_that_a_table_names_exists() {
    let root = root();
    let mut tests = HashSet::new();
    tests_in(&root.join("crates"), &mut tests);
    for name in ["parity.md", "linux.md"] {
        let document = document(name);
        assert!(named_in(&document).count() > 40, "the tables of {name} were found");
        let lost: Vec<_> = named_in(&document).filter(|name| !tests.contains(*name)).collect();
        assert!(lost.is_empty(), "docs/{name} names tests that are not there: {lost:#?}");
    }
}
