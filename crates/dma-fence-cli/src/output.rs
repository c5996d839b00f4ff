//! Standard output, standard error and the exit status.
//!
//! A reader that has gone away (`dma-fence man | head -1`) is no failure of ours.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::{
    analyze::{Analysis, error::AnalyzeError, text::Text},
    args::{
        AFTER_ANALYZE, AFTER_HELP, AFTER_INFO, AFTER_RECORD, AFTER_WATCH, AnalyzeArgs, Cli,
        CopyArgs, RecordArgs,
    },
    copy::report::{Report, Warnings},
    error::{CopyError, Failure},
    info::{self, error::InfoError},
    record::{self, Recording, error::RecordError},
    watch::{Watched, error::WatchError},
};

/// Wrong usage, or a request for help or the version.
pub(crate) fn not_parsed(error: &clap::Error) -> ExitCode {
    // What comes after -- is another command's.
    let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if error.use_stderr() && json {
        let message = error.render().to_string();
        return failed(&CopyError::Usage(message.trim().to_owned()), true, &[]);
    }
    // Standard output or standard error, in colour or not; there is nobody to tell if it fails.
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

/// The end of `dma-fence copy`.
pub(crate) fn copied(
    args: &CopyArgs,
    result: &Result<Report, CopyError>,
    warnings: &Warnings,
) -> ExitCode {
    match result {
        Err(error) => failed(error, args.json, warnings.messages()),
        Ok(report) if args.json => {
            #[derive(serde::Serialize)]
            struct Object<'a> {
                #[serde(flatten)]
                report: &'a Report,
                warnings: &'a [String],
            }
            let object = Object { report, warnings: warnings.messages() };
            let text = serde_json::to_string(&object).expect("its keys are strings");
            print(format!("{text}\n").as_bytes())
        }
        Ok(_) if args.quiet => ExitCode::SUCCESS,
        Ok(report) => print(report.to_string().as_bytes()),
    }
}

/// The end of `dma-fence info`.
pub(crate) fn shown(json: bool, result: &Result<info::Report, InfoError>) -> ExitCode {
    match result {
        Err(error) => failed(error, json, &[]),
        Ok(report) if json => {
            let text = serde_json::to_string(report).expect("its keys are strings");
            print(format!("{text}\n").as_bytes())
        }
        Ok(report) => print(report.to_string().as_bytes()),
    }
}

/// The end of `dma-fence analyze`.
pub(crate) fn analyzed(args: &AnalyzeArgs, result: &Result<Analysis, AnalyzeError>) -> ExitCode {
    let Analysis { report, warnings } = match result {
        Err(error) => return failed(error, args.json, &[]),
        Ok(analysis) => analysis,
    };
    let text = if args.json {
        #[derive(serde::Serialize)]
        struct Object<'a> {
            #[serde(flatten)]
            report: &'a dma_fence_trace::Report,
            warnings: &'a [String],
        }
        let object = Object { report, warnings };
        serde_json::to_string(&object).expect("its keys are strings") + "\n"
    } else {
        for warning in warnings {
            let _ = writeln!(io::stderr(), "dma-fence: warning: {warning}");
        }
        Text::new(report, args.all).to_string()
    };
    // Without colours where they would be noise.
    let stdout = anstream::stdout().lock();
    let status = ExitCode::from(u8::from(report.stuck));
    print_to(stdout, text.as_bytes(), status, ExitCode::from(2))
}

/// The end of `dma-fence record`. Standard output is the command's, or the trace's.
pub(crate) fn recorded(args: &RecordArgs, result: &Result<Recording, RecordError>) -> ExitCode {
    let recording = match result {
        Err(error) => return failed(error, false, &[]),
        Ok(recording) => recording,
    };
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "dma-fence: {}", record::summary(args, recording));
    if recording.lost > 0 {
        let _ = writeln!(
            stderr,
            "dma-fence: warning: {} events are lost: the buffer was full; --buffer-size {} is twice as large",
            recording.lost,
            args.buffer_size.saturating_mul(2)
        );
    }
    if let Some(warning) = recording.warning {
        let _ = writeln!(stderr, "dma-fence: warning: {warning}");
    }
    ExitCode::from(recording.exit_status)
}

