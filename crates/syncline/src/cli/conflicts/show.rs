//! A conflict for people.

use std::io::{self, Write};

use syncline::{
    core::entity::{Actors, conflict::Conflict},
    protocol::{
        ledger::{Comment, ConflictId},
        wire::sync_v1::{conflict_name, conflict_state_text, fields_text, policy_text, time_text, wish_text},
    },
};

use crate::cli::table::Table;

/// Returns the names of the fields that are in conflict.
pub(super) fn fields(conflict: &Conflict) -> String {
    let fields = conflict.draft().fields.iter().map(|field| field.as_str());
    fields.collect::<Vec<_>>().join(",")
}

/// Writes all that there is to know, a line for each thing.
pub(super) fn write(
    out: &mut dyn Write,
    (id, conflict): (ConflictId, &Conflict),
    said: &[Comment],
    actors: &Actors,
) -> io::Result<()> {
    let state = conflict_state_text(conflict.state());
    let mut table = Table::new(["conflict", &conflict_name(id)]);
    let mut line = |name: &str, text: String| table.add([name.to_owned(), text]);
    line("state", format!("{state}, revision {}", conflict.rev()));
    line("type", conflict.entity().kind.to_string());
    line("entity", conflict.entity().id.to_string());
    line("kind", conflict.kind().as_str().to_owned());
    line("policy", policy_text(conflict.policy()).to_owned());
    line("detected", time_text(conflict.detected_at()));
    line("fields", fields(conflict));
    line("base", fields_text(&conflict.draft().base));
    line("server", fields_text(&conflict.draft().standing));
    for (at, candidate) in conflict.candidates().iter().enumerate() {
        let device = actors.name(candidate.stamp.dot.replica).map_or("", |name| name.as_str());
        let at_time = time_text(candidate.stamp.hlc.wall());
        line(&format!("candidate:{at}"), format!("{} by {device} at {at_time}", wish_text(&candidate.wish)));
    }
    if conflict.candidates_beyond() > 0 {
        line("not kept", format!("{} more candidates", conflict.candidates_beyond()));
    }
    for (at, (comment, proposal)) in
        said.iter().filter_map(|it| Some((it, it.proposal.as_ref()?))).enumerate()
    {
        let set = proposal.set.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        let (by, at_time, why) = (&comment.by, time_text(comment.at), &proposal.description);
        line(&format!("option:{at}"), format!("{} asked for by {by} at {at_time}: {why}", fields_text(&set)));
    }
    for other in &conflict.draft().others {
        line("because of", other.to_string());
    }
    conflict.assignee().into_iter().for_each(|assignee| line("assignee", assignee.to_owned()));
    conflict.deadline().into_iter().for_each(|deadline| line("deadline", time_text(deadline)));
    if let Some(resolution) = conflict.resolution() {
        line("closed", time_text(resolution.at));
        resolution.action.iter().for_each(|action| line("chosen", wish_text(action)));
        if let Some(request) = &resolution.request {
            line("by", request.by.clone());
            line("rationale", request.rationale.clone());
        }
    }
    table.write(out)
}

#[cfg(test)]
mod tests {
    use syncline::{
        core::{
            entity::{
                Decimal, EntityId, EntityKey, Epoch, FieldName, Policy, TypeName,
                conflict::{ConflictKind, Draft},
            },
            time::WallMs,
        },
        protocol::ledger::Proposal,
    };

    use super::*;

    /// Whoever settles a conflict sees what was proposed, and because of whom there is one.
    #[test]
    fn options_and_others_are_listed() {
        let key = |id: &str| EntityKey {
            kind: TypeName::new("product").expect("a name"),
            id: EntityId::new(id).expect("an id"),
        };
        let (fields, base, standing, candidates) = Default::default();
        let others = [key("q")].into();
        let draft =
            Draft { kind: ConflictKind::Unique, open: true, fields, base, standing, candidates, others };
        let conflict = Conflict::new(draft, key("p"), Policy::Manual, WallMs(0));
        let set = [(FieldName::new("price").expect("a name"), Decimal::from(24).into())].into();
        let proposal = Some(Proposal { set, description: "a mean".into(), impact: String::new() });
        let said = [
            Comment { by: "bob".into(), text: "hm".into(), at: WallMs(0), proposal: None },
            Comment { by: "ann".into(), text: String::new(), at: WallMs(0), proposal },
        ];
        let mut out = Vec::new();
        write(&mut out, (ConflictId { epoch: Epoch(1), n: 1 }, &conflict), &said, &Actors::default())
            .expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        for line in [
            "option:0    {\"price\":24} asked for by ann at 1970-01-01T00:00:00.000Z: a mean",
            "because of  product/q",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
