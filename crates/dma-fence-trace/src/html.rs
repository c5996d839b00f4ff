//! The page of `dma-fence analyze --html`: a report that one can look at, in one file that loads nothing else.
//!
//! Names come from anybody who may name a thread or a timeline. They reach the page in one way only: as JSON
//! in an inert `<script>`, without any `<` that could end it; the page's own code shows them as text.

mod data;
mod headline;

use std::io;

use data::Data;

use crate::report::Report;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");

/// One module in the end: names are shared, and what a file uses when it is loaded stands before it.
const SCRIPTS: [&str; 12] = [
    include_str!("html/text.js"),
    include_str!("html/model.js"),
    include_str!("html/layout.js"),
    include_str!("html/view.js"),
    include_str!("html/draw.js"),
    include_str!("html/axis.js"),
    include_str!("html/arrows.js"),
    include_str!("html/search.js"),
    include_str!("html/panel.js"),
    include_str!("html/head.js"),
    include_str!("html/input.js"),
    include_str!("html/main.js"),
];

/// Writes a page about `report`, which has all fences in it, also those that are fine.
///
/// `title` says what was analyzed: the trace's file name, for instance. `warnings` say what is wrong with it. Both may be
/// any strings.
///
/// # Errors
///
/// Those of `to`.
pub fn write(
    report: &Report,
    title: &str,
    warnings: &[String],
    mut to: impl io::Write,
) -> io::Result<()> {
    let mut rest = PAGE;
    while let Some((before, marker)) = rest.split_once("/*{") {
        to.write_all(before.as_bytes())?;
        let (marker, after) = marker.split_once("}*/").expect("a marker of page.html has an end");
        match marker {
            "style" => to.write_all(STYLE.as_bytes())?,
            "data" => serde_json::to_writer(Inert(&mut to), &Data::new(report, title, warnings))?,
            "script" => {
                for script in SCRIPTS {
                    to.write_all(script.as_bytes())?;
                }
            }
            _ => unreachable!("page.html has no other markers"),
        }
        rest = after;
    }
    to.write_all(rest.as_bytes())
}

/// Writes JSON without `<`: in JSON it is in strings only, where it can be written as a number too.
struct Inert<W>(W);

impl<W: io::Write> io::Write for Inert<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut parts = bytes.split(|&byte| byte == b'<');
        if let Some(first) = parts.next() {
            self.0.write_all(first)?;
        }
        for part in parts {
            self.0.write_all(br"\u003c")?;
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
