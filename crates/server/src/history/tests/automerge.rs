//! The same of Automerge documents: what is kept of them are their changes.

use ::automerge::{AutoCommit, ChangeHash, ROOT, transaction::Transactable};
use syncline_core::doc::AutomergeDocument;

use super::*;

/// An Automerge document that grows by a commit at a time, and all that it ever was.
struct Written {
    epoch: Arc<Epoch>,
    document: AutoCommit,
    heads: Vec<Vec<ChangeHash>>,
}

impl Written {
    fn begin() -> Self {
        Self { epoch: epoch(), document: AutoCommit::new(), heads: vec![Vec::new()] }
    }

    fn last(&self) -> CommitNumber {
        CommitNumber(self.heads.len() as u64 - 1)
    }

    async fn write(&mut self, text: &str, days_ago: u64) {
        self.document.put(ROOT, "text", text).expect("a key of a map");
        let change = self.document.get_last_local_change().expect("it was changed").raw_bytes().to_vec();
        self.heads.push(self.document.get_heads());
        commit(&self.epoch, self.last(), change.into(), days_ago).await;
    }

    /// Everything that is kept is as it was; returns since when something is.
    async fn check(&self) -> u64 {
        let past = past(&self.epoch).await;
        assert_eq!(past.last(), self.last());
        for number in past.first().0..=past.last().0 {
            let document: AutomergeDocument = past.document_at(CommitNumber(number)).expect("it is kept");
            assert_eq!(document.heads(), self.heads[number as usize], "commit {number}");
        }
        past.first().0
    }
}

#[tokio::test]
async fn the_changes_of_automerge_documents_are_kept() {
    let mut written = Written::begin();
    for days_ago in [40, 39, 20] {
        for text in ["a", "b", "c"] {
            written.write(text, days_ago).await;
        }
        fold(&written.epoch, Engine::Automerge, HistoryRetention::All, written.last()).await;
        assert_eq!(written.check().await, 0);
    }
    written.write("d", 0).await;
    fold(&written.epoch, Engine::Automerge, HistoryRetention::Days(30), written.last()).await;
    assert_eq!(written.check().await, 6, "what is older is folded into where the history begins");
    fold(&written.epoch, Engine::Automerge, HistoryRetention::Nothing, written.last()).await;
    assert_eq!(written.check().await, 10, "the document is there, and nothing before");
    written.epoch.end().await;
}
