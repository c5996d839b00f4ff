//! A buffer of the kernel's tracing of its own: nobody else's settings are touched.

pub(crate) mod error;
mod pipe;

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use self::error::{TracefsError, is_root};
pub(crate) use self::pipe::Pipe;

/// Where tracefs is mounted, and where it was before it had a place of its own.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// How many instances may be called like this process: numbers are used again, and a process that was killed
/// leaves its instance behind.
const NAMES: u32 = 100;

/// Removed on drop. Whoever reads its pipe closes that first: the kernel removes no instance that is in use.
pub(crate) struct Instance {
    dir: PathBuf,
    has_scheduler: bool,
}

impl Instance {
    /// A buffer that records the events of fences, on the clock of fences.
    pub(crate) fn create(kib_per_cpu: u32) -> Result<Self, TracefsError> {
        let tracefs = TRACEFS.map(Path::new).into_iter().find(|path| path.join("events").exists());
        let tracefs = tracefs.ok_or_else(no_tracefs)?;
        if !tracefs.join("events/dma_fence").exists() {
            return Err(TracefsError::NoEvents);
        }
        let dir = make_directory(&tracefs.join("instances"))?;
        // From here on it is removed, whatever fails.
        let mut instance = Instance { dir, has_scheduler: false };
        instance.write("trace_clock", "mono")?;
        instance.write("buffer_size_kb", &kib_per_cpu.to_string()).map_err(
            |error| match error {
                TracefsError::File { cause, .. } if cause.kind() == io::ErrorKind::OutOfMemory => {
                    TracefsError::NoMemory { kib: kib_per_cpu }
                }
                error => error,
            },
        )?;
        // Older kernels do not have it, and it says no more than which process a thread is of.
        let _ = instance.write("options/record-tgid", "1");
        instance.write("events/dma_fence/enable", "1")?;
        instance.has_scheduler = instance.write("events/gpu_scheduler/enable", "1").is_ok();
        Ok(instance)
    }

    /// What was recorded, and comes; never waits.
    pub(crate) fn pipe(&self) -> Result<Pipe, TracefsError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = options.open(self.dir.join("trace_pipe"));
        Ok(Pipe::new(file.map_err(TracefsError::of("trace_pipe"))?))
    }

    /// No more events from here on; those that were recorded stay.
    pub(crate) fn stop(&self) -> Result<(), TracefsError> {
        self.write("tracing_on", "0")
    }

    /// How many events the kernel had no room for, on all CPUs; 0 where it does not tell.
    pub(crate) fn lost(&self) -> u64 {
        let Ok(cpus) = fs::read_dir(self.dir.join("per_cpu")) else { return 0 };
        let stats = cpus.flatten().map(|cpu| fs::read_to_string(cpu.path().join("stats")));
        stats.map(|stats| lost_in(&stats.unwrap_or_default())).sum()
    }

    pub(crate) fn warning(&self) -> Option<&'static str> {
        let warning = "no events of gpu_scheduler: its module is not loaded, so nothing tells which job \
                       depends on which fence";
        (!self.has_scheduler).then_some(warning)
    }

    fn write(&self, file: &'static str, value: &str) -> Result<(), TracefsError> {
        fs::write(self.dir.join(file), value).map_err(TracefsError::of(file))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Nobody reads it any more, so it goes, and its events with it.
        let _ = fs::remove_dir(&self.dir);
    }
}

/// A new instance. One that is there already is not touched: it may be that of a process which has the same
/// number in another container.
fn make_directory(instances: &Path) -> Result<PathBuf, TracefsError> {
    let pid = std::process::id();
    let mut number = 0;
    loop {
        let dir = match number {
            0 => instances.join(format!("dma-fence-{pid}")),
            _ => instances.join(format!("dma-fence-{pid}-{number}")),
        };
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES => {
                number += 1;
            }
            made => return made.map(|()| dir).map_err(TracefsError::of("instances")),
        }
    }
}

/// What a CPU's `stats` say of it: overwritten by newer ones, or dropped.
fn lost_in(stats: &str) -> u64 {
    let numbers = stats.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let counts = ["overrun", "commit overrun", "dropped events"].contains(&key.trim());
        counts.then(|| value.trim().parse::<u64>().ok()).flatten()
    });
    numbers.sum()
}

/// It is there for root only, and not always mounted.
fn no_tracefs() -> TracefsError {
    match fs::read_dir(TRACEFS[0]) {
        _ if !is_root() => TracefsError::NotRoot,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            TracefsError::Forbidden("the directory")
        }
        _ => TracefsError::NoTracefs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_events_are_counted_whatever_the_kernel_calls_them() {
        let stats = "entries: 7\noverrun: 40\ncommit overrun: 2\nbytes: 1234\noldest event ts:  5.1\n\
                     now ts:  6.2\ndropped events: 3\nread events: 900\n";
        assert_eq!(lost_in(stats), 45);
        assert_eq!(lost_in(""), 0);
    }

    #[test]
    fn an_instance_that_was_left_behind_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = make_directory(dir.path()).unwrap();
        fs::write(first.join("somebody's"), "").unwrap();
        let second = make_directory(dir.path()).unwrap();
        assert_ne!(first, second);
        assert!(first.join("somebody's").exists() && second.is_dir());
    }
}
