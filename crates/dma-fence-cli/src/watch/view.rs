//! What is on the screen: a function of a report and of what was chosen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Text},
    widgets::{Block, Borders, Clear, Paragraph, Wrap},
};

use super::{
    fences,
    state::{Focus, Shown, State},
    status::Status,
    table::{Column, Table},
    timelines, words,
};
use crate::shown::{fit, pad};

const KEYS: &str =
    "q quit  ↑↓ select  Tab table  Enter details  space pause  / filter  s sort  ? help";

const HELP: &str = " q, Esc         quit (Esc first clears the filter)
 ↑ ↓, j k       select; PgUp PgDn, g G: further
 Tab            fences or timelines
 Enter          details: open, close
 space          pause, go on
 n              while paused: the next event
 + -            replay faster, slower
 /              filter: driver, timeline or thread
 s              sort by something else
 ?              this

 !  stuck, and the reason is the fence itself
 ·  stuck behind another one
 ?  not certain: events are missing";

/// With fewer lines there is one table, and no details unless they were asked for.
const ROOM_FOR_BOTH: u16 = 14;
/// With fewer there are no details.
const ROOM_FOR_DETAILS: u16 = 8;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State, shown: &Shown<'_>, status: &Status) {
    let [top, body, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    let areas = Areas::of(body, state);
    line(frame, top, &status.line(shown.report), top_style(shown));
    if let Some(area) = areas.fences {
        draw_fences(frame, area, state, shown);
    }
    if let Some(area) = areas.timelines {
        draw_timelines(frame, area, state, shown);
    }
    if let Some(area) = areas.details {
        draw_details(frame, area, state, shown);
    }
    line(frame, bottom, &last_line(state), Style::new().add_modifier(Modifier::DIM));
    if state.help {
        draw_help(frame);
    }
}

/// What there is room for.
struct Areas {
    fences: Option<Rect>,
    timelines: Option<Rect>,
    details: Option<Rect>,
}

impl Areas {
    fn of(body: Rect, state: &State) -> Self {
        let details = state.details && body.height >= ROOM_FOR_DETAILS;
        let both = body.height >= ROOM_FOR_BOTH;
        let is = |focus| both || state.focus == focus;
        let parts = [(is(Focus::Fences), 4), (is(Focus::Timelines), 3), (details, 4)];
        let kept = parts.iter().filter(|(kept, _)| *kept);
        let areas = Layout::vertical(kept.map(|(_, share)| Constraint::Fill(*share))).split(body);
        let mut areas = areas.iter().copied();
        let [fences, timelines, details] =
            parts.map(|(kept, _)| if kept { areas.next() } else { None });
        Areas { fences, timelines, details }
    }
}

fn top_style(shown: &Shown<'_>) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    if shown.report.stuck { style.fg(Color::Red) } else { style }
}

fn draw_fences(frame: &mut Frame<'_>, area: Rect, state: &State, shown: &Shown<'_>) {
    let title = format!("Pending fences by {}", state.fence_order.name());
    let list = Window::new(area, &shown.fences, state.fence_at(shown));
    let rows = list.rows.iter().map(|&index| {
        let fence = &shown.report.fences[index];
        (fences::cells(fence), fence_style(fence))
    });
    list.draw(frame, &title, &fences::COLUMNS, rows.collect(), state.focus == Focus::Fences);
}

fn fence_style(fence: &dma_fence_trace::report::Fence) -> Style {
    match (fence.is_stuck(), fence.root) {
        (true, true) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        (true, false) => Style::new().fg(Color::Red),
        (false, _) => Style::new(),
    }
}

fn draw_timelines(frame: &mut Frame<'_>, area: Rect, state: &State, shown: &Shown<'_>) {
    let title = format!("Timelines by {}", state.timeline_order.name());
    let list = Window::new(area, &shown.timelines, state.timeline_at(shown));
    let rows = list.rows.iter().map(|&index| {
        let timeline = &shown.report.timelines[index];
        (timelines::cells(timeline, shown.report, shown.rates), Style::new())
    });
    let is_focused = state.focus == Focus::Timelines;
    list.draw(frame, &title, &timelines::COLUMNS, rows.collect(), is_focused);
}

