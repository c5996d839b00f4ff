//! `dma-fence copy`, from top to bottom.

mod destination;
mod events;
mod fault;
pub(crate) mod pipeline;
pub(crate) mod progress;
pub(crate) mod report;
mod side_file;
mod source;
mod trace;
mod verify;

use std::time::Instant;

use self::{
    destination::Destination,
    events::Events,
    pipeline::{Job, Pipeline},
    report::{Report, Warnings},
    side_file::SideFiles,
    source::{Change, Source},
    trace::Trace,
};
use crate::{
    args::{CopyArgs, Inject},
    error::CopyError,
    interrupt::Interrupt,
};

/// Copies one file. Whatever fails before the end leaves the destination as it was: dropping
/// `destination` without a commit removes the temporary file.
pub(crate) fn run(args: &CopyArgs, warnings: &mut Warnings) -> Result<Report, CopyError> {
    check_memory(args)?;
    let source = Source::open(&args.source)?;
    let target = destination::resolve(&args.destination, &source)?;
    // A signal ends what may wait as long as there are no handlers, and there is nothing yet to be removed.
    let side_files = SideFiles::create(args, &source, &target)?;
    let interrupt = Interrupt::install().map_err(|cause| CopyError::Engine(cause.to_string()))?;
    let destination = Destination::create(target)?;
    // Before the first fence is made.
    let events = args.trace_events.as_deref().zip(side_files.trace_events);
    let events = events.map(|(path, file)| Events::begin(path, file)).transpose()?;
    let started = Instant::now();

    let (mut pipeline, notice) = Pipeline::start(args, source.len)?;
    warnings.extend(notice);
    if args.inject == Some(Inject::EarlySignal) {
        warnings.push("--inject early-signal: THIS RUN IS BROKEN ON PURPOSE: do not use its copy");
    }
    if let Some((path, file)) = args.trace.as_deref().zip(side_files.trace) {
        pipeline.trace_to(Trace::begin(path, file)?);
    }
    let engine = pipeline.engine();
    let bar = progress::bar(source.len, !args.quiet && !args.json);
    let job = Job { source: &source, destination: &destination, interrupt: &interrupt, bar: &bar };
    let copied = pipeline.copy(&job);
    // After the last one has gone.
    let told = events.map_or(Ok(()), Events::finish);
    if let (Err(_), Err(error)) = (&copied, &told) {
        warnings.push(error.to_string());
    }
    let copied = copied?;
    told?;
    check_source(&source, warnings)?;
    check_injected(args, copied.fences, warnings);

    if args.fsync {
        destination.sync()?;
    }
    let copying = started.elapsed();
    let mut verifying = None;
    if args.verify {
        let started = Instant::now();
        check_copy(args, copied.hash, &job)?;
        verifying = Some(started.elapsed());
    }
    job.check_interrupt()?;
    let target = destination.path().to_owned();
    destination.commit(source.mode, args.fsync)?;
    Ok(Report::new(args, &target, source.len, engine, &copied, copying, verifying))
}

/// Buffers that cannot all be resident would make the copy slower, or end it, or the machine.
fn check_memory(args: &CopyArgs) -> Result<(), CopyError> {
    let CopyArgs { buffers, chunk_size, .. } = *args;
    let wanted = u64::from(buffers) * chunk_size as u64;
    let info = rustix::system::sysinfo();
    let memory = info.totalram as u64 * u64::from(info.mem_unit);
    if wanted > memory / 2 {
        return Err(CopyError::Usage(format!(
            "--buffers {buffers} of --chunk-size {chunk_size} are {wanted} bytes, \
             more than half of this machine's memory ({memory} bytes)"
        )));
    }
    Ok(())
}

fn check_source(source: &Source, warnings: &mut Warnings) -> Result<(), CopyError> {
    let (path, len) = (source.path.display(), source.len);
    match source.change()? {
        Change::None => {}
        Change::Grew { to } => warnings.push(format!(
            "source '{path}' grew from {len} to {to} bytes while it was being copied: \
             the copy has the first {len}"
        )),
        Change::Shrank { to } => {
            return Err(CopyError::Refused(format!(
                "source '{path}' shrank from {len} to {to} bytes while it was being copied"
            )));
        }
    }
    Ok(())
}

/// A fault that never struck shows nothing, which the user should not take for a proof.
fn check_injected(args: &CopyArgs, fences: u64, warnings: &mut Warnings) {
    if let Some(Inject::LostProducer(nth) | Inject::IoError(nth)) = args.inject
        && nth > fences
    {
        warnings.push(format!("--inject had no effect: this copy has only {fences} fences"));
    }
}

/// Reads the copy back and compares it with what was hashed on the way.
fn check_copy(args: &CopyArgs, hashed: blake3::Hash, job: &Job<'_>) -> Result<(), CopyError> {
    let Job { source, destination, .. } = job;
    if args.fsync {
        verify::drop_cache(&destination.file);
    }
    job.bar.set_message("verifying ");
    let mut found = verify::hash_file(&destination.file, destination.path(), job)?;
    if found == hashed && args.inject == Some(Inject::EarlySignal) {
        // Without fences the copy and the hash may be of the same wrong bytes.
        found = verify::hash_file(&source.file, &source.path, job)?;
    }
    if found != hashed {
        return Err(CopyError::Corrupt {
            source_path: source.path.clone(),
            destination: destination.path().to_owned(),
            expected: hashed,
            found,
        });
    }
    Ok(())
}
