//! An import that tells how far it is while its body is still sent.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Such an import; dropping it breaks it off.
pub(crate) struct Told(BufReader<TcpStream>);

impl Told {
    /// Begins with the first piece of the body. `headers` are whole lines.
    pub(crate) async fn begin(addr: SocketAddr, path: &str, headers: &str, first: &[u8]) -> Self {
        let mut tcp = TcpStream::connect(addr).await.expect("the server listens");
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {addr}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n");
        tcp.write_all(head.as_bytes()).await.expect("the server reads");
        let mut told = Self(BufReader::new(tcp));
        told.send(first).await;
        told
    }

    /// Sends a piece of the body, which is not empty.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let length = format!("{:x}\r\n", bytes.len());
        let chunk = [length.as_bytes(), bytes, b"\r\n"].concat();
        self.0.get_mut().write_all(&chunk).await.expect("the server reads");
    }

    /// Ends the body.
    pub(crate) async fn finish(&mut self) {
        self.0.get_mut().write_all(b"0\r\n\r\n").await.expect("the server reads");
    }

    /// Returns the next line of JSON; around it are the head and the lengths of chunks.
    pub(crate) async fn line(&mut self) -> Value {
        let mut line = String::new();
        while !line.starts_with('{') {
            line.clear();
            assert!(self.0.read_line(&mut line).await.expect("text") > 0, "the answer ended");
        }
        serde_json::from_str(&line).expect("JSON")
    }
}
