//! Reads what was exported, line by line.

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use syncline_core::entity::{EntityKey, TypeName};
use syncline_core::limits::DOCUMENT_BYTES_MAX;

use super::export::{Attached, FORMAT};
use super::fault::Faults;
use super::json::{Json, Node};
use super::read::{self, Read, RequestError, entity_id, expected, map, may, need};
use super::value::values;
use crate::ledger::Import;

/// Longest document in an export, as one update, in bytes: no room takes in a longer one.
const BYTES_MAX: u64 = 2 * DOCUMENT_BYTES_MAX as u64;

/// Reads an export. Lines come in their order, without their ends.
#[derive(Clone, Debug, Default)]
pub struct ImportReader {
    hasher: Sha256,
    lines: u64,
    records: u64,
    /// What is to come of the document of the last record, in bytes.
    owed: u64,
    place: Place,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportLine {
    /// The types with their forms, as they are written.
    Types(Vec<(TypeName, String)>),
    /// A record, and what comes behind it.
    Record(Import, Attached),
    /// The next bytes of the document of the last record.
    Piece {
        /// What they are.
        bytes: Vec<u8>,
        /// Whether the document is whole with them.
        is_last: bool,
    },
    /// All lines before were as they were written, and there is no other.
    End,
}

/// Why lines are no export. Who sent them is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A line is not what it is to be.
    #[error("line {line} is none of an export: {source}")]
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong with it.
        source: RequestError,
    },
    /// The lines have another form.
    #[error("the export has the format {format}, and only 1 is known")]
    Format {
        /// That form.
        format: u64,
    },
    /// A document is longer than any room takes.
    #[error("line {line}: the document has {bytes} bytes (at most {BYTES_MAX} are taken)")]
    TooLong {
        /// The number of the line, counted from 1.
        line: u64,
        /// So long it is.
        bytes: u64,
    },
    /// The last line does not fit those before it.
    #[error("the export is not the one that was written: its last line does not fit the lines before it")]
    Changed,
    /// Something comes behind the last line.
    #[error("line {line} comes behind the last line of the export")]
    Behind {
        /// Its number, counted from 1.
        line: u64,
    },
    /// The last line is missing.
    #[error("the export is not whole: its last line is missing")]
    Unfinished,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    First,
    Within,
    Behind,
}

impl ImportReader {
    /// Reads the next line.
    ///
    /// # Errors
    /// [`ImportError`] says what is wrong with it; all that comes after it is to be left.
    pub fn read(&mut self, line: &[u8]) -> Result<ImportLine, ImportError> {
        self.lines = self.lines.saturating_add(1);
        let number = self.lines;
        let at_line = |source| ImportError::Line { line: number, source };
        let json = Json::parse(line).map_err(|error| at_line(error.into()))?;
        let node = map(json.root()).map_err(at_line)?;
        let read = match self.place {
            Place::First => {
                let format = need(node, "format", read::number).map_err(at_line)?;
                if format != FORMAT {
                    return Err(ImportError::Format { format });
                }
                self.place = Place::Within;
                ImportLine::Types(types(node).map_err(at_line)?)
            }
            Place::Within if self.owed > 0 => {
                let bytes = need(node, "update", |update| piece(update, self.owed)).map_err(at_line)?;
                self.owed -= bytes.len() as u64;
                ImportLine::Piece { bytes, is_last: self.owed == 0 }
            }
            Place::Within if node.member("sha256").is_some() => {
                let (hash, records) = end(node).map_err(at_line)?;
                if hash != HEXLOWER.encode(&self.hasher.finalize_reset()) || records != self.records {
                    return Err(ImportError::Changed);
                }
                self.place = Place::Behind;
                ImportLine::End
            }
            Place::Within => {
                self.records = self.records.saturating_add(1);
                let (record, attached) = record(node).map_err(at_line)?;
                if let Attached::Document { bytes } = attached {
                    if bytes > BYTES_MAX {
                        return Err(ImportError::TooLong { line: number, bytes });
                    }
                    self.owed = bytes;
                }
                ImportLine::Record(record, attached)
            }
            Place::Behind => return Err(ImportError::Behind { line: number }),
        };
        self.hasher.update(line);
        self.hasher.update(b"\n");
        Ok(read)
    }

    /// Returns how many lines were read.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Checks that the last line has come.
    ///
    /// # Errors
    /// [`ImportError::Unfinished`].
    pub const fn finish(&self) -> Result<(), ImportError> {
        match self.place {
            Place::Behind => Ok(()),
            Place::First | Place::Within => Err(ImportError::Unfinished),
        }
    }
}

