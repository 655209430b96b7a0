//! Tokens whose keys their issuer publishes.

use std::sync::Arc;

use serde_json::json;
use syncline_server::{JwtSettings, NewToken, PublishedKeys, Server, SigningAlgorithm, SigningKey};

use crate::{
    entities::Caller,
    support::{
        certificates::file,
        disk::Disk,
        handler::{Handler, Says},
        start_with, within,
    },
};

fn key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256).expect("the system has random bytes")
}

fn publishes(keys: &[&SigningKey]) -> Says {
    let keys: Vec<_> = keys.iter().map(|key| key.public_set().expect("a pair")["keys"][0].clone()).collect();
    Says::This(200, json!({ "keys": keys }).to_string())
}

async fn status(server: &Server, key: &SigningKey) -> (u16, String) {
    let token = NewToken { user: "ann".into(), expires_at_s: 32_503_680_000, ..NewToken::default() };
    let token = key.sign(&token).expect("the key is good");
    Caller::bearing(server, &token).refused("GET /sync/v1/types", json!({})).await
}

async fn serve(disk: &Disk, issuer: &Handler, trusted: &str) -> Server {
    let url = format!("https://localhost:{}/keys", issuer.addr.port());
    let keys = PublishedKeys::new(JwtSettings::default(), &url, Some(&file(trusted))).expect("a URL");
    start_with(disk, |config| config.authenticator = Some(Arc::new(keys))).await
}

/// The keys are asked for once, and again for a token that names another, at most every ten seconds.
#[tokio::test]
async fn keys_are_asked_for_and_kept() {
    within(async {
        let (first, second) = (key(), key());
        let mut issuer = Handler::start_tls(publishes(&[&first])).await;
        let server = serve(&Disk::new(), &issuer, "first.pem").await;
        assert_eq!(issuer.more(), 0, "nobody has asked yet");
        for _ in 0..3 {
            assert_eq!(status(&server, &first).await.0, 200);
        }
        assert_eq!(issuer.asked().await.head.lines().next(), Some("get /keys http/1.1"));
        issuer.says(publishes(&[&first, &second]));
        for _ in 0..3 {
            assert_eq!(
                status(&server, &second).await,
                (401, "unauthenticated".into()),
                "too early to ask again"
            );
        }
        assert_eq!(issuer.more(), 0);
        server.shutdown().await;
    })
    .await;
}

/// While nobody can say whether a token is good, it is neither good nor bad.
#[tokio::test]
async fn without_keys_nobody_is_let_in() {
    within(async {
        let first = key();
        let secret = SigningKey::generate(SigningAlgorithm::Hs256).expect("the system has random bytes");
        let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(70_000));
        for (trusted, says) in [
            ("second.pem", publishes(&[&first])),
            ("first.pem", Says::Gone),
            ("first.pem", Says::This(500, String::new())),
            ("first.pem", Says::This(302, String::new())),
            ("first.pem", Says::This(200, "no".into())),
            ("first.pem", Says::This(200, huge)),
            ("first.pem", Says::This(200, secret.set().to_string())),
        ] {
            let what = format!("{trusted} {says:?}").chars().take(80).collect::<String>();
            let issuer = Handler::start_tls(says).await;
            let server = serve(&Disk::new(), &issuer, trusted).await;
            for key in [&first, &secret] {
                assert_eq!(status(&server, key).await, (503, "read-only".into()), "{what}");
            }
            server.shutdown().await;
        }
    })
    .await;
}