/// The part of a list that there is room for, with the selected row in it.
struct Window<'a> {
    area: Rect,
    rows: &'a [usize],
    /// How many there are, and how many are above.
    count: usize,
    above: usize,
    selected: usize,
}

impl<'a> Window<'a> {
    fn new(area: Rect, list: &'a [usize], selected: usize) -> Self {
        // One line is the title, one the header.
        let room = usize::from(area.height.saturating_sub(2));
        let last = list.len().saturating_sub(room);
        let above = selected.saturating_sub(room / 2).min(last);
        let rows = &list[above..list.len().min(above + room)];
        Window { area, rows, count: list.len(), above, selected }
    }

    fn draw(
        &self,
        frame: &mut Frame<'_>,
        title: &str,
        columns: &[Column],
        rows: Vec<(Vec<String>, Style)>,
        is_focused: bool,
    ) {
        let width = usize::from(self.area.width);
        let (cells, styles): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let table = Table::new(columns, &cells, width);
        let place = match self.count {
            0 => "none".to_owned(),
            count => format!("{} of {count}", self.selected + 1),
        };
        let rule =
            Style::new().add_modifier(if is_focused { Modifier::BOLD } else { Modifier::DIM });
        let marker = if is_focused { "▶" } else { " " };
        let title = format!("{marker} {title} ({place}) ");
        let title = fit(&title, width);
        let title = format!("{title}{}", "─".repeat(width - crate::shown::width(&title)));
        let header = Style::new().add_modifier(Modifier::UNDERLINED);
        let mut lines = vec![
            Line::styled(title, rule),
            Line::styled(pad(&table.header(), width, false), header),
        ];
        for (place, (cells, style)) in cells.iter().zip(styles).enumerate() {
            let is_selected = is_focused && self.above + place == self.selected;
            let style = if is_selected { style.add_modifier(Modifier::REVERSED) } else { style };
            lines.push(Line::styled(pad(&table.row(cells), width, false), style));
        }
        frame.render_widget(Paragraph::new(lines), self.area);
    }
}

fn draw_details(frame: &mut Frame<'_>, area: Rect, state: &State, shown: &Shown<'_>) {
    let lines = match state.focus {
        Focus::Fences => state.selected_fence(shown).map(|fence| words::fence(shown.report, fence)),
        Focus::Timelines => {
            let timeline = state.selected_timeline(shown);
            timeline.map(|timeline| words::timeline(shown.report, timeline))
        }
    };
    let nothing = || vec!["Nothing to tell: no fence is pending here.".to_owned()];
    let lines = lines.unwrap_or_else(nothing);
    let text = Text::from_iter(lines.into_iter().map(Line::from));
    let block = Block::new().borders(Borders::TOP).title(" Details ");
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }).block(block), area);
}

fn last_line(state: &State) -> String {
    if state.typing {
        format!("filter: {}_  (Enter keeps it, Esc clears it)", state.filter)
    } else if state.filter.is_empty() {
        KEYS.to_owned()
    } else {
        format!("filter: {}  (Esc clears it)  {KEYS}", state.filter)
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines = HELP.lines().count() as u16;
    let columns = HELP.lines().map(crate::shown::width).max().unwrap_or(0) as u16;
    let area = frame.area();
    let [area] = Layout::horizontal([Constraint::Length(columns + 3)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    let [area] = Layout::vertical([Constraint::Length(lines + 2)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(HELP).block(Block::bordered().title(" Keys and marks ")),
        area,
    );
}

fn line(frame: &mut Frame<'_>, area: Rect, text: &str, style: Style) {
    let text = pad(text, usize::from(area.width), false);
    frame.render_widget(Line::styled(text, style), area);
}

#[cfg(test)]
mod tests;
