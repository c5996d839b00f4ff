use super::*;
use crate::watch::{
    rates::Rates,
    sample::{self, frozen},
};
use dma_fence_trace::report::{Report, Verdict};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

fn screen(report: &Report, state: &State, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let rates = Rates::default();
    let status =
        Status { name: "the kernel".into(), paused: false, watched_ns: None, replay: None };
    let drawn = terminal.draw(|frame| draw(frame, state, &state.shown(report, &rates), &status));
    drawn.unwrap().buffer.clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
}

/// The number of the first line that has `text`.
#[track_caller]
fn find(buffer: &Buffer, text: &str) -> usize {
    let lines = lines(buffer);
    let found = lines.iter().position(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in:\n{}", lines.join("\n")))
}

fn color(buffer: &Buffer, line: usize) -> Color {
    // In the middle of a row of the table.
    buffer[(12, line as u16)].fg
}

#[test]
fn of_a_frozen_desktop_the_reason_is_the_first_line_and_red() {
    let screen = screen(&frozen(), &State::new(), 120, 40);
    let first = find(&screen, "Pending fences by urgency") + 2;
    let text = &lines(&screen)[first];
    for part in ["!", "40.0 s", "sw_sync", "ring-stuck", "7:3", "40.0 s kworker/u4:1-31", "itself"]
    {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    assert_eq!(color(&screen, first), Color::Red);
    assert!(lines(&screen)[first + 1].contains("7:3, display"));
    assert_eq!(color(&screen, first + 1), Color::Red);
    assert!(lines(&screen)[first + 2].contains("5:100"));
    assert_eq!(color(&screen, first + 2), Color::Reset);
    // And it says why, of the one that is selected.
    find(&screen, "it is the reason itself");
    assert!(lines(&screen)[0].starts_with("2 stuck  3 pending"));
    assert_eq!(screen[(0, 0)].fg, Color::Red);
}

#[test]
fn timelines_have_rates_and_percentiles() {
    let screen = screen(&frozen(), &State::new(), 120, 40);
    let header = find(&screen, "FENCES/s");
    let text = &lines(&screen)[header + 1];
    for part in ["gpu", "gfx [5]", "1.7", "2.0 ms", "9.0 ms"] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

#[test]
fn the_selected_row_is_seen() {
    let mut state = State::new();
    let report = frozen();
    let rates = Rates::default();
    let down = ratatui::crossterm::event::KeyCode::Down;
    state.key(down.into(), &report, &rates);
    let screen = screen(&report, &state, 100, 30);
    let first = find(&screen, "Pending fences") + 2;
    let is_reversed = |line: usize| screen[(99, line as u16)].modifier.contains(Modifier::REVERSED);
    assert!(!is_reversed(first) && is_reversed(first + 1), "to its end");
    find(&screen, "2:9 of vkms CRTC:34-crtc-0 is stuck");
}

#[test]
fn a_filter_hides_the_rest_and_is_shown() {
    let mut state = State::new();
    state.filter = "gfx".into();
    let screen = screen(&frozen(), &state, 100, 30);
    find(&screen, "5:100");
    find(&screen, "(1 of 1)");
    find(&screen, "filter: gfx");
    assert!(!lines(&screen).iter().any(|line| line.contains("ring-stuck")));
}

#[test]
fn of_many_fences_the_selected_one_stays_in_sight() {
    let mut report = frozen();
    report.fences = (0..500).map(|n| sample::fence(5, n, ("gpu", "gfx"), 1)).collect();
    let mut state = State::new();
    let rates = Rates::default();
    for (keys, seqno) in [(0, 0), (7, 7), (300, 307), (500, 499)] {
        for _ in 0..keys {
            state.key(ratatui::crossterm::event::KeyCode::Down.into(), &report, &rates);
        }
        let screen = screen(&report, &state, 100, 30);
        find(&screen, &format!(" 5:{seqno} "));
        find(&screen, &format!("({} of 500)", seqno + 1));
    }
}

#[test]
fn no_terminal_is_too_small() {
    let mut hostile = frozen();
    hostile.fences.extend((0..50).map(|n| sample::fence(9, n, ("画面", "画面画面"), 3)));
    for (width, height) in [(20, 5), (1, 1), (2, 3), (0, 0), (5, 40), (200, 2), (300, 100)] {
        for report in [&hostile, &sample::report()] {
            let mut state = State::new();
            for focus in [Focus::Fences, Focus::Timelines] {
                state.focus = focus;
                for (help, details) in [(false, true), (true, false)] {
                    (state.help, state.details) = (help, details);
                    screen(report, &state, width, height);
                }
            }
        }
    }
    let screen = screen(&frozen(), &State::new(), 20, 5);
    assert!(lines(&screen)[3].contains("7:3"), "{:?}", lines(&screen));
}

#[test]
fn hostile_names_change_nothing_but_their_own_cells() {
    let names = ["\x1b[2J\x1b[H\x1b]0;x\x07", "a\nb\r\tc", "\u{202e}\u{200d}\u{301}", "\u{9b}31m"];
    let long = ["x".repeat(300), "画面".repeat(150)];
    for name in names.into_iter().chain(long.iter().map(String::as_str)) {
        let mut report = frozen();
        let fence = &mut report.fences[2];
        (fence.driver, fence.timeline) = (name.into(), name.into());
        fence.waiters[0].comm = name.into();
        report.timelines[0].timeline = name.into();
        report.timelines[0].last.as_mut().unwrap().comm = name.into();
        for width in [20, 60, 80, 131] {
            let mut state = State::new();
            for focus in [Focus::Fences, Focus::Timelines] {
                state.focus = focus;
                let screen = screen(&report, &state, width, 40);
                let shown = lines(&screen).concat();
                let bad =
                    |char: char| char.is_control() || "\u{202e}\u{200d}\u{301}".contains(char);
                assert!(!shown.contains(bad), "{name:?} in {width}");
                find(&screen, "7:3");
            }
        }
    }
}

#[test]
fn what_is_lost_to_somebody_is_red_too() {
    let mut report = frozen();
    report.fences[2].verdict = Verdict::Lost;
    let screen = screen(&report, &State::new(), 120, 40);
    assert_eq!(color(&screen, find(&screen, "ring-stuck")), Color::Red);
    find(&screen, "has lost its producer");
}

#[test]
fn the_help_lists_every_key() {
    let mut state = State::new();
    state.help = true;
    let screen = screen(&frozen(), &state, 80, 24);
    for key in ["q, Esc", "j k", "Tab", "Enter", "space", "n ", "+ -", "/ ", "s ", "?"] {
        find(&screen, &format!(" {key}"));
    }
}
