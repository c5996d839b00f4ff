//! What may cross threads, pinned for every public type: an auto trait lost by accident is a breaking
//! change, and one gained by accident may be unsound.
#![cfg(all(feature = "std", not(loom)))]

use dma_fence::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// True if the type has the trait; a trait bound cannot say "has not".
macro_rules! has {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "found only if the bound does not hold")]
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "found only if the bound holds")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

#[test]
fn the_probe_tells_the_difference() {
    assert!(has!(u8: Send) && !has!(*const u8: Send) && !has!(std::marker::PhantomPinned: Unpin));
}

struct Pinned {
    name: &'static str,
    is: Vec<&'static str>,
    expected: Vec<&'static str>,
}

/// Each type with exactly those of these traits that it has.
macro_rules! pinned {
    ($($type:ty: $($expected:ident)*;)+) => {
        vec![$({
            let traits = [
                ("Send", has!($type: Send)),
                ("Sync", has!($type: Sync)),
                ("Unpin", has!($type: Unpin)),
                ("Clone", has!($type: Clone)),
                ("Copy", has!($type: Copy)),
                ("Error", has!($type: std::error::Error)),
            ];
            Pinned {
                name: stringify!($type),
                is: traits.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect(),
                expected: vec![$(stringify!($expected)),*],
            }
        }),+]
    };
}

fn pinned() -> Vec<Pinned> {
    #[cfg_attr(not(feature = "trace"), expect(unused_mut, reason = "what a feature adds"))]
    let mut pinned = pinned! {
        // Handles: shared between threads.
        Fence: Send Sync Unpin Clone;
        FenceArray: Send Sync Unpin Clone;
        FenceChain: Send Sync Unpin Clone;
        ContainedFence: Send Sync Unpin Clone;
        // Walks over containers keep what they come to.
        ChainIter: Send Sync Unpin Clone;
        Leaves: Send Sync Unpin Clone;
        Description<'static>: Send Sync Unpin;
        // One producer, one registration, one owner of a context.
        DriverFence: Send Sync Unpin;
        WeakDriverFence: Send Sync Unpin;
        FenceCallback: Send Sync Unpin;
        FenceContext: Send Sync Unpin;
        ReservationObject: Send Sync Unpin;
        // Readers of a buffer are anywhere.
        ReservationView: Send Sync Unpin;
        ReservationIter<'static>: Send Sync Unpin;
        // A lock stays on its thread.
        ReservationGuard<'static>: Sync Unpin;
        LockedSet<'static>: Sync Unpin;
        AcquireContext: Unpin;
        contract::Held: Sync Unpin;
        contract::SignallingSection: Sync Unpin;
        // A wait moves between executors; whoever drops it deregisters it.
        FenceFuture: Send Sync Unpin;
        AnyFuture: Send Sync Unpin;
        AllFuture: Send Sync Unpin;
        // Memory for what is not there yet: good for one thing.
        FenceAllocation: Send Sync Unpin;
        ArrayAllocation: Send Sync Unpin;
        ChainAllocation: Send Sync Unpin;
        ArrayMembers: Send Sync Unpin;
        // What a callback is handed back in is as good as the callback.
        Declined<fn()>: Send Sync Unpin;
        Declined<*const u8>: Unpin;
        // Values.
        Timestamp: Send Sync Unpin Clone Copy;
        Signal: Send Sync Unpin Clone Copy;
        Status: Send Sync Unpin Clone Copy;
        Outcome: Send Sync Unpin Clone Copy;
        Enabled: Send Sync Unpin Clone Copy;
        Usage: Send Sync Unpin Clone Copy;
        ContextKind: Send Sync Unpin Clone Copy;
        SeqnoOrder: Send Sync Unpin Clone Copy;
        RefusalReason: Send Sync Unpin Clone Copy;
        ReservationStatus: Send Sync Unpin Clone;
        algorithm::Settled: Send Sync Unpin Clone Copy;
        taint::Counts: Send Sync Unpin Clone Copy;
        taint::Record: Send Sync Unpin Clone;
        taint::Kind: Send Sync Unpin Clone Copy;
        contract::Class: Send Sync Unpin Clone Copy;
        contract::LockClass: Send Sync Unpin;
        contract::Rule: Send Sync Unpin Clone Copy;
        contract::Step: Send Sync Unpin Clone Copy;
        contract::Violation: Send Sync Unpin Clone;
        contract::CheckedAllocator<std::alloc::System>: Send Sync Unpin Clone Copy;
        // Errors.
        Errno: Send Sync Unpin Clone Copy Error;
        FenceError: Send Sync Unpin Clone Copy Error;
        WaitError: Send Sync Unpin Clone Copy Error;
        WaitAnyError: Send Sync Unpin Clone Copy Error;
        AddError: Send Sync Unpin Clone Copy Error;
        AllocError: Send Sync Unpin Clone Copy Error;
        Deadlock: Send Sync Unpin Clone Copy Error;
        DuplicateObject: Send Sync Unpin Clone Copy Error;
        RefusedMembers: Send Sync Unpin Error;
        RefusedFence: Send Sync Unpin Error;
        BeyondHead: Send Sync Unpin Clone Copy Error;
    };
    #[cfg(feature = "trace")]
    pinned.extend(pinned! {
        trace::Event<'static>: Send Sync Unpin Clone Copy;
        trace::EventKind: Send Sync Unpin Clone Copy;
        trace::SinkIsSet: Send Sync Unpin Clone Copy Error;
        // Installed for all threads.
        &'static dyn trace::Sink: Send Sync Unpin Clone Copy;
    });
    pinned
}

