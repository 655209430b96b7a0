use automerge::{ActorId, AutoCommit, ROOT, ReadDoc, transaction::Transactable};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    doc::{Document, compact},
    id::{CommitNumber, ConnectionId},
    log::{Author, LogEntry, LogRecord},
    time::WallMs,
};

/// A client: its document, and its dialogue with the server.
struct Client {
    doc: AutoCommit,
    state: automerge::sync::State,
}

impl Client {
    fn new(actor: u8) -> Self {
        let doc = AutoCommit::new().with_actor(ActorId::from([actor; 16]));
        Self { doc, state: automerge::sync::State::new() }
    }

    fn put(&mut self, key: &str, value: i64) {
        self.doc.put(ROOT, key, value).expect("a key of a map");
        self.doc.commit();
    }

    fn say(&mut self) -> Option<Vec<u8>> {
        use automerge::sync::SyncDoc;
        self.doc.sync().generate_sync_message(&mut self.state).map(automerge::sync::Message::encode)
    }

    fn hear(&mut self, message: &[u8]) {
        use automerge::sync::SyncDoc;
        let message = automerge::sync::Message::decode(message).expect("a message");
        self.doc.sync().receive_sync_message(&mut self.state, message).expect("it is taken in");
    }
}

/// Lets a client and a document talk until both are silent. Returns what was new to the document.
fn talk(client: &mut Client, document: &mut AutomergeDocument, peer: &mut AutomergePeer) -> Vec<Bytes> {
    let mut news = Vec::new();
    for _ in 0..100 {
        let said = client.say();
        if let Some(message) = &said {
            news.extend(document.receive(peer, message).expect("honest").update);
        }
        let answer = document.message(peer).expect("sound");
        if let Some(message) = &answer {
            client.hear(message);
        }
        if said.is_none() && answer.is_none() {
            return news;
        }
    }
    panic!("they never fall silent");
}

fn record(number: u64, update: Bytes) -> LogRecord {
    let (author, connection, origins) = (Author::default(), ConnectionId(1), None);
    let entry = LogEntry { author, connection, at: WallMs(0), update, origins };
    LogRecord { number: CommitNumber(number), entries: vec![entry] }
}

fn stored(news: &[Bytes]) -> AutomergeDocument {
    let log: Vec<_> =
        news.iter().enumerate().map(|(n, update)| record(n as u64 + 1, update.clone())).collect();
    AutomergeDocument::load(None, &log).expect("what was accepted loads")
}

#[test]
fn a_client_publishes_and_another_finds() {
    let mut document = AutomergeDocument::default();
    let (mut alice, mut bob) = (Client::new(1), Client::new(2));
    alice.put("hi", 1);
    let news = talk(&mut alice, &mut document, &mut AutomergePeer::default());
    assert_eq!(document.heads(), alice.doc.get_heads());
    assert_eq!(stored(&news).heads(), document.heads());
    assert!(talk(&mut bob, &mut document, &mut AutomergePeer::default()).is_empty());
    assert_eq!(bob.doc.get_heads(), alice.doc.get_heads());
    assert!(bob.doc.get(ROOT, "hi").expect("a map").is_some());
}

/// Goal: a newcomer costs no encoding. Method: the message for the second is the buffer that the first was sent.
#[test]
fn newcomers_share_one_encoding_until_the_document_changes() {
    let mut document = AutomergeDocument::default();
    let mut alice = Client::new(1);
    for n in 0..20 {
        alice.put("n", n);
    }
    let mut of_alice = AutomergePeer::default();
    talk(&mut alice, &mut document, &mut of_alice);
    let greet = |document: &mut AutomergeDocument| {
        let (mut client, mut peer) = (Client::new(9), AutomergePeer::default());
        let hello = client.say().expect("a first message");
        document.receive(&mut peer, &hello).expect("honest");
        let answer = document.message(&mut peer).expect("sound").expect("the document");
        assert_eq!(document.message(&mut peer), Ok(None), "nothing more before it has answered");
        client.hear(&answer);
        assert_eq!(client.doc.get_heads(), document.heads());
        assert!(talk(&mut client, document, &mut peer).is_empty());
        answer
    };
    let (first, second) = (greet(&mut document), greet(&mut document));
    assert_eq!(first.as_ptr(), second.as_ptr());
    alice.put("n", 100);
    talk(&mut alice, &mut document, &mut of_alice);
    assert_ne!(greet(&mut document).as_ptr(), second.as_ptr());
}

#[test]
fn nothing_is_taken_from_a_peer_that_may_only_read() {
    let mut document = AutomergeDocument::default();
    let (mut alice, mut eve) = (Client::new(1), Client::new(2));
    alice.put("hi", 1);
    talk(&mut alice, &mut document, &mut AutomergePeer::default());
    let heads = document.heads();
    let mut peer = AutomergePeer::new_read_only();
    talk(&mut eve, &mut document, &mut peer);
    eve.put("evil", 1);
    assert!(talk(&mut eve, &mut document, &mut peer).is_empty());
    assert_eq!(document.heads(), heads);
    assert!(eve.doc.get(ROOT, "hi").expect("a map").is_some(), "she reads");
    peer.set_read_only(false);
    assert_eq!(talk(&mut eve, &mut document, &mut peer).len(), 1, "what she wrote meanwhile comes");
    assert_eq!(document.heads(), eve.doc.get_heads());
}

