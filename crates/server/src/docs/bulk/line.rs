//! The lines of an export of documents: JSON, one document a line.
//!
//! ```json
//! {"format":"syncline-documents","version":1,"documents":3}
//! {"name":"plan","kind":"yjs","commit":12,"bytes":34,"state":"AQEB…"}
//! {"name":"shop","kind":"yjs","commit":3,"error":"broken","message":"the document cannot be read"}
//! {"name":"4NMN…","kind":"automerge","commit":1,"bytes":120,"state":"hW9K…"}
//! {"end":true,"documents":2,"unreadable":1}
//! ```
//!
//! The first line says what comes, and about how many. `state` is the whole document in base64: a Yjs update (V1), or what `save` of
//! automerge writes. The last line says how many came: without it the export was cut off. Members that are not known are left.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use syncline_core::{
    id::{CommitNumber, RoomName},
    limits::DOCUMENT_BYTES_MAX,
    log::Engine,
};

use super::intake::NotTaken;
use crate::docs::kind::Kind;

/// What the first line calls the form of the lines.
const FORMAT: &str = "syncline-documents";
const VERSION: u64 = 1;

/// Longest line, in bytes: the longest document in base64, and what stands beside it.
pub(super) const LINE_BYTES_MAX: usize = DOCUMENT_BYTES_MAX.div_ceil(3) * 4 + (16 << 10);

/// What stands behind the state of a document.
pub(super) const TAIL: &str = "\"}\n";

/// Bytes of a state that are written at once, in base64: a multiple of three, so that the pieces are one text.
pub(super) const PIECE_BYTES: usize = 96 << 10;
const _: () = assert!(PIECE_BYTES.is_multiple_of(3));

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Document {
        name: RoomName,
        engine: Engine,
        state: Bytes,
    },
    /// A document that could not be read when it was exported.
    Unreadable {
        name: RoomName,
    },
    /// The last one.
    End {
        /// How many lines of documents came before it, readable or not.
        lines: u64,
    },
}

/// What is wrong with a line. Who sent it is at fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineFault {
    #[error("the line is not understood: {0}")]
    Json(serde_json::Error),
    #[error("a line has a `name`, a `kind` and a `state`, or ends the export")]
    Shape,
    #[error("a document has a name of 1 to 256 bytes without control characters")]
    Name,
    #[error("`state` is not in base64")]
    Base64,
    #[error("a document has at most {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
}

/// A line that is not understood, with the name that stands in it.
#[derive(Debug)]
pub(super) struct Misread {
    pub(super) name: Option<RoomName>,
    pub(super) fault: LineFault,
}

/// Why lines are no export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoExport {
    /// Their first line is another.
    #[error("this is no export of documents: its first line does not say so")]
    Other,
    /// They are of a later version.
    #[error("the export has version {version}, and only {VERSION} is known")]
    Version {
        /// Which one.
        version: u64,
    },
}

impl LineFault {
    /// Returns the word that stands for it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Shape | Self::Base64 => "bad-request",
            Self::Name => "bad-name",
            Self::TooLong => "too-large",
        }
    }
}

#[derive(Serialize)]
struct First {
    format: &'static str,
    version: u64,
    documents: u64,
}

#[derive(Serialize)]
struct Head<'a> {
    name: &'a str,
    kind: Kind,
    commit: u64,
    bytes: u64,
    state: &'static str,
}

#[derive(Serialize)]
struct Unread<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    error: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct End {
    end: bool,
    documents: u64,
    unreadable: u64,
}

/// A text that is not copied out of the line, unless something is escaped in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What stands in a line. Each kind of line has some of the members.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    format: Option<Text<'a>>,
    version: Option<u64>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    kind: Option<Kind>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(default)]
    end: bool,
    documents: Option<u64>,
    unreadable: Option<u64>,
}

/// Returns the first line, for about so many documents.
pub(super) fn first(documents: u64) -> String {
    written(&First { format: FORMAT, version: VERSION, documents })
}

