//! A tiny blocking HTTP/1.1 client: one request per connection, and streams that are held.
//!
//! It reads the wire itself because the tests must know whether a chunked body had its final chunk
//! (RFC 9112, section 7.1): that is all that tells a clean end from a cut. It knows nothing of MCP.

use super::{Deadline, PATIENCE};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// The most that is read of one answer.
const BODY_CAP: u64 = 16 << 20;

/// What stands at the end of a chunked body without trailers, with the line end before it.
const FINAL_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the final chunk, or all of the announced length.
    Clean,
    /// The connection ended first.
    Cut,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    /// The first value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Sends one request on a connection of its own and reads the whole answer.
pub(crate) fn request(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Response> {
    let mut stream = Stream::open(address, line, headers, body)?;
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes)? == End::Cut {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Response {
        status: stream.status,
        headers: stream.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// GET of a whole page.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Response> {
    request(address, &format!("GET {path}"), &[], "")
}

/// An answer whose headers are read and whose body may go on for ever.
pub(crate) struct Stream {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
}

impl Stream {
    /// Sends `line` (method and path) and reads the answer's head.
    pub(crate) fn open(
        address: SocketAddr,
        line: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        socket.write_all(format!("{head}\r\n{body}").as_bytes())?;
        let mut reader = BufReader::new(socket);
        let (status, headers) = read_head(&mut reader)?;
        Ok(Self {
            status,
            headers,
            reader,
        })
    }

    /// The first value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Reads on until a line starts with `prefix`, and gives the rest of that line. Chunk sizes are lines
    /// here too: servers send each event as one chunk, so an event's lines are whole.
    pub(crate) fn wait_for_line(&mut self, prefix: &str) -> String {
        let deadline = Deadline::start();
        while !deadline.is_over() {
            let line = read_line(&mut self.reader).expect("the stream goes on");
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
        panic!("a stream without a line {prefix:?} for {PATIENCE:?}")
    }

    /// Reads until the other side ends it, and says how. A reset counts as a cut.
    pub(crate) fn wait_for_end(mut self) -> End {
        // The stream may stand inside a chunk here, so the wire is read raw: only the final chunk counts.
        let deadline = Deadline::start();
        let (mut tail, mut buffer) = (b"\r\n".to_vec(), [0; 4096]);
        while !deadline.is_over() {
            match self.reader.read(&mut buffer) {
                Ok(0) if tail.ends_with(FINAL_CHUNK) => return End::Clean,
                Ok(0) => return End::Cut,
                Ok(read) => {
                    tail.extend(buffer.iter().take(read));
                    tail.drain(..tail.len().saturating_sub(FINAL_CHUNK.len()));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return End::Cut,
                Err(error) => panic!("no end of the stream: {error}"),
            }
        }
        panic!("a stream without an end for {PATIENCE:?}")
    }

    /// Hangs up with a FIN: reads what is left, as a close with unread data would send RST.
    pub(crate) fn hang_up(mut self) -> io::Result<()> {
        self.reader.get_ref().shutdown(Shutdown::Write)?;
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(())
    }

    fn read_to_end(&mut self, body: &mut Vec<u8>) -> io::Result<End> {
        if self.header("transfer-encoding") == Some("chunked") {
            return read_chunks(&mut self.reader, body);
        }
        let length = self.header("content-length").and_then(|n| n.parse().ok());
        let read = self
            .reader
            .by_ref()
            .take(length.unwrap_or(BODY_CAP))
            .read_to_end(body)?;
        match length {
            Some(length) if length > read as u64 => Ok(End::Cut),
            _ => Ok(End::Clean),
        }
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn read_head(reader: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let status = read_line(reader)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok((status.ok_or(io::ErrorKind::InvalidData)?, headers));
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// One line without its end; the end of the input before it is an error.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(BODY_CAP).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<End> {
    loop {
        let Ok(size) = read_line(reader) else {
            return Ok(End::Cut);
        };
        let size = u64::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let read = reader.take(size).read_to_end(body)? as u64;
        if read < size || read_line(reader).is_err() {
            return Ok(End::Cut);
        }
        if size == 0 {
            return Ok(End::Clean);
        }
    }
}

#[test]
fn only_the_final_chunk_makes_a_clean_end() {
    fn check(wire: &str, body: &str, end: End) {
        let mut read = Vec::new();
        let got = read_chunks(&mut wire.as_bytes(), &mut read).unwrap();
        assert_eq!(
            (String::from_utf8(read).unwrap().as_str(), got),
            (body, end),
            "{wire:?}"
        );
    }
    check("0\r\n\r\n", "", End::Clean);
    check("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", End::Clean);
    check("3\r\nabc\r\n", "abc", End::Cut);
    check("A\r\nabc", "abc", End::Cut);
    check("3\r\nabc\r\n0\r\n", "abc", End::Cut);
    check("", "", End::Cut);
}