/// What automerge writes itself is taken in without a look at the whole document.
#[test]
fn honest_changes_are_not_odd() {
    let mut alice = Client::new(1);
    alice.put("a", 1);
    let text = alice.doc.put_object(ROOT, "text", automerge::ObjType::Text).expect("a map");
    alice.doc.splice_text(&text, 0, 0, "hello").expect("a text");
    let bold = automerge::marks::Mark::new("bold".into(), true, 1, 3);
    alice.doc.mark(&text, bold, automerge::marks::ExpandMark::Both).expect("a text");
    alice.doc.commit_with(automerge::transaction::CommitOptions::default().with_message("why").with_time(5));
    alice.doc.delete(ROOT, "a").expect("a map");
    alice.doc.splice_text(&text, 2, 2, "🙂").expect("a text");
    alice.doc.commit();
    let whole = alice.doc.save();
    let changes = changes_of(&scan_chunks(&whole).expect("chunks")).expect("changes").changes;
    assert!(changes.len() == 3 && changes.iter().all(|change| Writing::of(change) == Writing::Usual));
}

/// Goal: changes that overtook what they rest on are neither stored nor shown. Method: the second of two changes comes
/// first; a newcomer asks meanwhile.
#[test]
fn orphans_wait_unseen() {
    let mut alice = Client::new(1);
    alice.put("a", 1);
    let first = alice.doc.save_after(&[]);
    let heads = alice.doc.get_heads();
    alice.put("a", 2);
    let second = alice.doc.save_after(&heads);
    let mut document = AutomergeDocument::default();
    assert_eq!(document.apply(&second), Ok(None));
    assert!(document.is_empty() && document.encode().is_ok());
    let mut bob = Client::new(2);
    bob.put("b", 1);
    let mut of_bob = AutomergePeer::default();
    talk(&mut bob, &mut document, &mut of_bob);
    let mut carol = Client::new(3);
    talk(&mut carol, &mut document, &mut AutomergePeer::default());
    assert_eq!(carol.doc.get_missing_deps(&[]), []);
    let news = document.apply(&first).expect("honest").expect("both are new");
    assert_eq!(changes_of(&scan_chunks(&news).expect("chunks")).expect("changes").changes.len(), 2);
    assert!(document.orphans.is_empty());
}

#[test]
fn too_many_orphans_are_dropped_and_their_sender_refused() {
    let mut alice = Client::new(1);
    alice.put("a", 1);
    let mut document = AutomergeDocument::default();
    let mut refused = None;
    for n in 0..100 {
        let heads = alice.doc.get_heads();
        let noise: Vec<u8> =
            (0..40_000_u32).map(|at| (at.wrapping_mul(2_654_435_761 + n) >> 13) as u8).collect();
        alice.doc.put(ROOT, "noise", noise).expect("a key");
        alice.doc.commit();
        if let Err(error) = document.apply(&alice.doc.save_after(&heads)) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused, Some(AutomergeError::Orphans));
    let all = alice.doc.save_after(&[]);
    assert!(document.apply(&all).expect("the document is as it was").is_some());
}

#[test]
fn a_broken_document_is_given_up_and_says_so() {
    let mut document = AutomergeDocument::default();
    let mut alice = Client::new(1);
    alice.put("a", 1);
    document.break_for_test();
    let hello = alice.say().expect("a first message");
    let mut peer = AutomergePeer::default();
    assert_eq!(document.receive(&mut peer, &hello), Err(AutomergeError::Broken));
    assert_eq!(document.message(&mut peer), Err(Broken));
    assert_eq!(document.encode(), Err(Broken));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Goal: whatever clients write and in whatever order they talk, all end equal, and so does what is stored and what is
    /// folded. Method: three clients, steps at random, then rounds until nobody has anything to say.
    #[test]
    fn clients_and_the_store_converge(steps in vec((0..3_usize, 0..4_u8, any::<i8>()), 1..40)) {
        let mut clients = [Client::new(1), Client::new(2), Client::new(3)];
        let mut peers: [AutomergePeer; 3] = Default::default();
        let mut document = AutomergeDocument::default();
        let mut news = Vec::new();
        for (who, what, value) in steps {
            match what {
                0 | 1 => clients[who].put(["x", "y"][usize::from(what)], value.into()),
                2 => news.extend(talk(&mut clients[who], &mut document, &mut peers[who])),
                _ => {
                    clients[who].state = automerge::sync::State::new();
                    peers[who] = AutomergePeer::default();
                }
            }
        }
        for _ in 0..2 {
            for (client, peer) in clients.iter_mut().zip(&mut peers) {
                news.extend(talk(client, &mut document, peer));
            }
        }
        for client in &mut clients {
            prop_assert_eq!(client.doc.get_heads(), document.heads());
        }
        if news.is_empty() {
            return Ok(());
        }
        let log: Vec<_> = news.iter().enumerate().map(|(n, new)| record(n as u64 + 1, new.clone())).collect();
        prop_assert_eq!(stored(&news).heads(), document.heads());
        let half = news.len() / 2;
        let folded = match half {
            0 => compact::<AutomergeDocument>(None, &log),
            half => compact::<AutomergeDocument>(None, &log[..half])
                .and_then(|snapshot| compact::<AutomergeDocument>(Some(&snapshot), &log[half..])),
        };
        let folded = folded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let again = AutomergeDocument::load(Some(&folded), &[]).expect("it loads");
        prop_assert!(again.is_same(&document).expect("sound"));
    }
}