fn types(node: Node<'_>) -> Read<Vec<(TypeName, String)>> {
    let forms = need(node, "types", map)?.members().map(|(name, form)| {
        let name = TypeName::new(&name).map_err(|_| expected(form, "the form of a type, by its name"))?;
        Ok((name, form.raw().to_owned()))
    });
    forms.collect()
}

fn end(node: Node<'_>) -> Read<(String, u64)> {
    Ok((need(node, "sha256", read::string)?, need(node, "records", read::number)?))
}

fn record(node: Node<'_>) -> Read<(Import, Attached)> {
    let kind = need(node, "type", read::type_name)?;
    let id = need(node, "id", |id| entity_id(&read::text(id)?, id))?;
    let is_deleted = may(node, "deleted", read::flag)?.unwrap_or(false);
    let data = if is_deleted { None } else { Some(need(node, "data", data)?) };
    let attached = may(node, "document", attached)?.unwrap_or_default();
    if is_deleted && attached != Attached::Nothing {
        return Err(expected(node, "no document of a deleted record"));
    }
    let (hlc, schema_v) = (need(node, "hlc", read::hlc)?, need(node, "schema_v", read::short)?);
    Ok((Import { key: EntityKey { kind, id }, data, hlc, schema_v }, attached))
}

fn attached(node: Node<'_>) -> Read<Attached> {
    if may(node, "unreadable", read::flag)?.unwrap_or(false) {
        return Ok(Attached::Unreadable);
    }
    let bytes = need(node, "bytes", read::number)?;
    if bytes == 0 {
        Err(expected(node, "a length of 1 byte at least"))
    } else {
        Ok(Attached::Document { bytes })
    }
}

/// Reads some of the `owed` bytes of a document.
fn piece(node: Node<'_>, owed: u64) -> Read<Vec<u8>> {
    let text = read::text(node)?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| expected(node, "bytes in base64"))?;
    let fits = (1..=owed).contains(&(bytes.len() as u64));
    if fits { Ok(bytes) } else { Err(expected(node, "as many bytes as the document has")) }
}

