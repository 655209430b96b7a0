//! What the description of `/sync/v1` says besides its table.

use serde_json::{Value, json};
use syncline_protocol::wire::sync_v1::Code;

use super::{schemas, table::OPERATIONS};
use crate::openapi::{Api, Link, Operation, PROBLEM, Refused};

/// Where all operations are.
pub(super) const BASE: &str = "/sync/v1";

pub(super) const API: Api<Code> = Api {
    base: BASE,
    title: "Syncline: /sync/v1",
    about: "Offline-first sync of entities. What each member means is told in docs/sync-v1.md.",
    is_for_bearers: false,
    operations: OPERATIONS,
    links: LINKS,
    schemas: schemas::all,
    of_path: schemas::of_path,
    of_query: |_| json!({ "type": "string" }),
    headers,
    answer_headers: |_, _| None,
    refusals,
};

const BOUND: (&str, u16) = ("bindDevice", 201);
const DEFINED: (&str, u16) = ("defineType", 201);
const DEVICE: &str = "$response.body#/device_id";

/// A device that is bound may sync, and a type that is declared can be read.
const LINKS: &[Link] = &[
    Link { from: BOUND, to: "push", parameters: &[], body: &[("device_id", DEVICE)] },
    Link { from: BOUND, to: "reconcile", parameters: &[], body: &[("device_id", DEVICE)] },
    Link { from: BOUND, to: "status", parameters: &[("device_id", DEVICE)], body: &[] },
    Link { from: BOUND, to: "revokeDevice", parameters: &[("device_id", DEVICE)], body: &[] },
    Link { from: DEFINED, to: "readType", parameters: &[("type", "$request.path.type")], body: &[] },
];

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
        media: PROBLEM,
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
    use crate::openapi::tests::{check_links, check_references, check_that_nothing_is_null};

    #[test]
    fn the_description_is_whole() {
        check_that_nothing_is_null(&API);
        check_references(&API);
        check_links(&API);
    }
}
