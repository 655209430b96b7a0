//! Who comes in, behind proxies too, and what every answer tells browsers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use syncline_core::rate::Rate;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::support::{
    bearers::Bearers,
    client::Client,
    disk::Disk,
    raw::{self, WEBSOCKET},
    start, start_with,
    updates::letter,
    within,
};

/// How long whoever connects may be silent.
const SILENT_MAX: Duration = Duration::from_millis(syncline_core::limits::HEADER_MS_MAX);

/// Each answer says what browsers may do with it, whatever it is; only pages may do anything.
#[tokio::test]
async fn every_answer_tells_browsers_the_rules() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["*=admin"]);
        let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.trusted_proxies = proxies;
        })
        .await;
        let token = "Authorization: Bearer ann\r\n";
        for path in
            ["/", "/nothing", "/healthz", "/metrics", "/rooms", "/sync/v1/types", "/yjs/", "/auth/v1/x"]
        {
            let answer = raw::get(server.addr(), path, token).await;
            let has = |line: &str| {
                assert!(answer.head.contains(&format!("\r\n{line}")), "{path} without {line}: {answer:?}")
            };
            has("content-security-policy: default-src 'none';");
            has("x-content-type-options: nosniff");
            has("x-frame-options: deny");
            has("referrer-policy: no-referrer");
            has("permissions-policy: accelerometer=()");
            has("cross-origin-opener-policy: same-origin");
            has("cross-origin-resource-policy: same-origin");
            has("cache-control: no-");
            assert!(answer.head.contains("frame-ancestors 'none'"), "{path}: {}", answer.head);
            assert!(!answer.head.contains("strict-transport-security"), "{path}: {}", answer.head);
            let https = raw::get(server.addr(), path, "X-Forwarded-Proto: https\r\n").await;
            assert!(https.head.contains("strict-transport-security: max-age="), "{path}: {}", https.head);
        }
        let ticket = raw::send(server.addr(), "POST /auth/v1/tickets", token, "").await;
        assert_eq!(
            (ticket.status, ticket.head.contains("cache-control: no-store")),
            (201, true),
            "{ticket:?}"
        );
        server.shutdown().await;
    })
    .await;
}

/// Without tokens everyone on this machine may do everything; a proxy on it does not make others part of it, trusted or not.
#[tokio::test]
async fn a_proxy_lets_nobody_in_where_no_token_is_asked_for() {
    within(async {
        let disk = Disk::new();
        let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        for (anywhere, trusted, refused) in
            [(false, vec![], 403), (false, proxies.clone(), 403), (true, proxies, 101)]
        {
            let server = start_with(&disk, |config| {
                config.insecure_listen_anywhere = anywhere;
                config.trusted_proxies = trusted;
            })
            .await;
            let check = async |header: &str, status: u16| {
                let answer = raw::get(server.addr(), "/yjs/room", &format!("{WEBSOCKET}{header}\r\n")).await;
                assert_eq!(answer.status, status, "{header}: {answer:?}");
            };
            check("X-Forwarded-For: 203.0.113.9", refused).await;
            check("X-Forwarded-For: 127.0.0.1, 203.0.113.9", refused).await;
            check("X-Forwarded-For: 203.0.113.9, 127.0.0.1", refused).await;
            check("Forwarded: for=203.0.113.9", refused).await;
            check("X-Real-IP: 203.0.113.9", refused).await;
            check("X-Forwarded-For: ::1", 101).await;
            check("X-Whatever: 203.0.113.9", 101).await;
            server.shutdown().await;
        }
    })
    .await;
}