fn data(node: Node<'_>) -> Read<syncline_core::entity::Values> {
    let mut faults = Faults::of(node);
    let values = values(map(node)?, &mut faults);
    if faults.is_empty() { Ok(values) } else { Err(expected(node, "fields with values")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use syncline_core::clock::{Dot, HybridTime, ReplicaId};
    use syncline_core::entity::{
        ActorName, Actors, Change, Decimal, EntityId, Epoch, FieldName, Life, Sequence, Stamp, Value,
    };

    use super::*;
    use crate::wire::sync_v1::{Export, Manifest};

    fn written(ids: &[(u8, Option<i64>)]) -> String {
        let (mut export, mut actors, mut out) = (Export::default(), Actors::new(), String::new());
        actors.number(&ActorName::new("till").expect("a name"));
        let types = [("stock".to_owned(), r#"{"policy":"lww"}"#.to_owned())];
        let records = ids.len() as u64;
        export.begin(Manifest { epoch: Epoch(1), as_of: Sequence(9), types: &types, records }, &mut out);
        for (id, value) in ids {
            let stamp = Stamp { hlc: HybridTime::from_bits(7), dot: Dot::new(ReplicaId(0), 4) };
            let document = value_bytes(*value);
            let mut change = Change::new(stamp, if value.is_some() { Life::Begins } else { Life::Ends });
            let value =
                value.map(|value| Value::Number(Decimal::parse(&value.to_string()).expect("a number")));
            let field = FieldName::new("qty\"").expect("a name");
            change.fields.extend(value.map(|value| (field, (Some(value), stamp.hlc))));
            let record = change.applied_to(None);
            match document {
                None => export.record(&key(*id), &record, &actors, Attached::Nothing, &mut out),
                Some(bytes) => {
                    let attached = Attached::Document { bytes: bytes.len() as u64 };
                    export.record(&key(*id), &record, &actors, attached, &mut out);
                    bytes.chunks(5).for_each(|piece| export.piece(piece, &mut out));
                }
            }
        }
        export.end(&mut out);
        out
    }

    /// Every third record has a document, whose bytes these are.
    fn value_bytes(value: Option<i64>) -> Option<[u8; 8]> {
        value.filter(|value| value % 3 == 0).map(i64::to_be_bytes)
    }

    fn key(id: u8) -> EntityKey {
        let kind = TypeName::new("stock").expect("a name");
        EntityKey { kind, id: EntityId::new(&format!("s{id}")).expect("an id") }
    }

    fn read_all(text: &[u8]) -> Result<Vec<ImportLine>, ImportError> {
        let mut reader = ImportReader::default();
        let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
        let read = lines.map(|line| reader.read(line)).collect::<Result<Vec<_>, _>>()?;
        reader.finish().map(|()| read)
    }

    #[test]
    fn lines_are_written_as_they_are_described() {
        assert_eq!(
            written(&[(1, Some(-3)), (2, None)]),
            concat!(
                r#"{"format":1,"epoch":"1","as_of":"9","types":{"stock":{"policy":"lww"}},"records":2}"#, "\n",
                r#"{"type":"stock","id":"s1","ver":"1","data":{"qty\"":-3},"hlc":"0000000000000007","dot":["till","4"],"schema_v":0,"document":{"bytes":8}}"#, "\n",
                r#"{"update":"//////8="}"#, "\n",
                r#"{"update":"///9"}"#, "\n",
                r#"{"type":"stock","id":"s2","ver":"1","deleted":true,"hlc":"0000000000000007","dot":["till","4"],"schema_v":0}"#, "\n",
                r#"{"sha256":"HASH","records":2}"#, "\n",
            )
            .replace("HASH", &hash(&written(&[(1, Some(-3)), (2, None)])))
        );
    }

    /// SHA-256 over all lines but the last.
    fn hash(text: &str) -> String {
        let before = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
        HEXLOWER.encode(&Sha256::digest(&text[..before]))
    }

    #[test]
    fn what_is_no_export_is_refused() {
        let check = |text: &str, want: fn(&ImportError) -> bool| {
            let error = read_all(text.as_bytes()).expect_err("it is none");
            assert!(want(&error), "{text}: {error}");
        };
        let whole = written(&[(1, Some(2))]);
        check("", |error| matches!(error, ImportError::Line { line: 1, .. }));
        check(&whole.replace(r#""format":1"#, r#""format":2"#), |error| {
            matches!(error, ImportError::Format { format: 2 })
        });
        check(&whole.replace(":2}", ":2e999999}"), |error| {
            matches!(error, ImportError::Line { line: 2, .. })
        });
        check(&whole.replace("s1", "no id"), |error| matches!(error, ImportError::Line { line: 2, .. }));
        check(&whole.replace("\"s1\"", "\"s2\""), |error| *error == ImportError::Changed);
        check(&format!("{whole}{{}}\n"), |error| *error == ImportError::Behind { line: 4 });
        let document = written(&[(1, Some(3))]);
        check(&document.replace("\"bytes\":8", "\"bytes\":7"), |error| {
            matches!(error, ImportError::Line { line: 4, .. })
        });
        check(&document.replace("\"bytes\":8", "\"bytes\":9"), |error| {
            matches!(error, ImportError::Line { line: 5, .. })
        });
        check(&document.replace("\"bytes\":8", "\"bytes\":0"), |error| {
            matches!(error, ImportError::Line { line: 2, .. })
        });
        check(&document.replace("\"bytes\":8", "\"bytes\":134217729"), |error| {
            matches!(error, ImportError::TooLong { line: 2, bytes: 134_217_729 })
        });
        check(&document.replace("\"update\":\"", "\"update\":\"*"), |error| {
            matches!(error, ImportError::Line { line: 3, .. })
        });
        let gone = document.replace("\"data\"", "\"deleted\":true,\"data\"");
        check(&gone, |error| matches!(error, ImportError::Line { line: 2, .. }));
        let cut = whole.trim_end().rfind('\n').expect("three lines");
        check(&whole[..cut], |error| *error == ImportError::Unfinished);
    }

    proptest! {
        /// What is written is read; and no byte of it can change without that being noticed.
        #[test]
        fn an_export_is_read_as_it_was_written(
            ids in prop::collection::vec((any::<u8>(), any::<Option<i64>>()), 0..6),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let text = written(&ids);
            let read = read_all(text.as_bytes()).expect("it was written");
            let mut lines = read[1..].iter();
            for (id, value) in &ids {
                let line = lines.next();
                let Some(ImportLine::Record(record, attached)) = line else { panic!("{line:?}") };
                prop_assert_eq!((&record.key, record.data.is_some()), (&key(*id), value.is_some()));
                let Some(bytes) = value_bytes(*value) else { continue };
                prop_assert_eq!(*attached, Attached::Document { bytes: 8 });
                let pieces = [(&bytes[..5], false), (&bytes[5..], true)];
                for (bytes, is_last) in pieces {
                    prop_assert_eq!(lines.next(), Some(&ImportLine::Piece { bytes: bytes.to_vec(), is_last }));
                }
            }
            prop_assert_eq!(lines.collect::<Vec<_>>(), [&ImportLine::End]);
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len() - 1);
            bytes[at] ^= flip;
            prop_assert!(read_all(&bytes).is_err(), "byte {}", at);
        }
    }
}
