//! HTTP without a library, so that a test can send whatever it likes.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// The headers of a valid request for a WebSocket.
pub(crate) const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An answer: its status, its head in lower case, its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Requests a path. `headers` are whole lines; `Host` is added.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &str) -> Answer {
    ask(addr, format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n").as_bytes()).await
}

/// Sends JSON. `request` is method and path.
pub(crate) async fn send(addr: SocketAddr, request: &str, headers: &str, body: &str) -> Answer {
    send_bytes(addr, request, headers, body.as_bytes()).await
}

/// Sends any bytes as JSON.
pub(crate) async fn send_bytes(addr: SocketAddr, request: &str, headers: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\n");
    let head = format!("{head}Content-Length: {length}\r\n{headers}\r\n");
    ask(addr, &[head.as_bytes(), body].concat()).await
}

async fn ask(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
    tcp.write_all(request).await.expect("the server reads");
    let mut reader = BufReader::new(tcp);
    let (status, head) = read_head(&mut reader).await;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length is a number"))];
    reader.read_exact(&mut body).await.expect("a body is as long as its header says");
    Answer { status, head, body: String::from_utf8(body).expect("a body is text") }
}

/// Requests a path, and returns the head of the answer, in lower case, and its body, which may come in chunks.
pub(crate) async fn fetch(addr: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n");
    tcp.write_all(request.as_bytes()).await.expect("the server reads");
    let mut reader = BufReader::new(tcp);
    let (status, head) = read_head(&mut reader).await;
    assert_eq!(status, 200, "{head}");
    let body = read_body(&mut reader, &head).await;
    (head, body)
}

/// Sends lines, and returns the status and the body of the answer, which may come in chunks.
pub(crate) async fn send_lines(
    addr: SocketAddr,
    request: &str,
    headers: &str,
    lines: &[u8],
) -> (u16, String) {
    let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
    let length = lines.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {length}\r\n{headers}\r\n");
    let (reader, mut writer) = tcp.split();
    let mut reader = BufReader::new(reader);
    let answer = async {
        let (status, head) = read_head(&mut reader).await;
        (status, read_body(&mut reader, &head).await)
    };
    let sent = async {
        writer.write_all(head.as_bytes()).await.expect("the server reads");
        // Who is refused may not be read to the end.
        let _ = writer.write_all(lines).await;
    };
    let ((), (status, body)) = tokio::join!(sent, answer);
    (status, String::from_utf8(body).expect("lines are text"))
}

/// Reads a body, which may come in chunks.
async fn read_body(reader: &mut (impl AsyncBufReadExt + Unpin), head: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body.resize(length.parse().expect("a length is a number"), 0);
        reader.read_exact(&mut body).await.expect("a body is as long as its header says");
        return body;
    }
    loop {
        let mut length = String::new();
        reader.read_line(&mut length).await.expect("the length of a chunk is text");
        let length = usize::from_str_radix(length.trim_end(), 16).expect("a chunk has a length");
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).await.expect("a chunk is whole");
        body.extend(&chunk[..length]);
        if length == 0 {
            return body;
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    /// The number of the last event, if they have any.
    pub(crate) id: String,
}

impl Events {
    /// Opens a stream. `headers` are whole lines.
    pub(crate) async fn open(addr: SocketAddr, path: &str, headers: &str) -> Self {
        let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n");
        tcp.write_all(request.as_bytes()).await.expect("the server reads");
        let mut reader = BufReader::new(tcp);
        let (status, head) = read_head(&mut reader).await;
        assert_eq!(status, 200, "{head}");
        Self { reader, id: String::new() }
    }

    /// Returns the name and the data of the next event, or nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        let (mut name, mut line) = (String::new(), String::new());
        // Between the lines of events are the lengths of the chunks in which they are sent; the last one is 0.
        while self.reader.read_line(&mut line).await.expect("events are text") > 0 && line != "0\r\n" {
            if let Some(named) = line.strip_prefix("event: ") {
                named.trim_end().clone_into(&mut name);
            } else if let Some(id) = line.strip_prefix("id: ") {
                id.trim_end().clone_into(&mut self.id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, data.trim_end().to_owned()));
            }
            line.clear();
        }
        None
    }
}

/// Sends a whole request and returns the status and the head of the answer, in lower case.
pub(crate) async fn head(addr: SocketAddr, request: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
    tcp.write_all(request.as_bytes()).await.expect("the server reads");
    read_head(&mut BufReader::new(tcp)).await
}

/// Requests a path until the answer has this status.
pub(crate) async fn until_status(addr: SocketAddr, path: &str, status: u16) {
    while get(addr, path, "").await.status != status {
        tokio::task::yield_now().await;
    }
}

async fn read_head(reader: &mut (impl AsyncBufReadExt + Unpin)) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut head).await.expect("an answer is text");
        assert!(read > 0, "the answer ended early: {head:?}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, head.to_lowercase())
}
