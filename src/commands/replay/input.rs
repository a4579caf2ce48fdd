//! Opening what the command line names: plain or gzip, a file, a pipe, or standard input.
//!
//! gzip is known by its first two bytes (RFC 1952, 2.3.1), not by a name. It does not know what is
//! in the files.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use super::bar::Bar;
use super::unwrap::{self, Wanted, unwrap};

/// Bytes as they are after unpacking.
pub(super) type Source = Box<dyn Read>;

/// How a name on the command line stands for standard input.
pub(super) const STDIN: &str = "-";

/// The bytes that begin a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Whether it can be opened twice: no pipe, and not standard input.
pub(super) fn is_regular(path: &Path) -> bool {
    path.as_os_str() != STDIN && path.metadata().is_ok_and(|found| found.is_file())
}

/// Its size on disk; 0 for a pipe.
pub(super) fn size(path: &Path) -> u64 {
    if !is_regular(path) {
        return 0;
    }
    path.metadata().map_or(0, |found| found.len())
}

/// Opens a file; what is read of it moves the bar.
pub(super) fn open(path: &Path, bar: &Rc<Bar>, wanted: Wanted) -> io::Result<Source> {
    let raw: Source = match path.as_os_str() == STDIN {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    };
    let source = Counted {
        raw,
        bar: Some(Rc::clone(bar)),
    };
    unwrap(unpack(source)?, wanted)
}

/// Opens a regular file for a look at its start, which moves no bar.
pub(super) fn open_for_a_look(path: &Path, wanted: Wanted) -> io::Result<Source> {
    unwrap(unpack(silent(path)?)?, wanted)
}

/// Opens a regular file for what a container's process printed to its standard error, if it has that.
pub(super) fn open_stderr(path: &Path) -> io::Result<Option<Source>> {
    unwrap::stderr(unpack(silent(path)?)?)
}

fn silent(path: &Path) -> io::Result<Counted> {
    Ok(Counted {
        raw: Box::new(File::open(path)?),
        bar: None,
    })
}

fn unpack(mut raw: Counted) -> io::Result<Source> {
    let mut start = Vec::with_capacity(GZIP.len());
    (&mut raw).take(GZIP.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == GZIP;
    let whole = Cursor::new(start).chain(raw);
    Ok(match is_gzip {
        true => Box::new(MultiGzDecoder::new(whole)),
        false => Box::new(whole),
    })
}

struct Counted {
    raw: Source,
    bar: Option<Rc<Bar>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        if let Some(bar) = &self.bar {
            bar.read(count as u64);
        }
        Ok(count)
    }
}
