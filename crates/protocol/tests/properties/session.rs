//! A session asks nothing of rooms that are not open, and opens none before it may, whatever the frames.

#![allow(dead_code, reason = "the fuzz target uses a part of this")]

use std::collections::BTreeSet;

use bytes::Bytes;
use syncline_core::{id::RoomName, time::MonotonicMs};
use syncline_protocol::{Access, Action, Batch, CloseReason, Session, Slot};

/// What a shell knows of a session.
struct Shell {
    session: Session,
    now: MonotonicMs,
    asks_token: bool,
    /// Slots whose token the session wants to be looked at.
    asked: BTreeSet<Slot>,
    /// Slots whose token was found good.
    good: BTreeSet<Slot>,
    open: BTreeSet<Slot>,
    ended: bool,
    opened: bool,
}

/// Plays a script made of any bytes: frames, verdicts on tokens, rooms that close, time. Panics on a breach; returns whether
/// a document was opened.
pub(crate) fn session(script: &[u8]) -> bool {
    let Some((&first, mut rest)) = script.split_first() else { return false };
    let now = MonotonicMs(0);
    let asks_token = first & 3 == 1;
    let session = match first & 3 {
        0 | 1 => Session::hocuspocus(now, asks_token),
        2 => Session::yjs(now, RoomName::new("room").expect("a name"), Access::ReadWrite),
        _ => Session::automerge(now, "server".into()),
    };
    let (asked, good, open) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut shell = Shell { session, now, asks_token, asked, good, open, ended: false, opened: false };
    shell.act();
    while let Some((&step, after)) = rest.split_first() {
        rest = after;
        let mut next = || {
            let (&byte, after) = rest.split_first().unwrap_or((&0, &[]));
            rest = after;
            byte
        };
        match step % 16 {
            0 => shell.verdict(Slot(u64::from(next() % 4)), next()),
            1 => shell.close(Slot(u64::from(next() % 4)), next()),
            2 => {
                shell.now = shell.now.after(u64::from(next()) * 1_000);
                shell.session.handle_timeout(shell.now);
            }
            15 => {
                let reason = [CloseReason::Forbidden, CloseReason::Overloaded][usize::from(next() % 2)];
                shell.session.withdrawn(Slot(u64::from(next() % 4)), reason);
            }
            _ => {
                let len = usize::from(next());
                let (frame, after) = rest.split_at(len.min(rest.len()));
                rest = after;
                shell.session.receive(&Bytes::copy_from_slice(frame));
            }
        }
        shell.act();
        if shell.ended {
            break;
        }
    }
    shell.opened
}

impl Shell {
    fn verdict(&mut self, slot: Slot, verdict: u8) {
        if self.asked.remove(&slot) {
            let access = [None, Some(Access::ReadOnly), Some(Access::ReadWrite)][usize::from(verdict % 3)];
            if access.is_some() {
                self.good.insert(slot);
            }
            self.session.authorized(slot, access);
        }
    }

    fn close(&mut self, slot: Slot, reason: u8) {
        if self.open.remove(&slot) {
            self.good.remove(&slot);
            let reasons = [CloseReason::BadUpdate("depth"), CloseReason::Internal, CloseReason::TooLarge];
            self.session.closed(slot, reasons[usize::from(reason) % reasons.len()]);
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Authorize { slot, .. } | Action::Admit { slot, .. } => drop(self.asked.insert(slot)),
                Action::Open { slot, .. } => {
                    assert!(!self.asks_token || self.good.contains(&slot), "opened without a good token");
                    assert!(self.open.insert(slot), "opened twice");
                    self.opened = true;
                }
                Action::Access { slot, .. } | Action::Request { slot, .. } => {
                    assert!(self.open.contains(&slot), "{slot:?} is not open");
                }
                Action::Leave { slot } => {
                    assert!(self.open.remove(&slot), "{slot:?} is not open");
                    self.good.remove(&slot);
                }
                Action::Write(frame) => assert!(!frame.is_empty()),
                Action::Close(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
        for slot in (0..4).map(Slot) {
            let dressed = self.session.dress(slot, Batch::new(Default::default(), Vec::new()));
            let is_one = slot == Slot(0) && self.session.dialect() == syncline_protocol::Dialect::Yjs;
            assert_eq!(dressed.is_some(), is_one || self.open.contains(&slot), "{slot:?}");
        }
        assert!(self.session.poll_timeout() > self.now || self.now == MonotonicMs(0) || self.ended);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A frame for one of three documents that is nearly well formed.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let body = prop_oneof![
            Just(b"\x02\x00\x02tk\x054.8.0".to_vec()),
            Just(b"\x02\x00\x02tk".to_vec()),
            Just(b"\x00\x00\x01\x00".to_vec()),
            Just(b"\x00\x02\x02\x00\x00".to_vec()),
            Just(b"\x05\x02hi".to_vec()),
            Just(vec![6]),
            Just(vec![7]),
            vec(any::<u8>(), 0..6),
        ];
        ("[de ]", body).prop_map(|(name, body)| [&[1], name.as_bytes(), &body[..]].concat())
    }

    /// A frame for one of four documents, or for none, of a client of Automerge's.
    fn automerge_frame() -> impl Strategy<Value = Vec<u8>> {
        let kind =
            prop::sample::select(vec!["join", "sync", "request", "ephemeral", "doc-unavailable", "other"]);
        (kind, "[ab]", 0..5_u8, any::<u8>()).prop_map(|(kind, sender, document, count)| {
            let text = |text: &str| [&[0x60 | text.len() as u8], text.as_bytes()].concat();
            let name = [0x43, document, 1, 2];
            let name = if document == 4 { text("x") } else { name.to_vec() };
            let pairs = [
                [text("type"), text(kind)].concat(),
                [text("senderId"), text(&sender)].concat(),
                [text("documentId"), name].concat(),
                [text("data"), vec![0x41, count]].concat(),
                [text("count"), vec![count % 24]].concat(),
                [text("sessionId"), text("s")].concat(),
            ];
            [vec![0xa6], pairs.concat()].concat()
        })
    }

    fn step() -> impl Strategy<Value = Vec<u8>> {
        let frame = frame().prop_map(|frame| [&[3, frame.len() as u8], &frame[..]].concat());
        let verdict = (0..4_u8, any::<u8>()).prop_map(|(slot, verdict)| vec![0, slot, verdict]);
        let close = (0..4_u8, any::<u8>()).prop_map(|(slot, reason)| vec![1, slot, reason]);
        let withdrawn = (0..4_u8, any::<bool>()).prop_map(|(slot, other)| vec![15, u8::from(other), slot]);
        let automerge = automerge_frame().prop_map(|frame| [&[3, frame.len() as u8], &frame[..]].concat());
        prop_oneof![6 => frame, 3 => automerge, 3 => verdict, 1 => close, 1 => withdrawn, 1 => (0..40_u8).prop_map(|s| vec![2, s])]
    }

    proptest! {
        #[test]
        fn whatever_the_frames(first in 0..4_u8, steps in vec(step(), 0..40)) {
            session(&[vec![first], steps.concat()].concat());
        }

        #[test]
        fn whatever_the_bytes(script in vec(any::<u8>(), 0..200)) {
            session(&script);
        }
    }

    /// The seeds of the fuzz target.
    #[test]
    fn seeds_of_the_fuzz_target() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/session");
        let seeds = std::fs::read_dir(folder)
            .expect("there are seeds")
            .map(|entry| std::fs::read(entry.expect("readable").path()).expect("readable"));
        assert!(seeds.filter(|seed| session(seed)).count() > 2, "some seeds open a document");
    }
}
