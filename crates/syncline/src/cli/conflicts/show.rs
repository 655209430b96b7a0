//! A conflict for people.

use std::io::{self, Write};

use syncline::{
    core::entity::{Actors, conflict::Conflict},
    protocol::{
        ledger::ConflictId,
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
    id: ConflictId,
    conflict: &Conflict,
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
