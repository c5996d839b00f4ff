//! The archive that a kernel unpacks into its first file system: cpio's format "newc".

use std::io::{self, Write};

const DIRECTORY: u32 = 0o040755;
const PROGRAM: u32 = 0o100755;

/// Members are written as they are added.
pub(super) struct Archive<W> {
    to: W,
    members: u32,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Archive { to, members: 0 }
    }

    /// Those above it must have been added.
    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        self.member(path, DIRECTORY, &[])
    }

    /// A file that can be executed.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.member(path, PROGRAM, content)
    }

    /// Without this the archive has no end.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.member("TRAILER!!!", 0, &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn member(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.members += 1;
        let (inode, links, name_size) = (self.members, 1, path.len() as u32 + 1);
        // Inode, mode, owner, group, links, time, size, two device numbers, length of the name, checksum.
        let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
        let header: String = fields.iter().map(|field| format!("{field:08x}")).collect();
        self.padded(format!("070701{header}{path}\0").as_bytes())?;
        self.padded(content)
    }

    /// Header with name, and content, end at a multiple of four bytes.
    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.write_all(&[0; 3][..bytes.len().wrapping_neg() % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    fn archive() -> Vec<u8> {
        let mut archive = Archive::new(Vec::new());
        archive.directory("d").unwrap();
        // Each length that padding knows.
        for content in ["", "1", "22", "333", "4444"] {
            archive.file(&format!("d/file{content}"), content.as_bytes()).unwrap();
        }
        archive.finish().unwrap()
    }

    #[test]
    fn a_member_is_padded_with_its_name_and_without() {
        let mut archive = Archive::new(Vec::new());
        archive.file("name", b"12345").unwrap();
        archive.file("odd", b"1234").unwrap();
        let bytes = String::from_utf8(archive.to).unwrap();
        let header = |inode, size, name_size| {
            let (z, size, name_size) =
                ("00000000", format!("{size:08x}"), format!("{name_size:08x}"));
            format!("070701{inode:08x}000081ed{z}{z}00000001{z}{size}{z}{z}{z}{z}{name_size}{z}")
        };
        // Headers have 110 bytes.
        let first = header(1, 5, 5) + "name\0\0" + "12345\0\0\0";
        assert_eq!(bytes, first + &header(2, 4, 4) + "odd\0\0\0" + "1234");
    }

    /// Somebody else's reading of the format, where there is somebody else.
    #[test]
    fn cpio_reads_it() {
        let mut cpio = Command::new("cpio");
        cpio.args(["--list", "--verbose", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut cpio) = cpio.spawn() else {
            eprintln!("skipped: this machine has no cpio");
            return;
        };
        cpio.stdin.take().unwrap().write_all(&archive()).unwrap();
        let output = cpio.wait_with_output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Vec<&str>> =
            listed.lines().map(|line| line.split_whitespace().collect()).collect();
        let short: Vec<_> = lines.iter().map(|w| (w[0], w[4], *w.last().unwrap())).collect();
        assert!(output.status.success());
        assert_eq!(short[0], ("drwxr-xr-x", "0", "d"));
        assert_eq!(
            short[1..4],
            [
                ("-rwxr-xr-x", "0", "d/file"),
                ("-rwxr-xr-x", "1", "d/file1"),
                ("-rwxr-xr-x", "2", "d/file22"),
            ]
        );
        assert_eq!(short.len(), 6);
    }
}
