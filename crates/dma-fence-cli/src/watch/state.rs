//! What whoever looks has chosen to see, and what the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{fences, rates::Rates, timelines};
use dma_fence_trace::report::{Fence, Report, Timeline};

/// Longer than any name of the kernel's.
const LONGEST_FILTER: usize = 64;

/// How far a page goes.
const PAGE: isize = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Focus {
    Fences,
    Timelines,
}

/// What a key asks of whoever runs the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Quit,
    /// Or go on, if it is paused.
    Pause,
    Step,
    Faster,
    Slower,
}

/// What there is to see. The lists are places in the report.
pub(super) struct Shown<'a> {
    pub(super) report: &'a Report,
    pub(super) rates: &'a Rates,
    pub(super) fences: Vec<usize>,
    pub(super) timelines: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) focus: Focus,
    pub(super) fence_order: fences::Order,
    pub(super) timeline_order: timelines::Order,
    pub(super) filter: String,
    /// Keys are the filter's.
    pub(super) typing: bool,
    pub(super) details: bool,
    pub(super) help: bool,
    /// The first one while nobody has moved.
    fence: Option<fences::Key>,
    timeline: Option<super::rates::Key>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            focus: Focus::Fences,
            fence_order: fences::Order::Urgency,
            timeline_order: timelines::Order::Pending,
            filter: String::new(),
            typing: false,
            details: true,
            help: false,
            fence: None,
            timeline: None,
        }
    }

    pub(super) fn shown<'a>(&self, report: &'a Report, rates: &'a Rates) -> Shown<'a> {
        let filter = self.filter.to_lowercase();
        Shown {
            report,
            rates,
            fences: fences::list(report, &filter, self.fence_order),
            timelines: timelines::list(report, rates, &filter, self.timeline_order),
        }
    }

    /// The place of the selected fence in the list. One that is gone leaves the first selected.
    pub(super) fn fence_at(&self, shown: &Shown<'_>) -> usize {
        let fences = &shown.report.fences;
        let wanted = |&index: &usize| Some(fences::key(&fences[index])) == self.fence;
        shown.fences.iter().position(wanted).unwrap_or(0)
    }

    pub(super) fn timeline_at(&self, shown: &Shown<'_>) -> usize {
        let timelines = &shown.report.timelines;
        let wanted = |&index: &usize| {
            self.timeline.as_ref() == Some(&super::rates::Key::of(&timelines[index]))
        };
        shown.timelines.iter().position(wanted).unwrap_or(0)
    }

    pub(super) fn selected_fence<'a>(&self, shown: &Shown<'a>) -> Option<&'a Fence> {
        Some(&shown.report.fences[*shown.fences.get(self.fence_at(shown))?])
    }

    pub(super) fn selected_timeline<'a>(&self, shown: &Shown<'a>) -> Option<&'a Timeline> {
        Some(&shown.report.timelines[*shown.timelines.get(self.timeline_at(shown))?])
    }

    /// Does what a key means. `report` is what is on the screen.
    pub(super) fn key(&mut self, key: KeyEvent, report: &Report, rates: &Rates) -> Option<Command> {
        // In raw mode the terminal makes no signal of it.
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Command::Quit);
        }
        if self.typing {
            self.type_filter(key.code);
            return None;
        }
        if self.help {
            self.help = false;
            return (key.code == KeyCode::Char('q')).then_some(Command::Quit);
        }
        let mut go = |by| self.go(by, report, rates);
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => go(-1),
            KeyCode::Down | KeyCode::Char('j') => go(1),
            KeyCode::PageUp => go(-PAGE),
            KeyCode::PageDown => go(PAGE),
            KeyCode::Home | KeyCode::Char('g') => go(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => go(isize::MAX),
            KeyCode::Tab | KeyCode::BackTab => self.focus = self.other_focus(),
            KeyCode::Enter => self.details = !self.details,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('s') => self.sort(),
            KeyCode::Char('?') => self.help = true,
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Char('q') | KeyCode::Esc => return Some(Command::Quit),
            KeyCode::Char(' ') => return Some(Command::Pause),
            KeyCode::Char('n') => return Some(Command::Step),
            KeyCode::Char('+') => return Some(Command::Faster),
            KeyCode::Char('-') => return Some(Command::Slower),
            _ => {}
        }
        None
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(char) if self.filter.chars().count() < LONGEST_FILTER => {
                self.filter.push(char);
            }
            _ => {}
        }
    }

    fn go(&mut self, by: isize, report: &Report, rates: &Rates) {
        let shown = self.shown(report, rates);
        match self.focus {
            Focus::Fences => {
                let to = moved(self.fence_at(&shown), by, shown.fences.len());
                self.fence = shown.fences.get(to).map(|&index| fences::key(&report.fences[index]));
            }
            Focus::Timelines => {
                let to = moved(self.timeline_at(&shown), by, shown.timelines.len());
                let index = shown.timelines.get(to);
                self.timeline = index.map(|&index| super::rates::Key::of(&report.timelines[index]));
            }
        }
    }

    fn sort(&mut self) {
        match self.focus {
            Focus::Fences => self.fence_order = self.fence_order.next(),
            Focus::Timelines => self.timeline_order = self.timeline_order.next(),
        }
    }

    fn other_focus(&self) -> Focus {
        match self.focus {
            Focus::Fences => Focus::Timelines,
            Focus::Timelines => Focus::Fences,
        }
    }
}

