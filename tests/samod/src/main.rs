//! A client of samod, automerge-repo written in Rust, that is told what to do: a line of JSON is an order, `["append", url, words]`,
//! and a line of JSON answers each, `["done", answer]` or `["wrong", why]`. `tests/clients/samod/samod.mjs` speaks to it.
//!
//! Usage: `syncline-samod-peer ws://127.0.0.1:PORT/automerge NAME`. It ends with its input, and knows nothing of Syncline.

mod dialer;

use std::{env, error::Error, sync::Arc, time::Duration};

use automerge::{Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, transaction::Transactable};
use samod::{AutomergeUrl, BackoffConfig, DocHandle, PeerId, Repo};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::dialer::WebSocketDialer;

type Failed = Box<dyn Error + Send + Sync>;

/// The entry of a document that this client reads and writes.
const TEXT: &str = "text";

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let [url, name] = <[String; 2]>::try_from(env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| "say where the server is, and what this client is called")?;
    let repo = Repo::build_tokio().with_peer_id(PeerId::from(name.as_str())).load().await;
    let patience = BackoffConfig {
        initial_delay: Duration::from_millis(50),
        max_delay: Duration::from_millis(200),
        max_retries: None,
    };
    let dialer = repo.dial(patience, Arc::new(WebSocketDialer::new(&url)?))?;
    dialer.established().await?;
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(line) = orders.next_line().await? {
        let words: Vec<String> = serde_json::from_str(&line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match obey(&repo, &words).await {
            Ok(answer) => println!("{}", json!(["done", answer])),
            Err(error) => println!("{}", json!(["wrong", error.to_string()])),
        }
    }
    repo.stop().await;
    Ok(())
}

async fn obey(repo: &Repo, words: &[&str]) -> Result<Value, Failed> {
    match words {
        ["create", text] => {
            let handle = repo.create(begun(text)?).await?;
            Ok(json!(handle.url().to_string()))
        }
        ["find", url] => Ok(json!(found(repo, url).await?.is_some())),
        ["append", url, words] => {
            present(repo, url).await?.with_document(|document| append(document, words))?;
            Ok(Value::Null)
        }
        ["text", url] => {
            let text = present(repo, url).await?.with_document(|document| {
                let text = text_of(document)?;
                document.text(text)
            });
            Ok(json!(text?))
        }
        ["heads", url] => {
            let heads = present(repo, url).await?.with_document(|document| document.get_heads());
            Ok(json!(heads.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")))
        }
        _ => Err(format!("{words:?} is no order").into()),
    }
}

async fn found(repo: &Repo, url: &str) -> Result<Option<DocHandle>, Failed> {
    let url: AutomergeUrl = url.parse().map_err(|_| "it is no URL of automerge-repo")?;
    Ok(repo.find(url.document_id().clone()).await?)
}

async fn present(repo: &Repo, url: &str) -> Result<DocHandle, Failed> {
    found(repo, url).await?.ok_or_else(|| "there is no such document".into())
}

fn begun(text: &str) -> Result<Automerge, AutomergeError> {
    let mut document = Automerge::new();
    let written = document.transact(|transaction| {
        let place = transaction.put_object(ROOT, TEXT, ObjType::Text)?;
        transaction.splice_text(place, 0, 0, text)
    });
    written.map_err(|failure| failure.error)?;
    Ok(document)
}

fn append(document: &mut Automerge, words: &str) -> Result<(), AutomergeError> {
    let text = text_of(document)?;
    let at = document.length(&text);
    let written = document.transact(|transaction| transaction.splice_text(&text, at, 0, words));
    written.map(|_| ()).map_err(|failure| failure.error)
}

fn text_of(document: &Automerge) -> Result<ObjId, AutomergeError> {
    let (_, text) = document.get(ROOT, TEXT)?.ok_or(AutomergeError::InvalidObjId(TEXT.to_owned()))?;
    Ok(text)
}
