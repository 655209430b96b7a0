//! Refusals as RFC 9457 writes them: `application/problem+json`.

use syncline_core::entity::conflict::ConflictError;
use syncline_core::entity::{Decimal, Fault, FieldFault, Refusal, RefusalCode, SchemaRange};

use super::code::{Code, Retry};
use super::fault::OpFault;
use super::json::push_step;
use super::read::RequestError;
use super::write::{Object, document};
use crate::ledger::{Deferral, DeferralCode, DeviceRefusal, NumbersError, Refused, SchemaRefusal};

/// Why a request, or an op, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In one word.
    pub code: Code,
    /// What a client does about it.
    pub retry: Retry,
    /// How long it waits before that at least, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What is wrong in this case.
    pub detail: Option<String>,
    /// What is wrong where.
    pub errors: Vec<Wrong>,
    /// Where to pull on.
    pub cursor: Option<String>,
    /// Of a gap: the number that would follow.
    pub expected_n: Option<u64>,
    /// Of a number that was used before: it, and whether its op held something else (`content`) or is `forgotten`.
    pub reused: Option<(u64, &'static str)>,
    /// The greatest number below which all of the device's ops have results.
    pub last_n: Option<u64>,
    /// The least that is taken, of a version.
    pub min: Option<u64>,
    /// The most that is taken, of a version, of ops, of bytes.
    pub max: Option<u64>,
}

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The place, as a JSON pointer from the body or, in the result of an op, from the op.
    pub pointer: String,
    /// In one word.
    pub code: &'static str,
    /// For people.
    pub detail: Option<String>,
    /// The bound that is broken.
    pub bound: Option<Decimal>,
}

