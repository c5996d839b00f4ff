//! Standard output, standard error and the exit status.
//!
//! A reader that has gone away (`dma-fence man | head -1`) is no failure of ours.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use serde_json::json;

use crate::{
    args::{AFTER_HELP, Cli, CopyArgs},
    copy::report::{Report, Warnings},
    error::CopyError,
};

/// Wrong usage, or a request for help or the version.
pub(crate) fn not_parsed(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
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

pub(crate) fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dma-fence", &mut script);
    print(&script)
}

/// One page: the command, then the options and the notes of `copy`.
pub(crate) fn manual() -> ExitCode {
    let mut command = Cli::command();
    command.build();
    let copy = command.find_subcommand("copy").expect("the command line has it").clone();
    let (page, copy) = (clap_mangen::Man::new(command), clap_mangen::Man::new(copy));
    let mut text = Vec::new();
    page.render_title(&mut text)
        .and_then(|()| page.render_name_section(&mut text))
        .and_then(|()| page.render_synopsis_section(&mut text))
        .and_then(|()| page.render_description_section(&mut text))
        .and_then(|()| page.render_subcommands_section(&mut text))
        .and_then(|()| writeln!(text, ".SH \"DMA\\-FENCE COPY\""))
        .and_then(|()| copy.render_synopsis_section(&mut text))
        .and_then(|()| copy.render_description_section(&mut text))
        .and_then(|()| copy.render_options_section(&mut text))
        .expect("writing to memory succeeds");
    // Its lines are laid out: no filling.
    text.extend_from_slice(b".SH NOTES\n.nf\n");
    for line in AFTER_HELP.lines() {
        // Roff takes a leading dot for a request, and a bare dash for a hyphen.
        text.extend_from_slice(format!("\\&{}\n", line.replace('-', "\\-")).as_bytes());
    }
    text.extend_from_slice(b".fi\n");
    print(&text)
}

fn failed(error: &CopyError, json: bool, warnings: &[String]) -> ExitCode {
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
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "dma-fence: error: cannot write the output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
