//! Every operation of `/docs/v1`.

use axum::{
    http::Method,
    routing::{delete, get, patch, post, put},
};
use serde_json::{Value, json};

use super::{
    branches, bulk, content, copy, delete as deletion, edit, events, hooks, links::LINKS, list, past,
    schemas, versions,
};
use crate::openapi::{Api, Content, Operation, PROBLEM, Parameter, Refused, Word, of_signature};

pub(super) const API: Api<Word> = Api {
    base: "/docs/v1",
    title: "Syncline: /docs/v1",
    about: "Documents, for programs that are no editors. What each member means is told in docs/documents.md.",
    is_for_bearers: false,
    operations: OPERATIONS,
    links: LINKS,
    schemas: schemas::all,
    of_path: schemas::of_path,
    of_query: schemas::of_query,
    headers,
    answer_headers,
    refusals,
};

/// It is to be erased by `/sync/v1`.
const IS_ENTITY: Word = (409, "is-entity");
/// The name is not used again.
const DELETED: Word = (410, "deleted");
const UNKNOWN_VERSION: Word = (404, "unknown-version");
const UNKNOWN_HOOK: Word = (404, "unknown-hook");
const CHANGED: Word = (412, "changed");
const TAKEN: Word = (409, "name-taken");
const UNRELATED: Word = (409, "not-a-branch");
/// Reading what was.
const NOT_KEPT: Word = (410, "not-kept");
const TOO_LONG: Word = (507, "history-too-long");
/// The room of the document is asked.
const ROOMS: Word = (429, "tenant-rooms");
/// Something is written.
const TOO_LARGE: Word = (413, "too-large");
const IMPOSSIBLE: Word = (422, "impossible-edit");
/// The document is of the other kind.
const OTHER_KIND: Word = (409, "other-kind");
const REFUSED: Word = (422, "refused-update");
const FULL: Word = (507, "storage-full");
const BAD_REQUEST: Word = (400, "bad-request");

/// A connection stays open.
const CONNECTIONS: Word = (429, "too-many-connections");
const OVERLOADED: Word = (503, "overloaded");

const TOO_FAST: &str = "too-many-requests";

const fn may(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, required: false, repeats: false, summary }
}

const LETTER: Parameter = may("id", "The dead letter that is meant. If nothing is said, all of the tenant.");