impl Problem {
    /// Returns a refusal of which nothing more is to be said.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            retry: code.retry(),
            retry_after_ms: None,
            detail: None,
            errors: Vec::new(),
            cursor: None,
            expected_n: None,
            reused: None,
            last_n: None,
            min: None,
            max: None,
        }
    }

    /// Says what is wrong in this case.
    #[must_use]
    pub fn because(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// Returns the problem of an op that has these faults.
    #[must_use]
    pub fn of_faults(faults: &[OpFault]) -> Self {
        let errors = faults.iter().map(|fault| Wrong {
            pointer: fault.pointer.clone(),
            code: fault.reason.as_str(),
            detail: Some(fault.reason.to_string()),
            bound: None,
        });
        Self { errors: errors.collect(), ..Self::new(Code::ValidationFailed) }
    }

    /// Returns the problem of who uses a version of a schema that is not among these.
    fn of_schema(range: SchemaRange) -> Self {
        let (min, max) = (range.min.map(u64::from), range.max.map(u64::from));
        Self { min, max, ..Self::new(Code::SchemaUnsupported) }
    }

    fn of_reuse(n: u64, reason: &'static str, last: u64) -> Self {
        Self { reused: Some((n, reason)), last_n: Some(last), ..Self::new(Code::SequenceReuse) }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// Returns the body of an answer.
    #[must_use]
    pub fn body(&self, trace_id: Option<&str>) -> String {
        document(|o| {
            self.write_head(o);
            self.write(o);
            trace_id.into_iter().for_each(|trace_id| o.text("trace_id", trace_id));
        })
    }

    pub(super) fn write_head(&self, o: &mut Object<'_>) {
        o.text("type", &format!("urn:syncline:problem:{}", self.code.as_str()));
        o.text("title", self.code.title());
        o.count("status", self.status().into());
    }

    /// Writes what the result of an op says of it, too.
    pub(super) fn write(&self, o: &mut Object<'_>) {
        self.detail.iter().for_each(|detail| o.text("detail", detail));
        o.text("code", self.code.as_str());
        o.text("retry", self.retry.as_str());
        self.retry_after_ms.iter().for_each(|ms| o.count("retry_after_ms", *ms));
        self.cursor.iter().for_each(|cursor| o.text("cursor", cursor));
        if !self.errors.is_empty() {
            o.objects("errors", &self.errors, |o, wrong| wrong.write(o));
        }
        self.expected_n.iter().for_each(|n| o.u64("expected_n", *n));
        if let Some((n, reason)) = self.reused {
            o.u64("n", n);
            o.text("reason", reason);
        }
        self.last_n.iter().for_each(|n| o.u64("last_n", *n));
        self.min.iter().for_each(|min| o.count("min", *min));
        self.max.iter().for_each(|max| o.count("max", *max));
    }
}

impl Wrong {
    fn write(&self, o: &mut Object<'_>) {
        o.text("pointer", &self.pointer);
        o.text("code", self.code);
        self.detail.iter().for_each(|detail| o.text("detail", detail));
        self.bound.iter().for_each(|bound| o.value(self.code, &(*bound).into()));
    }
}

impl From<&RequestError> for Problem {
    fn from(error: &RequestError) -> Self {
        let at = |pointer: &String, code| {
            let wrong =
                Wrong { pointer: pointer.clone(), code, detail: Some(error.to_string()), bound: None };
            Self { errors: vec![wrong], ..Self::new(Code::MalformedRequest) }.because(error)
        };
        match error {
            RequestError::Json(super::JsonError::Duplicate { pointer }) => at(pointer, "duplicate"),
            RequestError::Json(super::JsonError::Malformed(_)) => {
                Self::new(Code::MalformedRequest).because(error)
            }
            RequestError::Shape { pointer, .. } => at(pointer, "shape"),
            RequestError::TooManyOps { max, .. } => {
                Self { max: Some(*max as u64), ..Self::new(Code::TooManyOps) }.because(error)
            }
        }
    }
}

impl From<&Deferral> for Problem {
    fn from(deferral: &Deferral) -> Self {
        let code = match deferral.code {
            DeferralCode::DependencyFailed => Code::DependencyFailed,
            DeferralCode::HandlerUnavailable => Code::HandlerUnavailable,
        };
        Self { retry_after_ms: Some(deferral.retry_after_ms), retry: Retry::After, ..Self::new(code) }
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Self {
        let code = match refused {
            Refused::Numbers(error) => return error.into(),
            Refused::Device(DeviceRefusal::NotBound) => Code::DeviceNotBound,
            Refused::Device(DeviceRefusal::Revoked) => Code::DeviceRevoked,
            Refused::Device(DeviceRefusal::Mismatch) => Code::DeviceMismatch,
            Refused::Device(DeviceRefusal::HasKey) => Code::SignatureRequired,
            Refused::UnknownScope { .. } => Code::UnknownScope,
            Refused::TooLong => Code::ValidationFailed,
        };
        Self::new(code).because(refused)
    }
}

impl From<&SchemaRefusal> for Problem {
    fn from(refusal: &SchemaRefusal) -> Self {
        Self::of_schema(refusal.range).because(refusal)
    }
}

impl From<&NumbersError> for Problem {
    fn from(error: &NumbersError) -> Self {
        let problem = match *error {
            NumbersError::Order { .. } => Self::new(Code::MalformedRequest),
            NumbersError::Gap { expected, .. } => {
                Self { expected_n: Some(expected), ..Self::new(Code::SequenceGap) }
            }
            NumbersError::Reused { n, last } => Self::of_reuse(n, "content", last),
            NumbersError::Forgotten { n, last } => Self::of_reuse(n, "forgotten", last),
            NumbersError::BacklogFull { .. } => Self::new(Code::BacklogFull),
        };
        problem.because(error)
    }
}

impl From<&ConflictError> for Problem {
    fn from(error: &ConflictError) -> Self {
        let code = match error {
            ConflictError::Closed => Code::ConflictAlreadyResolved,
            ConflictError::Stale { .. } => Code::ConflictStale,
            ConflictError::Reused | ConflictError::NoCandidate { .. } | ConflictError::NotAValue | _ => {
                Code::ValidationFailed
            }
        };
        Self::new(code).because(error)
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal.code {
            RefusalCode::ValidationFailed => Code::ValidationFailed,
            RefusalCode::ForbiddenOp => Code::ForbiddenOp,
            RefusalCode::AppendOnly => Code::AppendOnly,
            RefusalCode::AlreadyWritten => Code::AlreadyWritten,
            RefusalCode::ServerChanged => Code::ServerChanged,
            RefusalCode::EntityDeleted => Code::EntityDeleted,
            RefusalCode::EntityUnknown => Code::EntityUnknown,
            RefusalCode::TxAborted => Code::TxAborted,
            RefusalCode::DependencyFailed => Code::DependencyFailed,
            RefusalCode::ContextUnknown => Code::ContextUnknown,
            RefusalCode::UnknownType => Code::UnknownType,
            RefusalCode::SchemaUnsupported(range) => return Self::of_schema(range),
        };
        let problem = Self { errors: refusal.faults.iter().map(Wrong::from).collect(), ..Self::new(code) };
        // What is refused is refused for ever: what it depends on has failed, and is not merely late.
        let is_late = problem.retry == Retry::After;
        Self { retry: if is_late { Retry::Never } else { problem.retry }, ..problem }
    }
}

impl From<&FieldFault> for Wrong {
    fn from(it: &FieldFault) -> Self {
        let mut detail = None;
        let (part, code, bound) = match &it.fault {
            Fault::Min { min } => ("set", "min", Some(*min)),
            Fault::Max { max } => ("set", "max", Some(*max)),
            Fault::Kind { .. } => ("set", "type", None),
            Fault::Undeclared => ("set", "undeclared", None),
            Fault::NotCounted => ("set", "number", None),
            Fault::Unset => ("unset", "unset", None),
            Fault::WasMissing => ("was", "missing", None),
            Fault::NotAdditive => ("delta", "misplaced", None),
            Fault::ItemId => ("set", "item-id", None),
            Fault::Twice => ("unset", "twice", None),
            Fault::Taken { by } => {
                detail = Some(format!("`{by}` holds it"));
                ("set", "unique", None)
            }
            Fault::Deleted { key } => {
                detail = Some(format!("`{key}` was deleted"));
                ("set", "reference", None)
            }
            Fault::Referred { by } => {
                // The field is not one of the op, which names nothing but the entity.
                let detail = Some(format!("`{by}` refers to it by `{}`", it.field));
                return Self { pointer: "/id".to_owned(), code: "referred", detail, bound: None };
            }
        };
        let mut pointer = String::new();
        push_step(&mut pointer, part);
        push_step(&mut pointer, it.field.as_str());
        Self { pointer, code, detail, bound }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_problem_is_written_as_rfc_9457_has_it() {
        let problem = Problem::from(&NumbersError::Gap { n: 9, expected: 7 });
        assert_eq!(
            problem.body(Some("t")),
            "{\"type\":\"urn:syncline:problem:sequence-gap\",\"title\":\"Ops are missing in between\",\"status\":409,\
             \"detail\":\"op 9 comes where 7 is expected\",\"code\":\"sequence-gap\",\"retry\":\"now\",\
             \"expected_n\":\"7\",\"trace_id\":\"t\"}"
        );
        let field = syncline_core::entity::FieldName::new("a/b").expect("a name");
        let fault = FieldFault { field, fault: Fault::Min { min: 0.into() } };
        let refusal = Refusal { code: RefusalCode::ValidationFailed, faults: vec![fault] };
        let body = Problem::from(&refusal).body(None);
        assert!(
            body.ends_with("\"errors\":[{\"pointer\":\"/set/a~1b\",\"code\":\"min\",\"min\":0}]}"),
            "{body}"
        );
        let refusal = Refusal::from(RefusalCode::DependencyFailed);
        assert_eq!(Problem::from(&refusal).retry, Retry::Never);
        let reused = Problem::from(&NumbersError::Reused { n: 4, last: 5 }).body(None);
        assert!(
            reused.ends_with("\"retry\":\"rotate\",\"n\":\"4\",\"reason\":\"content\",\"last_n\":\"5\"}"),
            "{reused}"
        );
    }

    #[test]
    fn each_code_is_one_word_of_its_own() {
        let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for &code in Code::ALL {
            let is_word = code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(is_word && (400..600).contains(&code.status()) && !code.title().is_empty(), "{code:?}");
        }
    }
}
