//! A buffer of the kernel's tracing of its own: nobody else's settings are touched.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::error::RecordError;

/// Where tracefs is mounted, and where it was before it had a place of its own.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Removed on drop.
pub(super) struct Instance {
    dir: PathBuf,
    has_scheduler: bool,
}

impl Instance {
    /// A buffer that records the events of fences, on the clock of fences.
    pub(super) fn create(kib_per_cpu: u32) -> Result<Self, RecordError> {
        let tracefs = TRACEFS.map(Path::new).into_iter().find(|path| path.join("events").exists());
        let tracefs = tracefs.ok_or_else(no_tracefs)?;
        if !tracefs.join("events/dma_fence").exists() {
            return Err(RecordError::NoEvents);
        }
        let dir = tracefs.join("instances").join(format!("dma-fence-{}", std::process::id()));
        fs::create_dir(&dir).map_err(RecordError::tracefs("instances"))?;
        // From here on it is removed, whatever fails.
        let mut instance = Instance { dir, has_scheduler: false };
        instance.write("trace_clock", "mono")?;
        instance.write("buffer_size_kb", &kib_per_cpu.to_string())?;
        // Older kernels do not have it, and it says no more than which process a thread is of.
        let _ = instance.write("options/record-tgid", "1");
        instance.write("events/dma_fence/enable", "1")?;
        instance.has_scheduler = instance.write("events/gpu_scheduler/enable", "1").is_ok();
        Ok(instance)
    }

    /// What was recorded, and comes; never waits.
    pub(super) fn pipe(&self) -> Result<File, RecordError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
        options.open(self.dir.join("trace_pipe")).map_err(RecordError::tracefs("trace_pipe"))
    }

    /// No more events from here on; those that were recorded stay.
    pub(super) fn stop(&self) -> Result<(), RecordError> {
        self.write("tracing_on", "0")
    }

    pub(super) fn warning(&self) -> Option<&'static str> {
        let warning = "no events of gpu_scheduler: its module is not loaded, so nothing tells which job \
                       depends on which fence";
        (!self.has_scheduler).then_some(warning)
    }

    fn write(&self, file: &'static str, value: &str) -> Result<(), RecordError> {
        fs::write(self.dir.join(file), value).map_err(RecordError::tracefs(file))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Nobody reads it any more, so it goes, and its events with it.
        let _ = fs::remove_dir(&self.dir);
    }
}

/// It is there for root only, and not always mounted.
fn no_tracefs() -> RecordError {
    match fs::read_dir(TRACEFS[0]) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => RecordError::NotRoot,
        _ if !rustix::process::geteuid().is_root() => RecordError::NotRoot,
        _ => RecordError::NoTracefs,
    }
}