#[test]
fn every_type_has_the_traits_that_it_should_and_no_others() {
    for Pinned { name, is, expected } in pinned() {
        assert_eq!(is, expected, "{name}");
    }
}

#[test]
fn every_public_type_is_pinned() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut public = BTreeSet::new();
    collect_types(&source.join("lib.rs"), &source, &mut public);
    assert!(public.contains("Fence") && public.contains("Settled"), "found: {public:?}");
    let last =
        |name: &str| name.split('<').next().unwrap().rsplit("::").next().unwrap().to_string();
    let pinned = pinned().iter().map(|pinned| last(pinned.name)).collect();
    let missing: Vec<_> = public.difference(&pinned).collect();
    assert!(missing.is_empty(), "not in the list of this test: {missing:?}");
}

/// Traits that are exported by name; those that are defined in a public module are told by `pub trait`.
const TRAITS: [&str; 1] = ["FenceOps"];

/// The public types of a module: defined in it, exported from it, and those of its public modules.
/// Reads Rust as `cargo fmt` leaves it, which is all that is needed here.
fn collect_types(file: &Path, children: &Path, types: &mut BTreeSet<String>) {
    let text = fs::read_to_string(file).unwrap();
    let mut items = text.lines().map(str::trim_end);
    let mut condition = "";
    while let Some(line) = items.next() {
        if line.starts_with("#[") {
            condition = if line.starts_with("#[cfg") { line } else { condition };
            continue;
        }
        let item = line.strip_prefix("pub ").filter(|_| is_built(condition)).unwrap_or_default();
        if let Some(first) = item.strip_prefix("use ") {
            let mut exports = first.to_string();
            while !exports.ends_with(';') {
                exports += items.next().expect("the end of a use");
            }
            for (path, name) in exported(&exports) {
                match module_file(children, &path, name) {
                    Some(file) => collect_types(&file, &file.with_extension(""), types),
                    None if is_type(name) => _ = types.insert(name.to_string()),
                    None => {}
                }
            }
        } else if let Some(name) = item.strip_prefix("mod ") {
            let file =
                module_file(children, "", name.trim_end_matches(';')).expect("a module's file");
            collect_types(&file, &file.with_extension(""), types);
        } else if let Some(rest) = item.strip_prefix("struct ").or(item.strip_prefix("enum ")) {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            types.insert(rest[..end].to_string());
        }
        if !line.starts_with("///") {
            condition = "";
        }
    }
}

/// Whether an item under that condition is there in this test.
fn is_built(condition: &str) -> bool {
    let traced = cfg!(feature = "trace") || !condition.contains("feature = \"trace\"");
    traced && !condition.contains("doctest") && !condition.contains("not(feature = \"std\")")
}

fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && !TRAITS.contains(&name)
}

/// `a::b::{C, d};` → (`a/b`, `C`), (`a/b`, `d`)
fn exported(exports: &str) -> Vec<(String, &str)> {
    let (path, names) = exports.trim_end_matches(';').rsplit_once("::").expect("a path");
    let names = names.trim_matches(|c| "{} ".contains(c)).split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(|name| (path.replace("::", "/"), name)).collect()
}

fn module_file(children: &Path, path: &str, name: &str) -> Option<PathBuf> {
    let file = children.join(path).join(name).with_extension("rs");
    (name.starts_with(char::is_lowercase) && file.exists()).then_some(file)
}

#[test]
fn a_handle_is_a_pointer_with_a_niche() {
    assert_eq!(size_of::<Fence>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Fence>>(), size_of::<usize>());
    // The fence, and where the producer was made.
    assert_eq!(size_of::<DriverFence>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<FenceArray>(), size_of::<usize>());
}
