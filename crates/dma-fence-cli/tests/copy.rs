//! Copies that succeed: content, hash, mode bits, names.

mod common;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use common::{ENGINES, SYNCS, Sandbox, assert_content, noise};

const CHUNK: usize = 64 << 10;

#[test]
fn every_size_engine_and_order() {
    let sandbox = Sandbox::new();
    let sizes = [0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, (7 << 20) + 123];
    for size in sizes {
        let content = noise(size);
        let source = sandbox.file("source", &content);
        for engine in ENGINES {
            for sync in SYNCS {
                let destination = sandbox.path(&format!("{size}-{engine}-{sync}"));
                let args = [
                    "--json",
                    "--verify",
                    "--chunk-size",
                    "64K",
                    "--buffers",
                    "4",
                    "--engine",
                    engine,
                    "--sync",
                    sync,
                ];
                let run = sandbox.copy(&source, &destination, &args).succeeded();
                assert_content(&destination, &content);

                let report = run.json();
                let chunks = size.div_ceil(CHUNK);
                assert_eq!(report["blake3"], blake3::hash(&content).to_hex().as_str());
                assert_eq!(report["verified"], true);
                assert_eq!(report["bytes"], size);
                assert_eq!(report["chunks"], chunks);
                assert_eq!(report["fences"], 3 * chunks, "a read, a write and a hash per chunk");
                assert!(report["arrays"].as_u64().unwrap() >= chunks as u64);
                assert_eq!(report["sync"], sync);
                let in_flight = report["max_in_flight"].as_u64().unwrap();
                match (sync, chunks) {
                    (_, 0) => assert_eq!(in_flight, 0),
                    ("serial", _) => assert_eq!(in_flight, 1, "nothing may overlap"),
                    // By chance, none of a few operations overlap.
                    (_, ..100) => assert!((1..=12).contains(&in_flight), "{in_flight}"),
                    (_, _) => assert!((2..=12).contains(&in_flight), "{in_flight} of 4 buffers"),
                }
                fs::remove_file(destination).unwrap();
            }
        }
    }
}

#[test]
fn buffers_chunks_and_queues_of_odd_sizes() {
    let sandbox = Sandbox::new();
    let content = noise(300_001);
    let source = sandbox.file("source", &content);
    let destination = sandbox.path("destination");
    for (chunk, buffers, depth) in [
        ("1000", "3", "2"), // no multiple of a page
        ("4096", "1", "1"), // nothing may overlap
        ("4K", "64", "1"),  // many more operations than the kernel is given at once
        ("1M", "2", "64"),  // a chunk larger than the file
    ] {
        for engine in ENGINES {
            let args = [
                "--verify",
                "--chunk-size",
                chunk,
                "--buffers",
                buffers,
                "--queue-depth",
                depth,
                "--engine",
                engine,
            ];
            sandbox.copy(&source, &destination, &args).succeeded();
            assert_content(&destination, &content);
        }
    }
}

#[test]
fn by_default_it_says_what_it_did() {
    let sandbox = Sandbox::new();
    let content = noise(1_000_000);
    let source = sandbox.file("source", &content);
    let run = sandbox.copy(&source, &sandbox.path("destination"), &["--fsync"]).succeeded();
    for word in ["1000000 bytes", blake3::hash(&content).to_hex().as_str(), "fences", "arrays"] {
        assert!(run.stdout().contains(word), "no {word:?} in: {}", run.stdout());
    }
    assert!(!run.stdout().contains("verified"), "{}", run.stdout());

    let run = sandbox.copy(&source, &sandbox.path("destination"), &["--quiet"]).succeeded();
    assert_eq!((run.stdout(), run.stderr()), (String::new(), String::new()));
}

#[test]
fn permission_bits_are_kept_and_special_bits_are_not() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let destination = sandbox.path("destination");
    // 0o666 and 0o777 are more than any usual umask leaves; 0o200 cannot be read back by name.
    for (mode, kept) in
        [(0o644, 0o644), (0o600, 0o600), (0o666, 0o666), (0o777, 0o777), (0o4755, 0o755)]
    {
        fs::set_permissions(&source, Permissions::from_mode(mode)).unwrap();
        sandbox.copy(&source, &destination, &["--verify"]).succeeded();
        assert_eq!(fs::metadata(&destination).unwrap().mode() & 0o7777, kept);
    }
}

#[test]
fn a_destination_is_replaced() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"new");
    let destination = sandbox.file("destination", b"old and longer");
    sandbox.copy(&source, &destination, &[]).succeeded();
    assert_content(&destination, b"new");
    assert_content(&source, b"new");
}

#[test]
fn a_directory_gets_a_file_of_the_same_name() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    fs::create_dir(sandbox.path("directory")).unwrap();
    sandbox.copy(&source, &sandbox.path("directory"), &[]).succeeded();
    assert_content(&sandbox.path("directory/source"), b"content");
}

#[test]
fn a_symbolic_link_stays_one() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"new");
    fs::create_dir(sandbox.path("directory")).unwrap();
    let target = sandbox.file("directory/target", b"old");
    let link = sandbox.path("link");
    symlink("directory/target", &link).unwrap();
    sandbox.copy(&source, &link, &[]).succeeded();
    assert!(link.is_symlink());
    assert_content(&target, b"new");
}

#[test]
fn names_are_bytes_as_long_as_names_can_be() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let long = "n".repeat(255);
    for name in [OsStr::new(&long), OsStr::from_bytes(b"not \xff UTF-8"), OsStr::new("-dash")] {
        let destination = sandbox.path("").join(name);
        sandbox.copy(&source, &destination, &[]).succeeded();
        assert_content(&destination, b"content");
    }
}

#[test]
fn a_destination_without_a_directory_is_in_this_one() {
    let sandbox = Sandbox::new();
    sandbox.file("source", b"content");
    sandbox.copy("source".as_ref(), "destination".as_ref(), &[]).succeeded();
    assert_content(&sandbox.path("destination"), b"content");
}
