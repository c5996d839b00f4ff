//! `dma-fence analyze`, from top to bottom.

pub(crate) mod error;
mod names;
mod pages;
pub(crate) mod text;

use std::path::Path;

use dma_fence_trace::report::{MalformedLine, Report};
use dma_fence_trace::{Filter, Model, Options, Reader};

use self::error::AnalyzeError;
use crate::args::AnalyzeArgs;
use crate::copy::progress;
use crate::input::{self, Input};

/// What was found out.
pub(crate) struct Analysis {
    pub(crate) report: Report,
    /// What is wrong with the input, although something was understood.
    pub(crate) warnings: Vec<String>,
}

/// How many malformed lines of all files are told.
const MOST_MALFORMED: usize = 10;

pub(crate) fn run(args: &AnalyzeArgs) -> Result<Analysis, AnalyzeError> {
    pages::check(args)?;
    // A page shows what is fine, too.
    let all = args.all || args.html.is_some() || args.perfetto.is_some();
    let unordered = args.files.len() > 1;
    let mut model = Model::new(Options { threshold_ns: args.threshold, all, unordered });
    let mut read = Read::default();
    for file in &args.files {
        read.file(file, args, &mut model)?;
    }
    let mut report = model.report(args.end);
    // What stands around them is no reason to be content with events of fences that all make no sense.
    if !model.is_trace() || (report.events == 0 && read.malformed > 0) {
        return Err(AnalyzeError::NothingUnderstood {
            files: args.files.clone(),
            lines: read.lines,
            malformed: read.malformed,
            first: read.malformed_lines.into_iter().next(),
        });
    }
    report.malformed = read.malformed;
    report.malformed_lines = read.malformed_lines;
    if args.end.is_some_and(|end| end < report.last_ns) {
        read.warnings.push("--end is before the last event, and has no effect".into());
    }
    if report.events == 0 {
        let none =
            "there is no event of fences in it: was dma_fence:* enabled while it was recorded?";
        read.warnings.push(none.into());
    }
    report.filter(&Filter { timeline: args.timeline.clone(), pid: args.pid, since_ns: args.since });
    pages::write(args, &report, &read.warnings)?;
    if !args.all {
        report.leave_out_fine();
    }
    Ok(Analysis { report, warnings: read.warnings })
}

/// What is known of the reading itself.
#[derive(Default)]
struct Read {
    lines: u64,
    malformed: u64,
    malformed_lines: Vec<MalformedLine>,
    warnings: Vec<String>,
}

impl Read {
    fn file(
        &mut self,
        path: &Path,
        args: &AnalyzeArgs,
        model: &mut Model,
    ) -> Result<(), AnalyzeError> {
        let input = input::open(path)?;
        let position = input.position();
        let bar =
            progress::bar(position.len().unwrap_or(0), !args.json && position.len().is_some());
        let mut reader = Reader::new(input);
        let failed = |cause| AnalyzeError::Read { path: path.to_owned(), cause };
        while let Some(line) = reader.next().map_err(failed)? {
            model.line(&line);
            // Not each time: it would cost more than the line.
            if reader.tally().lines % 4096 == 0 {
                bar.set_position(position.bytes_read());
            }
        }
        bar.finish_and_clear();
        self.end_of(path, args, &reader);
        Ok(())
    }

    fn end_of(&mut self, path: &Path, args: &AnalyzeArgs, reader: &Reader<Input>) {
        let tally = reader.tally();
        self.lines += tally.lines;
        self.malformed += tally.malformed;
        let file = if args.files.len() > 1 { path.display().to_string() } else { String::new() };
        let lines = tally.first_malformed.iter().map(|(line, problem)| MalformedLine {
            file: file.clone(),
            line: *line,
            problem: *problem,
        });
        let room = MOST_MALFORMED.saturating_sub(self.malformed_lines.len());
        self.malformed_lines.extend(lines.take(room));
        let damage = reader.get_ref().damage();
        self.warnings.extend(damage.map(str::to_owned));
    }
}
