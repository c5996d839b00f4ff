//! The captures.
#![allow(dead_code, reason = "not every test asks for the truth")]

use std::io::Read;
use std::path::PathBuf;

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The names of all texts, as if none were compressed.
pub(crate) fn captures() -> Vec<String> {
    let files = std::fs::read_dir(data()).expect("tests/data");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("ASCII"));
    let mut names: Vec<_> = names
        .map(|name| name.trim_end_matches(".gz").to_owned())
        .filter(|name| name.ends_with(".txt"))
        .collect();
    names.sort();
    names
}

/// A file, unpacked.
pub(crate) fn capture(name: &str) -> Vec<u8> {
    std::fs::read(data().join(name)).unwrap_or_else(|_| {
        let packed = std::fs::File::open(data().join(format!("{name}.gz"))).expect(name);
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect(name);
        bytes
    })
}

/// What is true of a text, whatever program printed it.
pub(crate) fn truth(name: &str) -> serde_json::Value {
    let stem = name.split('.').next().expect("a name");
    serde_json::from_slice(&capture(&format!("{stem}.json"))).expect(name)
}
