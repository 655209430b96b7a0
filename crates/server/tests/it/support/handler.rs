//! A push handler over HTTP that does as it is told.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_rustls::TlsAcceptor;

use super::certificates;

/// What it does with a question.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// Answers with a status and a body.
    This(u16, String),
    /// Answers with a status, and asks to be left in peace for so many seconds.
    Later(u16, u64),
    /// Keeps the connection, and says nothing.
    Nothing,
    /// Closes the connection.
    Gone,
}

/// A question, as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    /// In lower case.
    pub(crate) head: String,
    /// The same as it was written.
    written: String,
    pub(crate) body: String,
}

/// A handler that listens.
pub(crate) struct Handler {
    pub(crate) addr: SocketAddr,
    says: watch::Sender<Says>,
    asked: mpsc::Receiver<Asked>,
}

impl Asked {
    /// Returns what a header says.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.written.lines().filter_map(|line| line.split_once(": "));
        let found = lines.into_iter().find(|(written, _)| written.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).expect("the header is there")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a question is JSON")
    }
}

impl Handler {
    pub(crate) async fn start(says: Says) -> Self {
        Self::start_with(says, None).await
    }

    /// Starts one that speaks TLS, with a certificate for localhost.
    pub(crate) async fn start_tls(says: Says) -> Self {
        Self::start_with(says, Some(certificates::acceptor("first"))).await
    }

    async fn start_with(says: Says, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let addr = listener.local_addr().expect("it listens");
        let (noted, asked) = mpsc::channel(64);
        let (says, heard) = watch::channel(says);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, noted, heard) = (tls.clone(), noted.clone(), heard.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(tcp, noted, heard).await,
                        // Whoever does not trust the certificate asks nothing.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                answer(stream, noted, heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self { addr, says, asked }
    }

    pub(crate) fn says(&self, says: Says) {
        self.says.send_replace(says);
    }

    /// Returns the next question that came.
    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked.recv().await.expect("the handler listens")
    }

    /// Returns how many questions came besides.
    pub(crate) fn more(&mut self) -> usize {
        std::iter::from_fn(|| self.asked.try_recv().ok()).count()
    }
}

async fn answer<S>(stream: S, noted: mpsc::Sender<Asked>, says: watch::Receiver<Says>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).await.expect("a question is text");
    }
    let (written, head) = (head.clone(), head.to_lowercase());
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    reader.read_exact(&mut body).await.expect("a question is whole");
    let asked = Asked { head, written, body: String::from_utf8(body).expect("text") };
    noted.send(asked).await.expect("the test listens");
    let said = says.borrow().clone();
    match said {
        Says::This(status, body) => {
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: {length}\r\n\r\n{body}");
            write(reader.into_inner(), &answer).await;
        }
        Says::Later(status, seconds) => {
            let headers = format!("Retry-After: {seconds}\r\nContent-Length: 0");
            write(reader.into_inner(), &format!("HTTP/1.1 {status} So\r\n{headers}\r\n\r\n")).await;
        }
        Says::Nothing => std::future::pending().await,
        Says::Gone => {}
    }
}

async fn write(mut stream: impl AsyncWrite + Unpin, answer: &str) {
    // Whoever asked may have heard enough.
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}
