//! The structures, the requests' numbers and the flags against the kernel's headers, by what a C compiler
//! says of them.
//!
//! The headers are those in `DMA_FENCE_UAPI_HEADERS`, which is like a `/usr/include` and may lack nothing;
//! without that, those of the machine, which may be older: what they lack is named, and not compared.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use dma_fence_linux::uapi::{FLAGS, REQUESTS, STRUCTURES};

const HEADERS: [&str; 7] = [
    "linux/sync_file.h",
    "linux/dma-buf.h",
    "linux/udmabuf.h",
    "linux/dma-heap.h",
    "drm/drm.h",
    "drm/drm_mode.h",
    "drm/vgem_drm.h",
];

/// In no header: `sw_sync` is for tests.
fn has_header(name: &str) -> bool {
    !name.to_lowercase().starts_with("sw_sync")
}

/// Shorter here than in newer headers, which the kernel allows: it fills up with zeros.
const PREFIXES: [&str; 3] =
    ["drm_syncobj_handle", "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD", "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE"];

/// Where the size of the structure is in a request's number.
const SIZE_MASK: u64 = 0x3fff << 16;

/// Something that the compiler can say, and what it has to be.
struct Probe {
    /// Whose absence is named.
    subject: String,
    expression: String,
    ours: u64,
}

fn probe(subject: &str, expression: String, ours: u64) -> Probe {
    Probe { subject: subject.into(), expression, ours }
}

#[test]
fn structures_are_those_of_the_headers() {
    let mut probes = Vec::new();
    for (name, size, fields) in STRUCTURES.iter().filter(|(name, ..)| has_header(name)) {
        let size = *size as u64;
        probes.push(if PREFIXES.contains(name) {
            probe(name, format!("sizeof(struct {name}) >= {size}"), 1)
        } else {
            probe(name, format!("sizeof(struct {name})"), size)
        });
        for (field, offset, size) in *fields {
            let (offset, size) = (*offset as u64, *size as u64);
            let at = format!("__builtin_offsetof(struct {name}, {field})");
            let of = format!("sizeof(((struct {name} *)0)->{field})");
            probes.extend([probe(name, at, offset), probe(name, of, size)]);
        }
    }
    agree("structures", probes);
}

#[test]
fn requests_have_the_numbers_of_the_headers() {
    let requests = REQUESTS.iter().filter(|(name, ..)| has_header(name));
    let probes = requests.map(|&(name, opcode, _)| {
        let opcode = u64::from(opcode);
        if PREFIXES.contains(&name) {
            probe(name, format!("{name} & ~{SIZE_MASK}u"), opcode & !SIZE_MASK)
        } else {
            probe(name, name.into(), opcode)
        }
    });
    agree("requests", probes.collect());
}

#[test]
fn flags_are_those_of_the_headers() {
    let probes = FLAGS.iter().map(|&(name, value)| probe(name, name.into(), value));
    agree("flags", probes.collect());
}

/// The three above stand or fall with that.
#[test]
fn what_differs_and_what_is_missing_is_told() {
    let probes = vec![
        probe("same", "sizeof(struct sync_merge_data)".into(), 48),
        probe("larger", "sizeof(struct sync_merge_data)".into(), 47),
        probe("field", "__builtin_offsetof(struct sync_merge_data, none)".into(), 0),
        probe("structure", "sizeof(struct none)".into(), 0),
        probe("number", "NONE & 1".into(), 0),
        probe("again", "NONE & 1".into(), 0),
        probe("changed", "SYNC_IOC_MERGE + 1".into(), 0xc030_3e03),
    ];
    let (differences, missing) = compare("told", probes);
    assert_eq!(
        differences,
        [
            "sizeof(struct sync_merge_data) is 48 in the headers and 47 here",
            "SYNC_IOC_MERGE + 1 is 3224387076 in the headers and 3224387075 here",
        ]
    );
    assert!(missing.iter().eq(["again", "field", "number", "structure"]), "{missing:?}");
}

/// Fails on every difference, and on what is missing if nothing may be.
fn agree(name: &str, probes: Vec<Probe>) {
    assert!(!probes.is_empty());
    let (differences, missing) = compare(name, probes);
    assert!(differences.is_empty(), "{differences:#?}");
    if !missing.is_empty() {
        assert!(chosen().is_none(), "the headers lack {missing:?}");
        eprintln!("skipped: {}: the headers lack {missing:?}", root().display());
    }
}

/// In which expressions the headers differ, and what they lack.
fn compare(name: &str, mut probes: Vec<Probe>) -> (Vec<String>, BTreeSet<String>) {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("uapi-{name}"));
    let mut missing = BTreeSet::new();
    // A compiler does not always find everything at once.
    while let Err(unknown) = compile(&program, &probes) {
        let mut number = 0;
        probes.retain(|probe| {
            number += 1;
            let known = !unknown.contains(&number);
            if !known {
                missing.insert(probe.subject.clone());
            }
            known
        });
    }
    let output = Command::new(&program).output().unwrap();
    let values = String::from_utf8(output.stdout).unwrap();
    let values: Vec<u64> = values.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(values.len(), probes.len());
    let pairs = probes.iter().zip(values).filter(|(probe, theirs)| probe.ours != *theirs);
    let differences = pairs.map(|(Probe { expression, ours, .. }, theirs)| {
        format!("{expression} is {theirs} in the headers and {ours} here")
    });
    (differences.collect(), missing)
}

/// Builds a program that prints the values, or tells the numbers of those that the headers lack.
fn compile(program: &Path, probes: &[Probe]) -> Result<(), BTreeSet<usize>> {
    let source = program.with_extension("c");
    fs::write(&source, c_program(probes)).unwrap();
    let root = root();
    let mut cc = Command::new("cc");
    // Their own includes must find what belongs to them.
    cc.arg("-I").arg(&root);
    cc.arg("-I").arg(root.join(format!("{}-linux-gnu", env::consts::ARCH)));
    cc.arg(&source).arg("-o").arg(program).env("LC_ALL", "C");
    let output = cc.output().expect("a C compiler is there, for Rust needs it to link");
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let errors = said.lines().filter(|line| line.contains("error: "));
    let lines = errors.filter_map(|line| line.strip_prefix("probes:")?.split(':').next());
    let unknown: BTreeSet<usize> = lines.map(|line| line.parse().unwrap()).collect();
    assert!(!unknown.is_empty(), "{said}");
    Err(unknown)
}

fn c_program(probes: &[Probe]) -> String {
    let mut c = String::new();
    for header in HEADERS.map(|header| root().join(header)) {
        let header = header.display();
        writeln!(c, "#if __has_include(\"{header}\")\n#include \"{header}\"\n#endif").unwrap();
    }
    c += "int printf(const char *, ...);\nstatic unsigned long long values[] = {\n";
    // The compiler complains of probes by their numbers.
    c += "#line 1 \"probes\"\n";
    for Probe { expression, .. } in probes {
        writeln!(c, "{expression},").unwrap();
    }
    c += "};\nint main(void) {\n";
    c += "for (unsigned i = 0; i < sizeof values / sizeof *values; i++)\n";
    c + "printf(\"%llu\\n\", values[i]);\nreturn 0;\n}\n"
}

/// Headers that must have everything.
fn chosen() -> Option<PathBuf> {
    env::var_os("DMA_FENCE_UAPI_HEADERS").map(PathBuf::from)
}

fn root() -> PathBuf {
    chosen().unwrap_or_else(|| "/usr/include".into())
}
