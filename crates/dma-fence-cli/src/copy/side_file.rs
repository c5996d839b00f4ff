//! Files that are written beside the copy: none of those that are copied, and no two the same.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    destination::{Destination, absolute_entry},
    source::Source,
};
use crate::{args::CopyArgs, error::CopyError};

/// Creates the file that `option` asks for.
pub(super) fn create(
    option: &str,
    path: &Path,
    source: &Source,
    destination: &Destination,
) -> Result<File, CopyError> {
    let failed = |cause| CopyError::io("write trace", path)(cause);
    let is_source = fs::metadata(path).is_ok_and(|metadata| source.is(&metadata));
    if is_source || entry(path).map_err(failed)? == destination.path() {
        let path = path.display();
        return Err(CopyError::Usage(format!("{option} '{path}' is one of the files to copy")));
    }
    File::create(path).map_err(failed)
}

/// Two traces in one file are none.
pub(super) fn check_apart(args: &CopyArgs) -> Result<(), CopyError> {
    if let (Some(trace), Some(events)) = (&args.trace, &args.trace_events)
        && let (Ok(one), Ok(other)) = (entry(trace), entry(events))
        && one == other
    {
        let path = trace.display();
        return Err(CopyError::Usage(format!("--trace and --trace-events are both '{path}'")));
    }
    Ok(())
}

/// The absolute name of a file that may not exist yet.
fn entry(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|_| absolute_entry(path))
}
