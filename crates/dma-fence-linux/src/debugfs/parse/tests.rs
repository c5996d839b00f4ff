use super::*;

const OLD: &str = include_str!("../../../tests/data/bufinfo-6.12.txt");
const NEW: &str = include_str!("../../../tests/data/bufinfo-7.3.txt");
const NAMES: &str = include_str!("../../../tests/data/bufinfo-7.3-names.txt");

const ROW: &str = "00004096\t00000002\t02080007\t00000004\tdrm\t00000003\t";

/// Usage, context, seqno, driver, timeline, signaled.
type Expected<'a> = (Usage, Option<u64>, Option<u64>, &'a str, &'a str, bool);

fn seen(fence: &ListedFence) -> Expected<'_> {
    let ListedFence { usage, driver, timeline, context, seqno, is_signaled } = fence;
    (*usage, *context, *seqno, driver, timeline, *is_signaled)
}

#[test]
fn linux_6_12() {
    let list = list(OLD);
    assert_eq!((list.buffers.len(), list.unknown_lines), (13, 0));
    assert_eq!(list.buffers.iter().map(|buffer| buffer.size).sum::<u64>(), 200_704);
    let busy: Vec<_> =
        list.buffers.iter().filter(|it| it.fences.iter().any(|it| !it.is_signaled)).collect();
    let [busy] = busy[..] else { panic!("{busy:?}") };
    assert_eq!((busy.inode, busy.references, busy.exporter.as_str()), (23, 5, "drm"));
    let [fence] = &busy.fences[..] else { panic!("{busy:?}") };
    assert_eq!(seen(fence), (Usage::Write, None, Some(1), "vgem", "unbound", false));
    assert_eq!(list.buffers[11].fences, []);
}

#[test]
fn linux_7_3() {
    let list = list(NEW);
    assert_eq!((list.buffers.len(), list.unknown_lines), (3, 0));
    let fences: Vec<_> = list.buffers.iter().flat_map(|it| &it.fences).map(seen).collect();
    let expected: [Expected<'_>; 3] = [
        (Usage::Write, Some(9), Some(9), "sw_sync", "ring-stuck", false),
        (Usage::Write, Some(9), Some(8), "sw_sync", "ring-stuck", false),
        (Usage::Write, Some(5), Some(40), "", "", true),
    ];
    assert_eq!(fences, expected);
}

#[test]
fn a_timeline_with_blanks() {
    let list = list(NAMES);
    let expected = (Usage::Write, Some(7), Some(2), "sw_sync", "stuck: seqno=1", false);
    assert_eq!(seen(&list.buffers[0].fences[0]), expected);
    assert_eq!(list.unknown_lines, 0);
}

#[test]
fn every_line_of_a_fence() {
    let some: [(&str, Expected<'_>); 6] = [
        (
            "kernel fence:amdgpu sdma 0 seq 7 signalled",
            (Usage::Kernel, None, Some(7), "amdgpu", "sdma 0", true),
        ),
        (
            "bookkeep fence:2:18446744073709551615 a xe unsignalled",
            (Usage::Bookkeep, Some(2), Some(u64::MAX), "xe", "a", false),
        ),
        (
            "read fence:xe ring seq seq 4 unsignaled",
            (Usage::Read, None, Some(4), "xe", "ring seq", false),
        ),
        (
            "Exclusive fence: i915 [i915] rcs0 signalled",
            (Usage::Write, None, None, "i915", "[i915] rcs0", true),
        ),
        ("Shared fence: i915 vcs unsignalled", (Usage::Read, None, None, "i915", "vcs", false)),
        ("read fence:x  seq 1 signalled", (Usage::Read, None, Some(1), "x", "", true)),
    ];
    for (line, expected) in some {
        let list = list(&format!("{ROW}\n\t{line}\n"));
        let [fence] = &list.buffers[0].fences[..] else { panic!("{line:?}: {list:?}") };
        assert_eq!(seen(fence), expected, "{line:?}");
    }
}

#[test]
fn names_and_devices() {
    let text = format!(
        "{ROW}a name\twith all\n\tAttached Devices:\n\t0000:00:02.0\n\tread fence:a b seq 1 signalled\n\
         Total 2 devices attached\n\n{ROW}<none>\n\tread fence:a b seq 1 signalled\n"
    );
    let list = list(&text);
    let [first, second] = &list.buffers[..] else { panic!("{list:?}") };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("a name\twith all", ""));
    // What follows the heading is a device, whatever it looks like.
    assert_eq!(first.devices, ["0000:00:02.0", "read fence:a b seq 1 signalled"]);
    assert_eq!((first.fences.len(), second.fences.len()), (0, 1));
    assert_eq!(list.unknown_lines, 0);

    let nameless = ROW.trim_end();
    assert_eq!(super::list(nameless).buffers[0].name, "");
}

#[test]
fn what_is_not_known_is_counted() {
    for line in [
        "\tERROR locking buffer object: skipping",
        "rest of a name after its line end",
        "\twrite fence:9:8 ring gpu maybe",
        "\tadmire fence:9:8 ring gpu signalled",
        "\twrite fence:",
        "\twrite fence:alone signalled",
        "4096 bytes",
        "-1\t0\t0\t0\tdrm\t1\t",
        "99999999999999999999\t0\t0\t0\tdrm\t1\t",
    ] {
        let text = format!("{ROW}\n{line}\n\twrite fence:1:2 ring gpu signalled\n");
        let list = list(&text);
        assert_eq!((list.buffers.len(), list.unknown_lines), (1, 1), "{line:?}");
        assert_eq!(list.buffers[0].fences.len(), 1, "{line:?}");
    }
    // A fence or device without a buffer.
    assert_eq!(
        list("\twrite fence:1:2 ring gpu signalled\n\tAttached Devices:\n").unknown_lines,
        2
    );
    assert_eq!(list(""), BufferList::default());
}

/// Real text with bytes and lines cut, doubled, and changed: nothing is lost, nothing panics.
#[test]
fn rubbish() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % limit as u64) as usize
    };
    let pieces =
        ["\t", "\n", " fence:", ":", "seq", " ", "signalled", "\u{fffd}", "9:8", "00004096"];
    for _ in 0..2000 {
        let source = [OLD, NEW, NAMES][below(3)];
        let mut text: Vec<char> = source.chars().take(400).collect();
        for _ in 0..below(20) {
            // One more than there is, for what is put at the end.
            let at = below(text.len() + 1);
            match below(9) {
                0..4 => drop(text.drain(at..(at + 1).min(text.len()))),
                4..8 => drop(text.splice(at..at, pieces[below(pieces.len())].chars())),
                _ => text.truncate(at),
            }
        }
        let text: String = text.into_iter().collect();
        let list = list(&text);
        let mut found = list.unknown_lines + list.buffers.len();
        found += list.buffers.iter().map(|it| it.fences.len() + it.devices.len()).sum::<usize>();
        let heading = |line: &&str| *line == "\tAttached Devices:" || is_decoration(line);
        let lines = text.lines().filter(|line| !heading(line)).count();
        // A heading before the first buffer is not known.
        assert!(found >= lines, "{found} of {lines} lines: {text:?}");
    }
}