/// Returns the line of a document up to its state, of which so many bytes follow in base64, and then [`TAIL`].
pub(super) fn head(name: &RoomName, engine: Engine, commit: CommitNumber, bytes: usize) -> String {
    let (name, kind) = (name.as_str(), Kind::from(engine));
    let mut line = written(&Head { name, kind, commit: commit.0, bytes: bytes as u64, state: "" });
    // The state stands where an empty one does now.
    line.truncate(line.len() - TAIL.len());
    line
}

/// Returns the line of a document that cannot be read, of its kind if that is known.
pub(super) fn unreadable(name: &RoomName, engine: Option<Engine>, why: &NotTaken) -> String {
    let NotTaken { code, message } = why;
    written(&Unread { name: name.as_str(), kind: engine.map(Kind::from), error: code, message })
}

/// Returns the last line.
pub(super) fn end(documents: u64, unreadable: u64) -> String {
    written(&End { end: true, documents, unreadable })
}

/// Returns an object as a line.
pub(super) fn written(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("an object of texts and numbers is JSON") + "\n"
}

/// Reads the first line. Returns about how many documents come, if it says so.
pub(super) fn begin(line: &[u8]) -> Result<Option<u64>, NoExport> {
    let members: Members<'_> = serde_json::from_slice(line).map_err(|_| NoExport::Other)?;
    match (members.format, members.version) {
        (Some(Text(format)), Some(VERSION)) if format == FORMAT => Ok(members.documents),
        (Some(Text(format)), Some(version)) if format == FORMAT => Err(NoExport::Version { version }),
        _ => Err(NoExport::Other),
    }
}

/// Reads a line behind the first one.
pub(super) fn read(line: &[u8]) -> Result<Line, Misread> {
    let misread = |name: Option<RoomName>, fault| Misread { name, fault };
    let members: Members<'_> =
        serde_json::from_slice(line).map_err(|error| misread(None, LineFault::Json(error)))?;
    if members.end {
        let [documents, unreadable] = [members.documents, members.unreadable].map(Option::unwrap_or_default);
        return Ok(Line::End { lines: documents.saturating_add(unreadable) });
    }
    let Some(Text(name)) = members.name else { return Err(misread(None, LineFault::Shape)) };
    let name = RoomName::new(&name).map_err(|_| misread(None, LineFault::Name))?;
    if members.error.is_some() {
        return Ok(Line::Unreadable { name });
    }
    let (Some(kind), Some(Text(state))) = (members.kind, members.state) else {
        return Err(misread(Some(name), LineFault::Shape));
    };
    match decoded(&state, DOCUMENT_BYTES_MAX) {
        Ok(state) => Ok(Line::Document { name, engine: kind.into(), state }),
        Err(fault) => Err(misread(Some(name), fault)),
    }
}

