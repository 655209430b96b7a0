//! Every operation of `/sync/v1`.

use axum::{
    http::Method,
    routing::{delete, get, post},
};
use syncline_protocol::wire::sync_v1::Code;

use super::{
    ack, conflicts,
    description::{Content, Operation, Parameter},
    devices, pull, push,
};

/// A device that may not sync, in each of the ways.
const DEVICE: [Code; 3] = [Code::DeviceNotBound, Code::DeviceRevoked, Code::DeviceMismatch];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: Method::POST,
        path: "/push",
        id: "push",
        summary: "Sends the ops of a device.",
        query: &[],
        body: Some("Push"),
        answers: &[(200, Content::Json("Pushed"))],
        codes: &[
            Code::DeviceNotBound,
            Code::DeviceRevoked,
            Code::DeviceMismatch,
            Code::SequenceGap,
            Code::SequenceReuse,
            Code::BacklogFull,
            Code::TooManyOps,
        ],
        serve: || post(push::push),
    },
    Operation {
        method: Method::POST,
        path: "/pull",
        id: "pull",
        summary: "Asks what has changed.",
        query: &[],
        body: Some("Pull"),
        answers: &[(200, Content::Json("Pulled"))],
        codes: &[
            DEVICE[0],
            DEVICE[1],
            DEVICE[2],
            Code::UnknownScope,
            Code::ForbiddenScope,
            Code::CursorInvalid,
        ],
        serve: || post(pull::pull),
    },
    Operation {
        method: Method::POST,
        path: "/ack",
        id: "ack",
        summary: "Says what the device has stored.",
        query: &[],
        body: Some("Ack"),
        answers: &[(200, Content::Json("Acknowledged"))],
        codes: &[DEVICE[0], DEVICE[1], DEVICE[2], Code::CursorInvalid],
        serve: || post(ack::ack),
    },
    Operation {
        method: Method::POST,
        path: "/devices",
        id: "bindDevice",
        summary: "Binds a device to the user who asks.",
        query: &[],
        body: Some("Device"),
        answers: &[(200, Content::Json("Bound")), (201, Content::Json("Bound"))],
        codes: &[Code::DeviceRevoked, Code::DeviceMismatch],
        serve: || post(devices::bind),
    },
    Operation {
        method: Method::GET,
        path: "/devices",
        id: "listDevices",
        summary: "Lists the devices of the user; for an administrator, all.",
        query: &[],
        body: None,
        answers: &[(200, Content::Json("Devices"))],
        codes: &[],
        serve: || get(devices::list),
    },
    Operation {
        method: Method::DELETE,
        path: "/devices/{device_id}",
        id: "revokeDevice",
        summary: "Shuts a device out for ever.",
        query: &[],
        body: None,
        answers: &[(200, Content::Json("Bound"))],
        codes: &[Code::UnknownDevice, Code::DeviceNotBound, Code::DeviceRevoked, Code::DeviceMismatch],
        serve: || delete(devices::revoke),
    },
    Operation {
        method: Method::GET,
        path: "/conflicts",
        id: "listConflicts",
        summary: "Lists conflicts, the oldest first.",
        query: &[
            Parameter {
                name: "state",
                required: false,
                repeats: false,
                summary: "Only those in this state.",
            },
            Parameter {
                name: "type",
                required: false,
                repeats: false,
                summary: "Only those of entities of this type.",
            },
            Parameter {
                name: "assignee",
                required: false,
                repeats: false,
                summary: "Only those that this person has.",
            },
            Parameter { name: "cursor", required: false, repeats: false, summary: "Where to go on." },
        ],
        body: None,
        answers: &[(200, Content::Json("Conflicts"))],
        codes: &[],
        serve: || get(conflicts::list),
    },
    Operation {
        method: Method::GET,
        path: "/conflicts/{conflict_id}",
        id: "readConflict",
        summary: "Returns a conflict.",
        query: &[],
        body: None,
        answers: &[(200, Content::Json("OneConflict"))],
        codes: &[Code::UnknownConflict],
        serve: || get(conflicts::read),
    },
];
