//! Files that are written beside the copy: none of those that are copied, and no two the same.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::source::Source;
use crate::{args::CopyArgs, entry::entry, error::CopyError};

/// Those that were asked for, empty.
pub(super) struct SideFiles {
    pub(super) trace: Option<File>,
    pub(super) trace_events: Option<File>,
}

impl SideFiles {
    /// May wait: a pipe is opened when somebody reads it.
    pub(super) fn create(
        args: &CopyArgs,
        source: &Source,
        target: &Path,
    ) -> Result<Self, CopyError> {
        check_apart(args)?;
        let create = |option, path: &Option<PathBuf>| {
            path.as_deref().map(|path| create(option, path, source, target)).transpose()
        };
        let trace_events = create("--trace-events", &args.trace_events)?;
        Ok(Self { trace: create("--trace", &args.trace)?, trace_events })
    }
}

/// Creates the file that `option` asks for.
fn create(option: &str, path: &Path, source: &Source, target: &Path) -> Result<File, CopyError> {
    let failed = |cause| CopyError::io("write trace", path)(cause);
    let is_source = fs::metadata(path).is_ok_and(|metadata| source.is(&metadata));
    if is_source || entry(path).map_err(failed)? == target {
        let path = path.display();
        return Err(CopyError::Usage(format!("{option} '{path}' is one of the files to copy")));
    }
    File::create(path).map_err(failed)
}

/// Two traces in one file are none.
fn check_apart(args: &CopyArgs) -> Result<(), CopyError> {
    if let (Some(trace), Some(events)) = (&args.trace, &args.trace_events)
        && let (Ok(one), Ok(other)) = (entry(trace), entry(events))
        && one == other
    {
        let path = trace.display();
        return Err(CopyError::Usage(format!("--trace and --trace-events are both '{path}'")));
    }
    Ok(())
}