const OPERATIONS: &[Operation<Word>] = &[
    Operation {
        method: Method::GET,
        path: "/documents",
        id: "listDocuments",
        summary: "Lists the documents that the caller may read, in order of their names.",
        query: &[
            may("prefix", "What their names begin with."),
            may("after", "The name after which to go on: `next` of the page before."),
            may("limit", "How many; 128 at most, and if nothing is said."),
        ],
        body: &[],
        answers: &[(200, Content::Json("Documents"))],
        codes: &[(400, "bad-name")],
        serve: || get(list::list),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}",
        id: "readDocument",
        summary: "Returns what a document holds, or held.",
        query: &[
            may("format", "json (if nothing is said), text, markdown, update, state-vector or automerge."),
            may(
                "root",
                "The root type that is wanted as text, or as Markdown if several are rich text; or the path of a text in an Automerge document.",
            ),
            may("commit", "The state after this commit."),
            may("at", "The state at this time."),
            may("version", "The state that this version shows."),
        ],
        body: &[],
        answers: &[
            (200, Content::Json("Any")),
            (200, Content::Text),
            (200, Content::Markdown),
            (200, Content::Bytes),
            (304, Content::Nothing),
        ],
        codes: &[UNKNOWN_VERSION, OTHER_KIND, NOT_KEPT, ROOMS, TOO_LARGE, TOO_LONG],
        serve: || get(content::read),
    },
    Operation {
        method: Method::PUT,
        path: "/documents/{name}",
        id: "createDocument",
        summary: "Creates a document, unless there is one: then nothing of it changes.",
        query: &[],
        body: &[Content::Json("Seed"), Content::Bytes],
        answers: &[(200, Content::Json("Created")), (201, Content::Json("Created"))],
        codes: &[DELETED, ROOMS, OTHER_KIND, TOO_LARGE, IMPOSSIBLE, REFUSED, FULL],
        serve: || put(edit::create),
    },
    Operation {
        method: Method::PATCH,
        path: "/documents/{name}",
        id: "editDocument",
        summary: "Makes edits, all or none.",
        query: &[],
        body: &[Content::Json("Edits")],
        answers: &[(200, Content::Json("Changed"))],
        codes: &[CHANGED, ROOMS, OTHER_KIND, TOO_LARGE, IMPOSSIBLE, REFUSED, FULL],
        serve: || patch(edit::patch),
    },
    Operation {
        method: Method::DELETE,
        path: "/documents/{name}",
        id: "deleteDocument",
        summary: "Deletes a document for good, for an administrator of it: everyone who has it open is closed.",
        query: &[],
        body: &[],
        answers: &[(204, Content::Nothing)],
        codes: &[IS_ENTITY, CHANGED],
        serve: || delete(deletion::delete),
    },
    Operation {
        method: Method::POST,
        path: "/documents/{name}/copy",
        id: "copyDocument",
        summary: "Creates a document that begins with what this one holds, or held, unless there is one of that name.",
        query: &[],
        body: &[Content::Json("Copy")],
        answers: &[(200, Content::Json("Created")), (201, Content::Json("Created"))],
        codes: &[
            UNKNOWN_VERSION,
            OTHER_KIND,
            NOT_KEPT,
            DELETED,
            ROOMS,
            TOO_LARGE,
            IMPOSSIBLE,
            REFUSED,
            FULL,
            TOO_LONG,
        ],
        serve: || post(copy::copy),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/events",
        id: "followDocument",
        summary: "Tells of each change of the document as it comes, and ends with its deletion.",
        query: &[may(
            "after",
            "The commit after which to tell; `Last-Event-ID` says the same. If nothing is said, from now on.",
        )],
        body: &[],
        answers: &[(200, Content::Events)],
        codes: &[CONNECTIONS, OVERLOADED],
        serve: || get(events::of_one),
    },
    Operation {
        method: Method::GET,
        path: "/events",
        id: "followDocuments",
        summary: "Tells of each change and each deletion of the documents that the caller may read, as it comes.",
        query: &[
            may("prefix", "What their names begin with."),
            may(
                "after",
                "The event after which to tell; `Last-Event-ID` says the same. If nothing is said, from now on.",
            ),
        ],
        body: &[],
        answers: &[(200, Content::Events)],
        codes: &[CONNECTIONS, OVERLOADED],
        serve: || get(events::of_many),
    },
    Operation {
        method: Method::GET,
        path: "/export",
        id: "exportDocuments",
        summary: "Returns all documents that the caller may read, in order of their names, a line each. The last line says that it is whole.",
        query: &[
            may("prefix", "What their names begin with."),
            may("after", "The name behind which to go on, if an export was cut off."),
        ],
        body: &[],
        answers: &[(200, Content::Lines("ExportedLine"))],
        codes: &[(400, "bad-name"), CONNECTIONS, OVERLOADED],
        serve: || get(bulk::export),
    },
    Operation {
        method: Method::POST,
        path: "/import",
        id: "importDocuments",
        summary: "Creates the documents of an export, and adds to those that are there what they lack. Each line is answered by one as soon as it is done.",
        query: &[may(
            "existing",
            "What becomes of documents that are there: merge (if nothing is said), skip or fail.",
        )],
        body: &[Content::Lines("ExportedLine")],
        answers: &[(200, Content::Lines("ImportedLine"))],
        codes: &[CONNECTIONS, OVERLOADED],
        serve: || post(bulk::import),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/history",
        id: "readHistory",
        summary: "Tells who worked on the document when.",
        query: &[may(
            "pause",
            "A session ends where nobody wrote for so many minutes; 10 if nothing is said.",
        )],
        body: &[],
        answers: &[(200, Content::Json("History"))],
        codes: &[TOO_LONG],
        serve: || get(past::history),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/authors",
        id: "readAuthors",
        summary: "Tells who wrote what stands in the texts of the document.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("Authors"))],
        codes: &[TOO_LONG],
        serve: || get(past::authors),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/diff",
        id: "compareStates",
        summary: "Tells what differs between two states of the document.",
        query: &[
            may("from", "The state before: after this commit."),
            may("from_at", "The state before: at this time."),
            may("from_version", "The state before: that of this version."),
            may("to", "The state behind: after this commit. The newest, if nothing is said."),
            may("to_at", "The state behind: at this time."),
            may("to_version", "The state behind: that of this version."),
        ],
        body: &[],
        answers: &[(200, Content::Json("Diff"))],
        codes: &[UNKNOWN_VERSION, OTHER_KIND, NOT_KEPT, ROOMS, TOO_LARGE, TOO_LONG],
        serve: || get(past::diff),
    },
    Operation {
        method: Method::POST,
        path: "/documents/{name}/restore",
        id: "restoreDocument",
        summary: "Brings the document to what it was, by a new change: nothing is rewound.",
        query: &[],
        body: &[Content::Json("When")],
        answers: &[(200, Content::Json("Changed"))],
        codes: &[
            UNKNOWN_VERSION,
            OTHER_KIND,
            NOT_KEPT,
            CHANGED,
            ROOMS,
            TOO_LARGE,
            IMPOSSIBLE,
            REFUSED,
            FULL,
            TOO_LONG,
        ],
        serve: || post(past::restore),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/branches",
        id: "listBranches",
        summary: "Tells where the document comes from, and which branches it has.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("Branches"))],
        codes: &[],
        serve: || get(branches::list),
    },
    Operation {
        method: Method::POST,
        path: "/documents/{name}/branches",
        id: "createBranch",
        summary: "Creates a document that begins with a state of this one, so that it can be merged into it.",
        query: &[],
        body: &[Content::Json("NewBranch")],
        answers: &[(201, Content::Json("Branch"))],
        codes: &[
            UNKNOWN_VERSION,
            NOT_KEPT,
            DELETED,
            OTHER_KIND,
            TAKEN,
            ROOMS,
            TOO_LARGE,
            IMPOSSIBLE,
            REFUSED,
            FULL,
            TOO_LONG,
        ],
        serve: || post(branches::create),
    },
    Operation {
        method: Method::POST,
        path: "/documents/{name}/merge",
        id: "mergeBranch",
        summary: "Brings what a branch holds into the document, by a new change.",
        query: &[may("dry_run", "Whether to tell only what would change.")],
        body: &[Content::Json("From")],
        answers: &[(200, Content::Json("Merged"))],
        codes: &[UNRELATED, OTHER_KIND, CHANGED, ROOMS, TOO_LARGE, REFUSED, FULL],
        serve: || post(branches::merge),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/versions",
        id: "listVersions",
        summary: "Lists the states that were given a name.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("Versions"))],
        codes: &[],
        serve: || get(versions::list),
    },
    Operation {
        method: Method::POST,
        path: "/documents/{name}/versions",
        id: "createVersion",
        summary: "Gives a state a name. It stays, whatever retention says.",
        query: &[],
        body: &[Content::Json("NamedState")],
        answers: &[(201, Content::Json("Version"))],
        codes: &[UNKNOWN_VERSION, NOT_KEPT, ROOMS, IMPOSSIBLE, TOO_LONG],
        serve: || post(versions::create),
    },
    Operation {
        method: Method::GET,
        path: "/documents/{name}/versions/{version}",
        id: "readVersion",
        summary: "Returns the state of a version in the bytes of its kind: a Yjs update (V1), or an Automerge document.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Bytes)],
        codes: &[UNKNOWN_VERSION],
        serve: || get(versions::read),
    },
    Operation {
        method: Method::DELETE,
        path: "/documents/{name}/versions/{version}",
        id: "deleteVersion",
        summary: "Forgets a version, for an administrator of the document.",
        query: &[],
        body: &[],
        answers: &[(204, Content::Nothing)],
        codes: &[UNKNOWN_VERSION],
        serve: || delete(versions::delete),
    },
    Operation {
        method: Method::GET,
        path: "/hooks",
        id: "listHooks",
        summary: "Lists the applications that are told of documents, for an administrator of the server.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("Hooks"))],
        codes: &[],
        serve: || get(hooks::list),
    },
    Operation {
        method: Method::GET,
        path: "/hooks/{hook}/dead",
        id: "listDeadLetters",
        summary: "Lists what an application could not be told, the oldest first, for an administrator of the server.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("DeadLetters"))],
        codes: &[UNKNOWN_HOOK],
        serve: || get(hooks::dead),
    },
    Operation {
        method: Method::DELETE,
        path: "/hooks/{hook}/dead",
        id: "dropDeadLetters",
        summary: "Forgets what an application could not be told, for an administrator of the server.",
        query: &[LETTER],
        body: &[],
        answers: &[(200, Content::Json("Count"))],
        codes: &[UNKNOWN_HOOK],
        serve: || delete(hooks::drop_dead),
    },
    Operation {
        method: Method::POST,
        path: "/hooks/{hook}/retry",
        id: "retryDeadLetters",
        summary: "Tells an application once more what it could not be told, for an administrator of the server.",
        query: &[LETTER],
        body: &[],
        answers: &[(200, Content::Json("Count"))],
        codes: &[UNKNOWN_HOOK],
        serve: || post(hooks::retry),
    },
];

