//! Answers to `reconcile`, in both forms.

use syncline_core::entity::Actors;

use super::answer::{Acknowledged, Change, Pulled, Pushed};
use super::result::{Group, Told};
use super::write::{Object, document};
use crate::ledger::Reset;

/// What became of three requests in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled<'a> {
    /// Of the first.
    pub ack: Acknowledged<'a>,
    /// Of the second.
    pub push: Pushed<'a>,
    /// Of the third.
    pub pull: Pulled<'a>,
}

/// What became of a reconciliation in the short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortReconciled<'a> {
    /// What became of each mutation.
    pub mutations: Vec<ToldMutation<'a>>,
    /// Why the client begins anew, if it does: it drops what it is not told until there is no more.
    pub reset: Option<Reset>,
    /// What has changed since the client asked last.
    pub changes: Vec<Change<'a>>,
    /// What the client is to send with its next request.
    pub checkpoint: &'a str,
    /// Whether there are more changes behind these.
    pub has_more: bool,
}

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldMutation<'a> {
    /// What the client calls it.
    pub name: Option<&'a str>,
    /// What the client calls the entity.
    pub temp_id: Option<&'a str>,
    /// What became of it.
    pub told: Told<'a>,
}

const GROUPS: [Group; 3] = [Group::Applied, Group::Conflicts, Group::Rejected];

impl Reconciled<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        document(|o| {
            o.object("ack", |o| self.ack.write(o));
            o.object("push", |o| self.push.write(o, actors));
            o.object("pull", |o| self.pull.write(o, actors));
            for group in GROUPS {
                let members = self.push.results.iter().filter(|told| told.group() == Some(group));
                o.objects(group.as_str(), members, |o, told| told.write(o, actors));
            }
            match &self.pull.scopes[..] {
                [only] => o.text("checkpoint", only.cursor),
                _ => o.null("checkpoint"),
            }
        })
    }
}

impl ShortReconciled<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        document(|o| {
            for group in GROUPS {
                let members = self.mutations.iter().filter(|it| it.told.group() == Some(group));
                o.objects(group.as_str(), members, |o, it| it.write(o, actors));
            }
            if let Some(reset) = self.reset {
                o.object("reset", |o| o.text("reason", reset.as_str()));
            }
            o.objects("changes", &self.changes, |o, change| change.write(o, actors));
            o.text("checkpoint", self.checkpoint);
            o.bool("has_more", self.has_more);
        })
    }
}

impl ToldMutation<'_> {
    fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        self.name.iter().for_each(|name| o.text("client_mutation_id", name));
        self.temp_id.iter().for_each(|id| o.text("temp_id", id));
        self.told.write(o, actors);
    }
}
