//! What the description of `/sync/v1` says besides its table.

use serde_json::{Value, json};
use syncline_protocol::wire::sync_v1::Code;

use super::{schemas, table::OPERATIONS};
use crate::openapi::{Api, Operation, Refused};

/// Where all operations are.
pub(super) const BASE: &str = "/sync/v1";

pub(super) const API: Api<Code> = Api {
    base: BASE,
    title: "Syncline: /sync/v1",
    about: "Offline-first sync of entities. What each member means is told in docs/sync-v1.md.",
    operations: OPERATIONS,
    schemas: schemas::all,
    of_path: schemas::of_path,
    of_query: |_| json!({ "type": "string" }),
    headers,
    answer_headers: |_, _| None,
    refusals,
};

/// Whoever may be refused for the schema may say which one it uses.
fn headers(operation: &Operation<Code>) -> Vec<Value> {
    let schema = operation.codes.contains(&Code::SchemaUnsupported).then(|| {
        json!({
            "name": "Sync-Schema",
            "in": "header",
            "required": false,
            "description": "The version of the schema that the client uses.",
            "schema": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        })
    });
    schema.into_iter().collect()
}

fn refusals(operation: &Operation<Code>) -> Vec<Refused> {
    let common = [
        // Each may have a query, with a member that it does not know.
        Code::MalformedRequest,
        Code::Unauthenticated,
        Code::SignatureRequired,
        Code::SignatureInvalid,
        Code::ForbiddenOp,
        Code::ProtocolUnsupported,
        Code::StorageFull,
        Code::RateLimited,
        Code::ReadOnly,
    ];
    let body = (!operation.body.is_empty()).then_some(Code::PayloadTooLarge);
    let all = common.into_iter().chain(body).chain(operation.codes.iter().copied());
    let refused = |code: Code| Refused {
        status: code.status(),
        code: code.as_str(),
        media: "application/problem+json",
        schema: "Problem",
    };
    all.map(refused).collect()
}

/// Returns all codes, as a schema lists them.
pub(super) fn codes() -> Vec<&'static str> {
    Code::ALL.iter().map(|code| code.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::{check_references, check_that_nothing_is_null};

    #[test]
    fn the_description_is_whole() {
        check_that_nothing_is_null(&API);
        check_references(&API);
    }
}
