//! TLS at the edge, by a client that trusts one certificate.

use std::{fs, net::SocketAddr};

use rustls::pki_types::ServerName;
use syncline_server::{StartError, TlsError, TlsFiles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::support::{
    certificates::{connector, file},
    chain,
    disk::Disk,
    start_with, within,
};

/// Connects as someone who trusts the certificate of this name alone.
async fn connect(addr: SocketAddr, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    connector(trusted).connect(name, tcp).await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is taken");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    String::from_utf8(head).expect("a head is text")
}

/// A certificate that was replaced is shown to whoever connects after the reload; one that is broken is not.
#[tokio::test]
async fn a_certificate_is_shown_and_replaced() {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let files = TlsFiles { certificates: folder.path().join("cert"), key: folder.path().join("key") };
        let install = |name: &str| {
            fs::copy(file(&format!("{name}.pem")), &files.certificates).expect("it is copied");
            fs::copy(file(&format!("{name}.key")), &files.key).expect("it is copied");
        };
        install("first");
        let server = start_with(&Disk::new(), |config| config.tls = Some(files.clone())).await;
        let mut early = connect(server.addr(), "first").await.expect("it is trusted");
        assert!(get(&mut early, "/favicon.ico", "").await.starts_with("HTTP/1.1 204"));
        assert!(connect(server.addr(), "second").await.is_err(), "nobody trusts another");

        install("second");
        assert!(connect(server.addr(), "first").await.is_ok(), "it is not read by itself");
        server.reload_certificate().expect("it is good");
        let mut late = connect(server.addr(), "second").await.expect("it is trusted");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        assert!(get(&mut late, "/yjs/room", upgrade).await.starts_with("HTTP/1.1 101"));
        assert!(get(&mut early, "/favicon.ico", "").await.starts_with("HTTP/1.1 204"), "it goes on");

        fs::copy(file("first.pem"), &files.certificates).expect("it is copied");
        let error = server.reload_certificate().expect_err("the key is another's");
        assert!(matches!(error, TlsError::Key(_)), "{}", chain(&error));
        assert!(connect(server.addr(), "second").await.is_ok());
        server.shutdown().await;
    })
    .await;
}

/// Whoever speaks no TLS, or nothing at all, is let go, and a server without a certificate does not start.
#[tokio::test]
async fn who_speaks_no_tls_is_let_go() {
    within(async {
        let files = TlsFiles { certificates: file("first.pem"), key: file("first.key") };
        let server = start_with(&Disk::new(), |config| config.tls = Some(files)).await;
        let mut plain = TcpStream::connect(server.addr()).await.expect("it listens");
        plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is taken");
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        let mut silent = TcpStream::connect(server.addr()).await.expect("it listens");
        let mut agreed = connect(server.addr(), "first").await.expect("it is trusted");
        let mut spoken = connect(server.addr(), "first").await.expect("it is trusted");
        let head = get(&mut spoken, "/healthz", "").await;
        assert!(head.contains("strict-transport-security: max-age="), "{head}");
        assert_eq!(silent.read(&mut [0]).await.ok(), Some(0), "closed after its time");
        // It may be reset in place of a farewell.
        assert_eq!(agreed.read(&mut [0]).await.unwrap_or(0), 0, "its time began when it connected");
        server.shutdown().await;

        let mut config = syncline_server::Config::default();
        config.tls = Some(TlsFiles { certificates: file("first.key"), key: file("first.key") });
        let refused = syncline_server::Server::start(config, Box::new(Disk::new())).await;
        assert!(matches!(refused, Err(StartError::Tls(TlsError::Empty { .. }))), "{refused:?}");
    })
    .await;
}
