//! A file that is replayed, or a pipe: whoever looks does not wait for it.

use std::{
    io::{self, Read},
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::input::Input;

/// How much is read at once, and how many such pieces are read ahead.
const PIECE: usize = 64 << 10;
const AHEAD: usize = 16;
/// How long a piece that is about to come is waited for: not so long that anybody notices.
const MOMENT: Duration = Duration::from_millis(10);

/// What is wrong with a file is known when its end has come.
pub(super) type Damage = Arc<OnceLock<String>>;

/// An input that leaves word of its damage.
pub(super) struct Noted {
    pub(super) input: Input,
    pub(super) damage: Damage,
}

impl Read for Noted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(to)?;
        if let (0, Some(damage)) = (len, self.input.damage()) {
            self.damage.get_or_init(|| damage.to_owned());
        }
        Ok(len)
    }
}

/// What another thread reads. [`WouldBlock`](io::ErrorKind::WouldBlock) where it has nothing yet.
///
/// The thread ends with its input, or with the process: it may be waiting for a pipe.
pub(super) struct Background {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Background {
    pub(super) fn start(input: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(AHEAD);
        thread::Builder::new().name("reader".into()).spawn(move || read_all(input, &sender))?;
        Ok(Self { pieces, piece: io::Cursor::default() })
    }
}

fn read_all(mut input: impl Read, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(len) => {
                piece.truncate(len);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        // Nobody may want it any more.
        if to.send(read).is_err() || failed {
            return;
        }
    }
}

impl Read for Background {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(to)? {
                0 => match self.pieces.recv_timeout(MOMENT) {
                    Ok(piece) => self.piece = io::Cursor::new(piece?),
                    Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::WouldBlock.into()),
                    Err(RecvTimeoutError::Disconnected) => return Ok(0),
                },
                len => return Ok(len),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_silent_pipe_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut background = Background::start(reader).unwrap();
        let mut bytes = [0; 64];
        let error = background.read(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        writer.write_all(b"events").unwrap();
        drop(writer);
        let mut text = Vec::new();
        loop {
            match background.read(&mut bytes) {
                Ok(0) => break,
                Ok(len) => text.extend_from_slice(&bytes[..len]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(text, b"events");
    }

    #[test]
    fn an_error_comes_through() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::Other.into())
            }
        }
        let mut background = Background::start(Broken).unwrap();
        let error = loop {
            let error = background.read(&mut [0; 8]).unwrap_err();
            if error.kind() != io::ErrorKind::WouldBlock {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::Other);
    }
}
