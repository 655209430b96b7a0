//! HTTP without a library: one connection a request, and streams of events.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// How long an answer may take before the test fails.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Sends JSON; `request` is method and path, `user` who asks: a name, or `Bearer` and a token. Returns the status and the answer, or that the connection broke.
pub(crate) fn ask(addr: SocketAddr, user: &str, request: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut reader = send(addr, user, request, body)?;
    let (status, length) = head(&mut reader)?;
    let mut answer = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    reader.read_exact(&mut answer)?;
    Ok((status, serde_json::from_slice(&answer)?))
}

/// Sends a request and returns where its answer will come.
fn send(addr: SocketAddr, user: &str, request: &str, body: &str) -> io::Result<BufReader<TcpStream>> {
    let mut tcp = TcpStream::connect(addr)?;
    tcp.set_read_timeout(Some(ANSWER_MAX))?;
    let length = body.len();
    let who = if user.starts_with("Bearer ") { "Authorization" } else { "Sync-User" };
    let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nSync-Protocol: 1\r\n{who}: {user}\r\n");
    let entity = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    tcp.write_all(format!("{head}{entity}").as_bytes())?;
    Ok(BufReader::new(tcp))
}

/// Reads the status and the length of an answer.
fn head(reader: &mut impl BufRead) -> io::Result<(u16, Option<usize>)> {
    let line = line(reader)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let mut length = None;
    loop {
        let line = self::line(reader)?.to_lowercase();
        match line.strip_prefix("content-length: ") {
            Some(found) => length = found.parse().ok(),
            None if line.is_empty() => return Ok((status, length)),
            None => {}
        }
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// A stream of server-sent events.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
}

impl Events {
    pub(crate) fn open(addr: SocketAddr, user: &str, path: &str) -> Self {
        let mut reader = send(addr, user, &format!("GET {path}"), "").expect("the server listens");
        let (status, _) = head(&mut reader).expect("an answer has a head");
        assert_eq!(status, 200, "{path}");
        Self { reader }
    }

    /// Lets what is next come within some time or not at all.
    pub(crate) fn within(&self, time: Duration) {
        self.reader.get_ref().set_read_timeout(Some(time)).expect("a time above 0");
    }

    /// Returns the name and the data of the next event, or nothing at the end.
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        // Between the lines of events are the lengths of the chunks in which they are sent; the last one is 0.
        loop {
            let line = line(&mut self.reader).expect("a stream ends with its last chunk, in time");
            if line == "0" {
                return None;
            } else if let Some(named) = line.strip_prefix("event: ") {
                named.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).expect("the data of an event is JSON")));
            }
        }
    }
}
