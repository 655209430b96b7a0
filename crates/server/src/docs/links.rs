//! What answers of `/docs/v1` tell that other operations take.

use crate::openapi::{Link, Taken};

/// The name of the document that was asked for.
const SAME: Taken = ("name", "$request.path.name");
/// The hook that was asked about, and its oldest dead letter.
const OLDEST_LETTER: &[Taken] = &[("hook", "$request.path.hook"), ("id", "$response.body#/dead/0/id")];
/// The version that was made.
const NEW_VERSION: &[Taken] = &[SAME, ("version", "$response.body#/version")];

const CREATED: (&str, u16) = ("createDocument", 201);
const READ: (&str, u16) = ("readDocument", 200);
const HISTORY: (&str, u16) = ("readHistory", 200);
const VERSION: (&str, u16) = ("createVersion", 201);
const BRANCH: (&str, u16) = ("createBranch", 201);
const LETTERS: (&str, u16) = ("listDeadLetters", 200);

pub(super) const LINKS: &[Link] = &[
    Link {
        from: ("listDocuments", 200),
        to: "readDocument",
        parameters: &[("name", "$response.body#/documents/0/name")],
        body: &[],
    },
    of_same(CREATED, "readDocument"),
    of_same(CREATED, "createDocument"),
    of_same(CREATED, "editDocument"),
    of_same(CREATED, "copyDocument"),
    of_same(CREATED, "readHistory"),
    of_same(CREATED, "readAuthors"),
    of_same(CREATED, "createVersion"),
    of_same(CREATED, "createBranch"),
    of_same(CREATED, "deleteDocument"),
    Link {
        from: READ,
        to: "editDocument",
        parameters: &[SAME, ("If-Match", "$response.header.ETag")],
        body: &[],
    },
    of_same(("editDocument", 200), "readHistory"),
    of_same(("copyDocument", 201), "listBranches"),
    Link {
        from: HISTORY,
        to: "compareStates",
        parameters: &[SAME, ("from", "$response.body#/first"), ("to", "$response.body#/last")],
        body: &[],
    },
    Link {
        from: HISTORY,
        to: "readDocument",
        parameters: &[SAME, ("commit", "$response.body#/sessions/0/last")],
        body: &[],
    },
    Link {
        from: HISTORY,
        to: "restoreDocument",
        parameters: &[SAME],
        body: &[("commit", "$response.body#/sessions/0/first")],
    },
    Link { from: VERSION, to: "readVersion", parameters: NEW_VERSION, body: &[] },
    Link { from: VERSION, to: "deleteVersion", parameters: NEW_VERSION, body: &[] },
    Link {
        from: VERSION,
        to: "restoreDocument",
        parameters: &[SAME],
        body: &[("version", "$response.body#/version")],
    },
    Link {
        from: VERSION,
        to: "compareStates",
        parameters: &[SAME, ("from_version", "$response.body#/version")],
        body: &[],
    },
    of_same(VERSION, "listVersions"),
    Link {
        from: ("listVersions", 200),
        to: "readVersion",
        parameters: &[SAME, ("version", "$response.body#/versions/0/version")],
        body: &[],
    },
    Link { from: BRANCH, to: "mergeBranch", parameters: &[SAME], body: &[("from", "$response.body#/name")] },
    of_same(BRANCH, "listBranches"),
    Link {
        from: ("listBranches", 200),
        to: "mergeBranch",
        parameters: &[SAME],
        body: &[("from", "$response.body#/branches/0/name")],
    },
    Link {
        from: ("listHooks", 200),
        to: "listDeadLetters",
        parameters: &[("hook", "$response.body#/hooks/0/name")],
        body: &[],
    },
    Link { from: LETTERS, to: "retryDeadLetters", parameters: OLDEST_LETTER, body: &[] },
    Link { from: LETTERS, to: "dropDeadLetters", parameters: OLDEST_LETTER, body: &[] },
];

/// What is asked next of the same document.
const fn of_same(from: (&'static str, u16), to: &'static str) -> Link {
    Link { from, to, parameters: &[SAME], body: &[] }
}
