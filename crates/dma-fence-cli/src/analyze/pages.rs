//! The files that an analysis can write: a page for a browser, a trace for Perfetto.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use dma_fence_trace::report::Report;
use dma_fence_trace::{html, perfetto};
use rustix::fs::{Stat, fstat, stat};

use super::error::AnalyzeError;
use crate::{args::AnalyzeArgs, entry::entry};

/// Refuses to write over what is to be read, or was just written.
pub(super) fn check(args: &AnalyzeArgs) -> Result<(), AnalyzeError> {
    for (option, path) in [("--html", &args.html), ("--perfetto", &args.perfetto)] {
        let Some(path) = path else { continue };
        if path.as_os_str() == "-" {
            return Err(AnalyzeError::Usage(format!(
                "{option} needs a file: standard output has the report (./- is a file)"
            )));
        }
        let Ok(target) = stat(path) else { continue };
        if args.files.iter().any(|file| read_from(file).is_ok_and(|file| is_same(&file, &target))) {
            let path = path.display();
            return Err(AnalyzeError::Usage(format!(
                "{option} '{path}' is one of the files to analyze"
            )));
        }
    }
    if let (Some(html), Some(perfetto)) = (&args.html, &args.perfetto)
        && let (Ok(one), Ok(other)) = (entry(html), entry(perfetto))
        && one == other
    {
        let path = html.display();
        return Err(AnalyzeError::Usage(format!("--html and --perfetto are both '{path}'")));
    }
    Ok(())
}

fn read_from(file: &Path) -> rustix::io::Result<Stat> {
    if file.as_os_str() == "-" { fstat(io::stdin()) } else { stat(file) }
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Writes what is asked for.
pub(super) fn write(
    args: &AnalyzeArgs,
    report: &Report,
    warnings: &[String],
) -> Result<(), AnalyzeError> {
    let names: Vec<_> = args.files.iter().map(|file| file.display().to_string()).collect();
    let title = names.join(", ");
    if let Some(path) = &args.html {
        page(path, |to| html::write(report, &title, warnings, to))?;
    }
    if let Some(path) = &args.perfetto {
        page(path, |to| perfetto::write(report, to))?;
    }
    Ok(())
}

/// The file takes its name when it is complete.
fn page(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), AnalyzeError> {
    let failed = |cause| AnalyzeError::Write { path: path.to_owned(), cause };
    let path = match fs::canonicalize(path) {
        // A symbolic link stays one.
        Ok(file) if file.is_file() => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => path.into(),
        // Not a name beside it: a device or a pipe, also behind a link, is written to as it is.
        _ => {
            let mut to = BufWriter::new(fs::File::create(path).map_err(failed)?);
            return content(&mut to).and_then(|()| to.flush()).map_err(failed);
        }
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut partial = tempfile::Builder::new();
    let partial = partial.prefix(".dma-fence-").suffix(".tmp").permissions(mode());
    let mut partial = partial.tempfile_in(dir).map_err(failed)?;
    {
        let mut to = BufWriter::new(partial.as_file_mut());
        content(&mut to).and_then(|()| to.flush()).map_err(failed)?;
    }
    partial.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// As of any new file: the umask takes what it takes.
fn mode() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}