/// A trusted proxy says whom it speaks for, and each address has a rate; of others nobody believes it, and this machine has none.
#[tokio::test]
async fn each_address_behind_a_proxy_has_a_rate() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        for trusted in [true, false] {
            let known = Arc::clone(&bearers);
            let server = start_with(&disk, |config| {
                config.authenticator = Some(known);
                config.trusted_proxies =
                    trusted.then(|| "127.0.0.1".parse().expect("a network")).into_iter().collect();
                config.quota.address_requests = Some(Rate { burst: 3, per_second: 1 });
                config.quota.address_connections = Some(Rate { burst: 1, per_second: 1 });
            })
            .await;
            let ask = async |path: &str, header: &str| raw::get(server.addr(), path, header).await;
            let ann = "X-Forwarded-For: 10.9.9.9, 203.0.113.9\r\n";
            for _ in 0..3 {
                assert_eq!(ask("/healthz", ann).await.status, 200);
            }
            for (path, code) in [("/healthz", "too-many-requests"), ("/sync/v1/types", "rate-limited")] {
                let refused = ask(path, ann).await;
                assert_eq!(refused.status == 429, trusted, "{path}: {refused:?}");
                if trusted {
                    assert!(refused.head.contains("\r\nretry-after: "), "{refused:?}");
                    assert!(refused.head.contains("application/problem+json"), "{refused:?}");
                    assert!(refused.body.contains(code), "{refused:?}");
                    assert!(refused.body.contains("address-requests-per-second"), "{refused:?}");
                }
            }
            let bob = "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n";
            assert_eq!(ask("/yjs/room", &format!("{WEBSOCKET}{bob}")).await.status, 101);
            let again = ask("/yjs/room", &format!("{WEBSOCKET}{bob}")).await;
            assert_eq!(again.status, if trusted { 429 } else { 101 }, "{again:?}");
            for _ in 0..9 {
                assert_eq!(ask("/healthz", "").await.status, 200, "this machine has no rate");
            }
            server.shutdown().await;
        }
    })
    .await;
}

/// Whoever connects without a word, or stops in the middle of one, is let go.
#[tokio::test]
async fn who_says_nothing_is_let_go() {
    within(async {
        let server = start(&Disk::new()).await;
        let begun = Instant::now();
        let mut ends = JoinSet::new();
        for said in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let mut tcp = TcpStream::connect(server.addr()).await.expect("it listens");
            tcp.write_all(said.as_bytes()).await.expect("it is taken");
            ends.spawn(async move {
                let mut answer = Vec::new();
                let _ = tcp.read_to_end(&mut answer).await;
                assert!(!answer.starts_with(b"HTTP/1.1 2"), "{said:?}: {answer:?}");
            });
        }
        while let Some(ended) = ends.join_next().await {
            ended.expect("the server closes it");
        }
        assert!(begun.elapsed() < 3 * SILENT_MAX, "{:?}", begun.elapsed());
        server.shutdown().await;
    })
    .await;
}

/// Goal: those who connect and say nothing do not keep others out. Method: more of them than may shake hands at a time; someone
/// else gets in, and writes, long before the first of the silent ones is let go.
#[tokio::test]
async fn thousands_who_say_nothing_keep_nobody_out() {
    within(async {
        let server = start(&Disk::new()).await;
        let mut silent = Vec::new();
        for _ in 0..silent_sockets() {
            silent.push(TcpStream::connect(server.addr()).await.expect("it listens"));
        }
        let begun = Instant::now();
        assert_eq!(raw::get(server.addr(), "/readyz", "").await.status, 200);
        let mut client = Client::connect(server.addr(), "room").await;
        client.update(&letter(1, 'a')).await;
        client.hear_echo(&letter(1, 'a')).await;
        assert!(begun.elapsed() < SILENT_MAX / 2, "{:?}", begun.elapsed());
        for mut silent in silent {
            assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "it is let go in the end");
        }
        client.leave().await;
        server.shutdown().await;
    })
    .await;
}

/// Returns how many sockets may be opened without a word: 4,096, or as many as the system gives to both ends.
fn silent_sockets() -> usize {
    const WANTED: usize = 4_096;
    const OTHERS: usize = 256;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(WANTED, |files| WANTED.min(files.saturating_sub(OTHERS) / 2))
}
