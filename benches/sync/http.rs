//! HTTP/1.1 on bare sockets: requests on a connection that stays open, and streams of server-sent events.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request: method and path, and JSON.
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) body: String,
}

/// A connection that takes one request after the other.
pub(crate) struct Http {
    address: SocketAddr,
    socket: BufReader<TcpStream>,
    /// Kept so that it is not allocated for each line.
    line: String,
}

/// A stream of server-sent events.
pub(crate) struct Events(Http);

impl Http {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// Any error of the socket.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { address, socket: BufReader::new(socket), line: String::new() })
    }

    /// Sends a request and returns the body of the answer.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::InvalidData`] if it is refused, or answered in a way that is not known here.
    pub(crate) async fn ask(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let Request { line, body } = request;
        let (address, length) = (self.address, body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        self.send(&format!("{head}Content-Length: {length}\r\n\r\n{body}")).await?;
        let (status, length) = self.head().await?;
        let length = length.ok_or_else(|| odd("an answer has no length"))?;
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        if status < 300 {
            Ok(body)
        } else {
            Err(odd(&format!("{line}: {status} {}", String::from_utf8_lossy(&body))))
        }
    }

    /// Opens a stream of events, which takes the connection.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::InvalidData`] if it is refused.
    pub(crate) async fn events(mut self, path: &str) -> io::Result<Events> {
        let address = self.address;
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await?;
        match self.head().await? {
            (200, _) => Ok(Events(self)),
            (status, _) => Err(odd(&format!("{path}: {status}"))),
        }
    }

    async fn send(&mut self, request: &str) -> io::Result<()> {
        self.socket.get_mut().write_all(request.as_bytes()).await
    }

    /// Reads the head of an answer: its status, and the length of its body if that is told.
    async fn head(&mut self) -> io::Result<(u16, Option<usize>)> {
        let status = self.line().await?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| odd("an answer has no status"))?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok();
                }
                Some(_) => {}
                None => return Ok((status, length)),
            }
        }
    }

    async fn line(&mut self) -> io::Result<&str> {
        self.line.clear();
        match self.socket.read_line(&mut self.line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(self.line.trim_end()),
        }
    }
}

impl Events {
    /// Waits for the next event. The chunks that it comes in begin with their lengths, which are no lines of events.
    ///
    /// # Errors
    ///
    /// Any error of the socket, also at its end.
    pub(crate) async fn next(&mut self) -> io::Result<()> {
        while !self.0.line().await?.starts_with("data: ") {}
        Ok(())
    }
}

/// Returns the error of an answer that does not fit.
pub(crate) fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