fn decoded(state: &str, bytes_max: usize) -> Result<Bytes, LineFault> {
    // Padding makes it look two bytes longer than it is, at most.
    if state.len() / 4 * 3 > bytes_max + 2 {
        return Err(LineFault::TooLong);
    }
    let state = BASE64.decode(state.as_bytes()).map_err(|_| LineFault::Base64)?;
    if state.len() > bytes_max { Err(LineFault::TooLong) } else { Ok(state.into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> RoomName {
        RoomName::new(text).expect("a name")
    }

    fn document(name: &RoomName, engine: Engine, state: &[u8]) -> String {
        let pieces: String = state.chunks(PIECE_BYTES).map(|piece| BASE64.encode(piece)).collect();
        head(name, engine, CommitNumber(12), state.len()) + &pieces + TAIL
    }

    #[test]
    fn lines_are_written_as_they_are_described() {
        let plan = name("a \"plan\"");
        assert_eq!(first(3), "{\"format\":\"syncline-documents\",\"version\":1,\"documents\":3}\n");
        assert_eq!(
            document(&plan, Engine::Yjs, b"\x01\x02"),
            "{\"name\":\"a \\\"plan\\\"\",\"kind\":\"yjs\",\"commit\":12,\"bytes\":2,\"state\":\"AQI=\"}\n"
        );
        let why = NotTaken { code: "broken", message: "why".to_owned() };
        assert_eq!(
            unreadable(&plan, Some(Engine::Automerge), &why),
            "{\"name\":\"a \\\"plan\\\"\",\"kind\":\"automerge\",\"error\":\"broken\",\"message\":\"why\"}\n"
        );
        assert_eq!(
            unreadable(&plan, None, &why),
            "{\"name\":\"a \\\"plan\\\"\",\"error\":\"broken\",\"message\":\"why\"}\n"
        );
        assert_eq!(end(2, 1), "{\"end\":true,\"documents\":2,\"unreadable\":1}\n");
    }

    #[test]
    fn what_is_no_line_is_told_with_the_name_in_it() {
        let check = |line: &str, code: &str, name: Option<&str>| {
            let misread = read(line.as_bytes()).expect_err("it is none");
            let told = (misread.fault.code(), misread.name.as_ref().map(RoomName::as_str));
            assert_eq!(told, (code, name), "{line}: {}", misread.fault);
        };
        check("", "bad-request", None);
        check("[]", "bad-request", None);
        check("{}", "bad-request", None);
        check(r#"{"name":"a","name":"b"}"#, "bad-request", None);
        check(r#"{"name":""}"#, "bad-name", None);
        check(r#"{"name":"a\n","kind":"yjs","state":""}"#, "bad-name", None);
        check(r#"{"name":"a","kind":"verse","state":""}"#, "bad-request", None);
        check(r#"{"name":"a","state":""}"#, "bad-request", Some("a"));
        check(r#"{"name":"a","kind":"yjs"}"#, "bad-request", Some("a"));
        check(r#"{"name":"a","kind":"yjs","state":"AQI"}"#, "bad-request", Some("a"));
        check(r#"{"name":"a","kind":"yjs","state":"A Q="}"#, "bad-request", Some("a"));
        check(&"[".repeat(100_000), "bad-request", None);
        let more = "x".repeat(50);
        let line = format!(r#"{{"more":["{more}"],"name":"a","kind":"yjs","state":"AQI="}}"#);
        assert!(read(line.as_bytes()).is_ok(), "what is not known is left");
    }

    #[test]
    fn a_document_is_as_long_as_one_may_be() {
        let longest = name(&"\"".repeat(256));
        let beside = head(&longest, Engine::Automerge, CommitNumber(u64::MAX), DOCUMENT_BYTES_MAX);
        assert!(beside.len() + BASE64.encode_len(DOCUMENT_BYTES_MAX) + TAIL.len() <= LINE_BYTES_MAX);
        for bytes in 0..12_usize {
            let state = BASE64.encode(&vec![7; bytes]);
            match decoded(&state, 9) {
                Ok(decoded) => assert_eq!((decoded.len(), bytes <= 9), (bytes, true)),
                Err(fault) => assert!(bytes > 9 && matches!(fault, LineFault::TooLong), "{bytes}: {fault}"),
            }
        }
    }

    #[test]
    fn other_lines_begin_no_export() {
        assert_eq!(begin(first(3).trim_end().as_bytes()), Ok(Some(3)));
        assert_eq!(begin(br#"{"format":"syncline-documents","version":1}"#), Ok(None));
        let later = NoExport::Version { version: 2 };
        assert_eq!(begin(br#"{"format":"syncline-documents","version":2}"#), Err(later));
        for other in ["", "{}", "{\"format\":1,\"version\":1}", "{\"format\":\"x\",\"version\":1}"] {
            assert_eq!(begin(other.as_bytes()), Err(NoExport::Other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(
            text in "\\PC{1,60}",
            state in prop::collection::vec(any::<u8>(), 0..99),
            is_yjs in any::<bool>(),
        ) {
            let engine = if is_yjs { Engine::Yjs } else { Engine::Automerge };
            let Ok(name) = RoomName::new(&text) else { return Ok(()) };
            let line = document(&name, engine, &state);
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
            let read_line = read(line.as_bytes()).expect("it was written");
            prop_assert_eq!(read_line, Line::Document { name: name.clone(), engine, state: state.into() });
            let why = NotTaken { code: "broken", message: text };
            let engine = is_yjs.then_some(engine);
            let read_line = read(unreadable(&name, engine, &why).as_bytes()).expect("it was written");
            prop_assert_eq!(read_line, Line::Unreadable { name });
        }

        /// No bytes make the reader fail in another way than by saying so.
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let _ = (read(&bytes), begin(&bytes));
        }
    }
}