/// The end of `dma-fence watch`.
pub(crate) fn watched(result: &Result<Watched, WatchError>) -> ExitCode {
    match result {
        Err(error) => failed(error, false, &[]),
        Ok(Watched::Quit) => ExitCode::SUCCESS,
        Ok(Watched::Interrupted(signal)) => ExitCode::from(128 + *signal as u8),
        Ok(Watched::State(text)) => print(text.as_bytes()),
    }
}

pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dma-fence", &mut script);
    let mut script = String::from_utf8(script).expect("scripts are text");
    if shell == Shell::Bash {
        // It takes the hyphen of our name for a subcommand where it acts on a state, but not where it sets one
        // (https://github.com/clap-rs/clap/issues/6421), so that nothing behind a subcommand was completed.
        script = script.replace("dma__subcmd__fence", "dma__fence");
    }
    print(script.as_bytes())
}

/// One page: the command, then the options and the notes of each of its commands.
pub(crate) fn manual() -> ExitCode {
    let mut command = Cli::command();
    command.build();
    let commands = [
        ("copy", AFTER_HELP),
        ("info", AFTER_INFO),
        ("record", AFTER_RECORD),
        ("analyze", AFTER_ANALYZE),
        ("watch", AFTER_WATCH),
    ];
    let commands = commands.map(|(name, notes)| {
        (command.find_subcommand(name).expect("the command line has it").clone(), notes)
    });
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let page = clap_mangen::Man::new(command);
    let mut text = Vec::new();
    page.render_title(&mut text)
        .and_then(|()| page.render_name_section(&mut text))
        .and_then(|()| page.render_synopsis_section(&mut text))
        .and_then(|()| page.render_description_section(&mut text))
        .and_then(|()| page.render_subcommands_section(&mut text))
        .and_then(|()| {
            let mut commands = commands.into_iter();
            commands.try_for_each(|(command, notes)| manual_of(command, notes, &mut text))
        })
        .expect("writing to memory succeeds");
    // It takes each command for one with a page of its own.
    let text = names.iter().fold(String::from_utf8(text).expect("roff is text"), |text, name| {
        text.replace(&format!("dma\\-fence\\-{name}(1)"), &format!("dma\\-fence {name}"))
    });
    print(text.as_bytes())
}

fn manual_of(command: clap::Command, notes: &str, text: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_name().to_uppercase();
    let command = clap_mangen::Man::new(command);
    writeln!(text, ".SH \"DMA\\-FENCE {name}\"")?;
    command.render_synopsis_section(text)?;
    command.render_description_section(text)?;
    command.render_options_section(text)?;
    // Its lines are laid out: no filling.
    writeln!(text, ".SH NOTES\n.nf")?;
    for line in notes.lines() {
        // Roff takes a leading dot for a request, and a bare dash for a hyphen.
        writeln!(text, "\\&{}", line.replace('-', "\\-"))?;
    }
    writeln!(text, ".fi")
}

fn failed(error: &impl Failure, json: bool, warnings: &[String]) -> ExitCode {
    let status = ExitCode::from(error.exit_status());
    if json {
        let object = json!({ "error": error.to_json(), "warnings": warnings });
        let _ = print(format!("{object}\n").as_bytes());
    } else {
        let _ = writeln!(io::stderr(), "dma-fence: error: {error}");
    }
    status
}

fn print(text: &[u8]) -> ExitCode {
    print_to(io::stdout().lock(), text, ExitCode::SUCCESS, ExitCode::FAILURE)
}

fn print_to(mut to: impl Write, text: &[u8], printed: ExitCode, not_printed: ExitCode) -> ExitCode {
    match to.write_all(text).and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "dma-fence: error: cannot write the output: {error}");
            not_printed
        }
        _ => printed,
    }
}