/// Everyone may say who they are, and whoever may be told that nothing, or something, has changed says what they know.
fn headers(operation: &Operation<Word>) -> Vec<Value> {
    let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "required": false, "description": about, "schema": { "type": "string" } });
    let reads = operation.answers.iter().any(|(status, _)| *status == 304);
    let writes = operation.codes.contains(&CHANGED);
    let follows = operation.answers.iter().any(|(_, content)| matches!(content, Content::Events));
    let follows = follows.then(|| header("Last-Event-ID", "The `id` of the last event that was heard."));
    let reads = reads.then(|| header("If-None-Match", "The `ETag` of what the caller has."));
    let writes = writes.then(|| header("If-Match", "The `ETag` of the document that is to be changed."));
    let user = header("Sync-User", "Who asks, where no token is asked for.");
    reads.into_iter().chain(writes).chain(follows).chain([user]).collect()
}

/// Whoever reads a document is told which revision it has.
fn answer_headers(operation: &Operation<Word>, status: u16) -> Option<Value> {
    let reads = operation.answers.iter().any(|(status, _)| *status == 304);
    let tag = || json!({ "ETag": { "description": "The document and its revision.", "schema": { "type": "string" } } });
    (reads && matches!(status, 200 | 304)).then(tag)
}

fn refusals(operation: &Operation<Word>) -> Vec<Refused> {
    let common = [
        BAD_REQUEST,
        (401, "unauthorized"),
        (403, "origin-not-allowed"),
        (403, "not-local"),
        (429, TOO_FAST),
        (500, "broken"),
        (503, "unavailable"),
        (507, "too-many-tenants"),
    ];
    let of_name = [(400, "bad-name"), (404, "unknown-document")];
    let named = operation.path.contains("{name}").then_some(of_name).into_iter().flatten();
    let long = (!operation.body.is_empty()).then_some(TOO_LARGE);
    let all = common.into_iter().chain(named).chain(long).chain(operation.codes.iter().copied());
    let refused = |(status, code): Word| {
        let is_problem = code == TOO_FAST;
        let (media, schema) = if is_problem { (PROBLEM, "Problem") } else { ("application/json", "Refusal") };
        Refused { status, code, media, schema }
    };
    all.map(refused).chain(of_signature(!operation.body.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::{check_links, check_references, check_that_nothing_is_null};

    #[test]
    fn the_description_is_whole() {
        check_that_nothing_is_null(&API);
        check_references(&API);
        check_links(&API);
    }

    /// Whoever goes from link to link comes to all that can be done about hooks.
    #[test]
    fn links_lead_to_what_is_done_about_a_hook() {
        for operation in OPERATIONS.iter().filter(|operation| operation.path.contains("{hook}")) {
            assert!(LINKS.iter().any(|link| link.to == operation.id), "{} is not reached", operation.id);
        }
    }
}
