//! Kinds of file descriptors, by what `/proc` says that they lead to.

use std::fmt;

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    SyncFile,
    DmaBuf,
    Syncobj,
    DrmDevice,
    Eventfd,
    Other,
}

impl Kind {
    pub(crate) fn of(link: &str) -> Self {
        match link {
            "anon_inode:sync_file" => Self::SyncFile,
            "anon_inode:syncobj_file" => Self::Syncobj,
            "anon_inode:[eventfd]" => Self::Eventfd,
            // A buffer's name follows.
            _ if link.starts_with("/dmabuf:") => Self::DmaBuf,
            _ if link.starts_with("/dev/dri/") => Self::DrmDevice,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SyncFile => "sync file",
            Self::DmaBuf => "DMA buffer",
            Self::Syncobj => "sync object",
            Self::DrmDevice => "DRM device",
            Self::Eventfd => "eventfd",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (link, kind) in [
            ("anon_inode:sync_file", Kind::SyncFile),
            ("/dmabuf:", Kind::DmaBuf),
            ("/dmabuf:a name", Kind::DmaBuf),
            ("anon_inode:syncobj_file", Kind::Syncobj),
            ("/dev/dri/renderD128", Kind::DrmDevice),
            ("anon_inode:[eventfd]", Kind::Eventfd),
            ("anon_inode:[eventpoll]", Kind::Other),
            ("pipe:[4711]", Kind::Other),
            ("/dev/null", Kind::Other),
            ("/home/anon_inode:sync_file", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(Kind::of(link), kind, "{link}");
        }
    }
}
