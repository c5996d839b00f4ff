//! What a file descriptor is, and what its fences are up to.

use std::os::fd::OwnedFd;

use dma_fence::Timestamp;
use dma_fence_linux::{
    Access, DmaBuf, DrmDevice, FenceInfo, FenceStatus, KernelError, NotASyncFile, SyncFile,
    SyncFileInfo,
};
use serde::Serialize;

use super::{error::InfoError, kind::Kind, process::Process};

/// One file descriptor.
#[derive(Debug, Serialize)]
pub(crate) struct Described {
    pub(super) fd: i32,
    pub(super) kind: Kind,
    pub(super) link: String,
    #[serde(flatten)]
    pub(super) detail: Option<Detail>,
    pub(super) error: Option<String>,
}

/// What there is to say of a kind.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Detail {
    SyncFile {
        name: String,
        #[serde(flatten)]
        status: Status,
        fences: Vec<Fence>,
    },
    DmaBuf {
        name: String,
        size: u64,
        exporter: String,
        inode: u64,
        read_waits_for: Vec<Fence>,
        write_waits_for: Vec<Fence>,
    },
    DrmDevice {
        driver: String,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Fence {
    pub(super) driver: String,
    pub(super) timeline: String,
    #[serde(flatten)]
    pub(super) status: Status,
}

#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) status: &'static str,
    pub(super) errno: Option<i32>,
    pub(super) signaled_seconds_ago: Option<f64>,
}

/// One file descriptor, of any kind.
pub(super) fn one(process: &Process, fd: i32) -> Result<Described, InfoError> {
    let link = process.link(fd)?.ok_or_else(|| process.no_fd(fd))?;
    let (kind, detail) = look(process, fd, Kind::of(&link))?;
    Ok(Described { fd, kind, link, detail, error: None })
}

/// All of them that have to do with fences. Where one does not tell the others still do.
pub(super) fn all(process: &Process) -> Result<Vec<Described>, InfoError> {
    let mut found = Vec::new();
    for fd in process.fds()? {
        // Gone meanwhile.
        let Some(link) = process.link(fd)? else { continue };
        let kind = Kind::of(&link);
        let (kind, detail, error) = match look(process, fd, kind) {
            Ok((kind, detail)) => (kind, detail, None),
            Err(InfoError::NoFd { .. }) => continue,
            Err(error) => (kind, None, Some(error.to_string())),
        };
        if kind != Kind::Other {
            found.push(Described { fd, kind, link, detail, error });
        }
    }
    Ok(found)
}

/// What there is to say of a file descriptor that seems to be of that kind, and of which it is.
fn look(process: &Process, fd: i32, kind: Kind) -> Result<(Kind, Option<Detail>), InfoError> {
    if !is_asked(kind) {
        return Ok((kind, None));
    }
    let file = process.duplicate(fd)?.ok_or_else(|| process.no_fd(fd))?;
    let detail = detail(kind, file).map_err(|cause| InfoError::Kernel { fd, cause })?;
    Ok((if detail.is_some() { kind } else { Kind::Other }, detail))
}

fn is_asked(kind: Kind) -> bool {
    matches!(kind, Kind::SyncFile | Kind::DmaBuf | Kind::DrmDevice)
}

/// `None` if it is of another kind after all: a file may have any name, and a number may be used again.
fn detail(kind: Kind, file: OwnedFd) -> Result<Option<Detail>, KernelError> {
    Ok(match kind {
        Kind::SyncFile => sync_file_info(file)?.map(sync_file),
        Kind::DmaBuf => DmaBuf::new(file).ok().map(|it| dma_buf(&it)).transpose()?,
        Kind::DrmDevice => {
            DrmDevice::from(file).driver().ok().map(|driver| Detail::DrmDevice { driver })
        }
        Kind::Syncobj | Kind::Eventfd | Kind::Other => None,
    })
}

fn sync_file_info(file: OwnedFd) -> Result<Option<SyncFileInfo>, KernelError> {
    match SyncFile::new(file) {
        Ok(file) => file.info().map(Some),
        Err(NotASyncFile::Unbounded(file)) => file.info().map(Some),
        Err(NotASyncFile::OtherKind { .. }) => Ok(None),
    }
}

fn sync_file(info: SyncFileInfo) -> Detail {
    let status = Status::from(info.status());
    let fences = info.fences.into_iter().map(Fence::from).collect();
    Detail::SyncFile { name: info.name, status, fences }
}

fn dma_buf(buffer: &DmaBuf) -> Result<Detail, KernelError> {
    let info = buffer.info()?;
    Ok(Detail::DmaBuf {
        name: info.name,
        size: info.size,
        exporter: info.exporter,
        inode: info.inode,
        read_waits_for: waits_for(buffer, Access::Read)?,
        write_waits_for: waits_for(buffer, Access::Write)?,
    })
}

/// What is pending of what such an access has to wait for.
fn waits_for(buffer: &DmaBuf, access: Access) -> Result<Vec<Fence>, KernelError> {
    let mut fences = buffer.export_sync_file(access)?.info()?.fences;
    fences.retain(|fence| fence.status == FenceStatus::Pending);
    Ok(fences.into_iter().map(Fence::from).collect())
}

impl From<FenceInfo> for Fence {
    fn from(info: FenceInfo) -> Self {
        Self { driver: info.driver, timeline: info.timeline, status: info.status.into() }
    }
}

impl From<FenceStatus> for Status {
    fn from(status: FenceStatus) -> Self {
        let FenceStatus::Signaled(signal) = status else {
            return Self { status: "pending", errno: None, signaled_seconds_ago: None };
        };
        let age = Timestamp::now().as_nanos().saturating_sub(signal.timestamp.as_nanos());
        Self {
            status: if signal.result.is_ok() { "signaled" } else { "failed" },
            errno: signal.result.err().map(dma_fence::Errno::raw),
            signaled_seconds_ago: Some(age as f64 / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_prove_nothing() {
        for kind in [Kind::SyncFile, Kind::DmaBuf, Kind::DrmDevice] {
            let (reader, _writer) = std::io::pipe().unwrap();
            assert!(detail(kind, reader.into()).unwrap().is_none(), "{kind}");
        }
    }

    #[test]
    fn statuses() {
        use dma_fence::{Errno, Signal};
        let signaled = |result| {
            Status::from(FenceStatus::Signaled(Signal { result, timestamp: Timestamp::now() }))
        };
        let of = |status: Status| (status.to_string(), serde_json::to_value(&status).unwrap());
        let (text, json) = of(FenceStatus::Pending.into());
        assert_eq!(text, "pending");
        let none = serde_json::Value::Null;
        assert_eq!((&json["errno"], &json["signaled_seconds_ago"]), (&none, &none));
        let (text, json) = of(signaled(Ok(())));
        assert!(text.starts_with("signaled, 0.") && text.ends_with(" s ago"), "{text}");
        assert!(json["signaled_seconds_ago"].as_f64().unwrap() < 1000.0);
        let (text, json) = of(signaled(Err(Errno::ENOENT)));
        assert!(text.starts_with("failed with ENOENT (no such file or directory), "), "{text}");
        assert_eq!((&json["status"], &json["errno"]), (&"failed".into(), &2.into()));
    }
}