fn moved(from: usize, by: isize, len: usize) -> usize {
    from.saturating_add_signed(by).min(len.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{self, frozen};

    fn press(state: &mut State, report: &Report, keys: &str) -> Vec<Command> {
        let code = |char| match char {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            char => KeyCode::Char(char),
        };
        let rates = Rates::default();
        keys.chars().filter_map(|char| state.key(code(char).into(), report, &rates)).collect()
    }

    fn selected(state: &State, report: &Report) -> Option<u32> {
        let rates = Rates::default();
        let shown = state.shown(report, &rates);
        match state.focus {
            Focus::Fences => state.selected_fence(&shown).map(|fence| fence.context),
            Focus::Timelines => state.selected_timeline(&shown)?.context,
        }
    }

    #[test]
    fn the_selection_moves_and_stays_with_its_fence() {
        let (mut state, mut report) = (State::new(), frozen());
        assert_eq!(selected(&state, &report), Some(7));
        press(&mut state, &report, "jj");
        assert_eq!(selected(&state, &report), Some(5));
        press(&mut state, &report, "jjk");
        assert_eq!(selected(&state, &report), Some(2));
        report.fences.insert(0, sample::fence(1, 1, ("old", "one"), 59));
        report.fences[0].verdict = dma_fence_trace::report::Verdict::Never;
        assert_eq!(selected(&state, &report), Some(2), "although another one is before it");
        press(&mut state, &report, "G");
        assert_eq!(selected(&state, &report), Some(5));
        press(&mut state, &report, "g");
        assert_eq!(selected(&state, &report), Some(1));
        report.fences.clear();
        assert_eq!(selected(&state, &report), None);
        press(&mut state, &report, "jkGg\n");
    }

    #[test]
    fn tab_switches_the_table_that_keys_are_for() {
        let (mut state, report) = (State::new(), frozen());
        press(&mut state, &report, "\tjs");
        assert_eq!(state.focus, Focus::Timelines);
        assert_eq!(selected(&state, &report), Some(2));
        assert_eq!(state.timeline_order, timelines::Order::Rate);
        assert_eq!(state.fence_order, fences::Order::Urgency);
        press(&mut state, &report, "\ts");
        assert_eq!(state.fence_order, fences::Order::Age);
    }

    #[test]
    fn a_filter_is_typed_kept_and_cleared() {
        let (mut state, report) = (State::new(), frozen());
        assert_eq!(press(&mut state, &report, "/vkq\x08 \x08m\n"), []);
        assert_eq!((state.filter.as_str(), state.typing), ("vkm", false));
        assert_eq!(selected(&state, &report), Some(2));
        assert_eq!(press(&mut state, &report, "\x1b"), [], "clears it");
        assert!(state.filter.is_empty());
        press(&mut state, &report, "/abc\x1b");
        assert!(state.filter.is_empty() && !state.typing);
        press(&mut state, &report, &format!("/{}", "x".repeat(1000)));
        assert_eq!(state.filter.len(), LONGEST_FILTER);
    }

    #[test]
    fn commands_and_ways_out() {
        let (mut state, report) = (State::new(), frozen());
        let commands = press(&mut state, &report, " n+-");
        assert_eq!(commands, [Command::Pause, Command::Step, Command::Faster, Command::Slower]);
        for way_out in ["q", "\x1b", "?q"] {
            assert_eq!(press(&mut state, &report, way_out), [Command::Quit], "{way_out:?}");
        }
        assert_eq!(press(&mut state, &report, "?\x1b"), [], "out of the help only");
        assert!(!state.help);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        press(&mut state, &report, "/");
        assert_eq!(state.key(interrupt, &report, &Rates::default()), Some(Command::Quit));
    }

    #[test]
    fn enter_opens_and_closes_the_details() {
        let (mut state, report) = (State::new(), frozen());
        press(&mut state, &report, "\n");
        assert!(!state.details);
        press(&mut state, &report, "\n");
        assert!(state.details);
    }
}
