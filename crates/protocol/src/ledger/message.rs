//! What goes into a ledger, and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use syncline_core::access::Grants;
use syncline_core::clock::{Dot, HybridTime, VectorClock};
use syncline_core::entity::conflict::{Conflict, ConflictKind};
use syncline_core::entity::{
    ActorName, ClientClock, EntityId, EntityKey, EntityType, Epoch, FieldName, FieldRule, Outcome, Record,
    RecordVersion, RefusalCode, Sequence, Stamp, Trace, TypeName, UserName, Value, Values,
};

pub use super::conflicts::ConflictId;
use super::conflicts::{ConflictRefusal, ConflictWish};
use super::documents::{Merge, MergeId, MergeOutcome, Ticket, Touched};
use super::erasure::{Erased, Erasure};
pub use super::op::{PushMutation, PushOp, PushSeen};
use super::scopes::{ScopeDefinition, ScopeError};
pub use super::write::Write;
use super::{
    Ack, Acked, Binding, ContentHash, DeviceAbout, DeviceRefusal, Import, Imported, KeyChange, NumbersError,
    PullScope, Pulled, Reset, Section, TypeRefusal,
};

/// A request, named by who drives the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A commit, counted from 1 without gaps since the ledger was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerCommit(pub u64);

/// What happens to a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A device sends ops.
    Push {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who has been authenticated.
        user: UserName,
        /// What they may do: an op on what they may not write is refused.
        grants: Grants,
        /// Its clock.
        clock: ClientClock,
        /// Its ops.
        ops: Vec<PushOp>,
    },
    /// A device that numbers nothing sends mutations.
    Mutate {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who has been authenticated.
        user: UserName,
        /// What they may do: an op on what they may not write is refused.
        grants: Grants,
        /// Its clock.
        clock: ClientClock,
        /// The mutations.
        mutations: Vec<PushMutation>,
    },
    /// A device asks what has changed.
    Pull {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who has been authenticated.
        user: UserName,
        /// Where.
        scopes: Vec<PullScope>,
    },
    /// A device has stored what it was told.
    Ack {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who has been authenticated.
        user: UserName,
        /// What it has stored.
        ack: Ack,
    },
    /// A commit is durable.
    Committed(LedgerCommit),
    /// A user has a device of theirs known, once whoever proves identities agrees.
    Bind {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who has been authenticated.
        user: UserName,
        /// What is to be known of the device.
        about: DeviceAbout,
    },
    /// A device is to sign with another key.
    SetKey {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who must own it; none if whoever asks may do so with each.
        user: Option<UserName>,
        /// The key.
        change: KeyChange,
    },
    /// A device is shut out for ever.
    Revoke {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who must own it; none if whoever asks may revoke each.
        user: Option<UserName>,
    },
    /// Someone wants a device to begin a scope again.
    Resync {
        /// The request.
        request: RequestId,
        /// The device.
        actor: ActorName,
        /// Who must own it; none if whoever asks may do so with each.
        user: Option<UserName>,
        /// The scope.
        scope: TypeName,
        /// Why.
        reason: Reset,
    },
    /// Time has passed: once a minute, or so, and when [`Ledger::next_deadline`](super::Ledger::next_deadline) says.
    Tick,
    /// Random bytes that nobody else knows, for the salts of the audit: first of all, and again as often as you like. Without
    /// them the audit says what has happened, but not with which values.
    Salt([u8; 32]),
    /// A type is declared, or changed.
    DefineType {
        /// The request.
        request: RequestId,
        /// The type.
        ty: Box<EntityType>,
    },
    /// A scope is defined, or changed.
    DefineScope {
        /// The request.
        request: RequestId,
        /// Its name.
        name: TypeName,
        /// What it holds.
        definition: ScopeDefinition,
    },
    /// Records come from an export.
    Import {
        /// The request.
        request: RequestId,
        /// The records.
        records: Vec<Import>,
    },
    /// Something is to be erased, by whoever may do so, or was.
    Erase {
        /// The request.
        request: RequestId,
        /// What.
        what: Erasure,
    },
    /// A handler has judged an op.
    Answered {
        /// The question.
        ask: AskId,
        /// What it says.
        verdict: Verdict,
    },
    /// The room of a document is about to store what has been written in it.
    Touched(Touched),
    /// An update that the ledger has given to a room is in none of its commits to come.
    Merged {
        /// The update.
        merge: MergeId,
        /// What became of it.
        outcome: MergeOutcome,
    },
    /// Someone wants something of a conflict.
    Conflict {
        /// The request.
        request: RequestId,
        /// The conflict.
        conflict: ConflictId,
        /// What is wanted.
        wish: ConflictWish,
    },
}

/// A question to a handler, counted from 1 since the ledger was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What a handler says about an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be taken.
    Accept {
        /// Values that it gets besides its own, or instead of them.
        set: Values,
    },
    /// It is refused.
    Refuse {
        /// In one word.
        code: RefusalCode,
        /// In more.
        detail: String,
    },
    /// There is no saying now.
    Unavailable {
        /// When it is worth another try, in milliseconds.
        retry_after_ms: u64,
    },
}

/// What a ledger wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a batch durable, all of it or nothing, and say so. If that fails the ledger must be loaded again.
    Commit {
        /// The commit.
        commit: LedgerCommit,
        /// What to write, in this order.
        batch: Vec<Write>,
        /// What rooms store goes with it, all of it or nothing.
        rooms: Vec<Ticket>,
    },
    /// Have the room of a document take in an update, and hand in what becomes of it: [`Input::Touched`] with the commit that
    /// stores it, or [`Input::Merged`]. There is always one of them.
    Merge(Merge),
    /// Tell a room that what it wanted to store is not stored: the entity was deleted.
    Refuse {
        /// What the room calls it.
        ticket: Ticket,
    },
    /// The entity that a document is was deleted: nobody may be in its room any more.
    Deleted {
        /// The entity.
        key: EntityKey,
    },
    /// Answer a request. Nothing in the answer rests on what is not durable.
    Answer {
        /// The request.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// Ask the handler of a type about an op, and hand its verdict in. There is always one: in time, or it is not available.
    Ask {
        /// The question.
        ask: AskId,
        /// Who has been authenticated.
        user: UserName,
        /// Whose op it is; what stands for a device that numbers nothing.
        device: ActorName,
        /// The op, with its entities by the ids that they have at the server.
        op: Box<PushOp>,
        /// The record that it meets.
        server: Option<Box<Record>>,
    },
    /// Something has changed that others may wait for, and is durable.
    Moved {
        /// Where records have changed, or which they have left.
        sections: BTreeSet<Section>,
        /// The end of the log.
        head: Sequence,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Each op has a result, or is to be sent again.
    Pushed {
        /// What became of the ops, in their order.
        results: Vec<OpStatus>,
        /// The greatest number below which all of the device's ops have results.
        last_n: u64,
        /// The greatest number of the device.
        high_n: u64,
        /// The numbers above `last_n` that have results.
        done_beyond: Vec<u64>,
        /// A pull that has read up to here has seen these writes.
        fence: Sequence,
        /// The ids that entities have got that the ops name by temporary ones.
        id_map: BTreeMap<EntityKey, EntityId>,
    },
    /// The request had no effect.
    Refused(Refused),
    /// What has changed.
    Pulled(Box<Pulled>),
    /// What the device has acknowledged by now.
    Acked {
        /// In all.
        acked: Box<Acked>,
        /// What was deleted up to this place is no longer known.
        floor: Sequence,
    },
    /// The device is bound, or was revoked just now.
    Device {
        /// Which.
        device: ActorName,
        /// What is known of it.
        binding: Box<Binding>,
        /// Whether this request has made it so.
        is_new: bool,
    },
    /// It is so.
    Noted,
    /// The entity is erased.
    Erased {
        /// Since when.
        erased: Erased,
        /// Whether this request has done it.
        is_new: bool,
    },
    /// The user is erased.
    UserErased {
        /// What they are called from now on.
        known_as: UserName,
        /// Their devices, which are shut out.
        devices: Vec<ActorName>,
    },
    /// What became of each record.
    Imported(Vec<Imported>),
    /// The type is declared.
    TypeDefined {
        /// Whether it was not known before.
        is_new: bool,
    },
    /// The type is not declared.
    TypeRefused(TypeRefusal),
    /// The scope is defined.
    ScopeDefined {
        /// Whether it was not known before.
        is_new: bool,
    },
    /// The scope is not defined.
    ScopeRefused(ScopeError),
    /// What was wanted of a conflict is done.
    Conflict {
        /// The conflict.
        conflict: Box<Conflict>,
        /// What became of the record, if that was to change.
        result: Option<Box<OpResult>>,
    },
    /// What was wanted of a conflict is not done.
    ConflictRefused(ConflictRefusal),
}

/// Why a request is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// For the numbers of its ops.
    #[error(transparent)]
    Numbers(#[from] NumbersError),
    /// For its device.
    #[error(transparent)]
    Device(#[from] DeviceRefusal),
    /// For a name that is too long for the actor that stands for a device.
    #[error("the name of a device that sends mutations has at most 122 bytes")]
    TooLong,
    /// For a scope that holds types that are not known.
    #[error("the scope `{scope}` is not known")]
    UnknownScope {
        /// The scope.
        scope: TypeName,
    },
}

/// What a push says of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpStatus {
    /// It has its result.
    Done(Box<OpResult>),
    /// It had its result long ago, which is no longer known.
    Aged {
        /// Its number.
        n: u64,
    },
    /// It was not taken, and is to be sent again.
    Deferred {
        /// Its number.
        n: u64,
        /// Why, and when.
        deferral: Deferral,
    },
}

/// Why an op was not taken this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// In one word.
    pub code: DeferralCode,
    /// When it is worth another try, in milliseconds.
    pub retry_after_ms: u64,
}

/// The reason in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeferralCode {
    /// An op that it depends on was deferred.
    DependencyFailed,
    /// Who is to judge the op does not, or too many wait for that.
    HandlerUnavailable,
}

impl DeferralCode {
    /// Returns the code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DependencyFailed => "dependency-failed",
            Self::HandlerUnavailable => "handler-unavailable",
        }
    }
}

/// What became of an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpResult {
    /// Its number.
    pub n: u64,
    /// The entity, by the id that it has at the server.
    pub entity: EntityKey,
    /// In one word.
    pub outcome: Outcome,
    /// Whether this is the result of an earlier request.
    pub is_duplicate: bool,
    /// The record after it; none if there is none.
    pub record: Option<RecordState>,
    /// The values of the record, where it may not be what the author meant.
    pub data: Option<Values>,
    /// Fields whose new value no author wrote, and the rule that made it.
    pub combined: BTreeMap<FieldName, (FieldRule, Value)>,
    /// What a handler has said about its refusal.
    pub detail: Option<String>,
    /// What it has collided in.
    pub conflict: Option<Collision>,
    /// The write that it has lost to, if it was superseded.
    pub superseded_by: Option<Stamp>,
}

/// What a result says of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collision {
    /// The conflict.
    pub id: ConflictId,
    /// What collided.
    pub kind: ConflictKind,
    /// The fields in which the op has collided.
    pub fields: BTreeSet<FieldName>,
}

/// What a result says of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordState {
    /// The life of the log that it was last changed in.
    pub epoch: Epoch,
    /// How often it has changed.
    pub ver: RecordVersion,
    /// The ops that changed it.
    pub vv: VectorClock,
    /// The last of them.
    pub dot: Dot,
    /// Its time.
    pub hlc: HybridTime,
    /// Its place in the log.
    pub seq: Sequence,
}

/// What is kept of an op that has its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What it held.
    pub hash: ContentHash,
    /// Whether it was to create the entity.
    pub creates: bool,
    /// Its result.
    pub result: OpResult,
    /// What it leaves for ops that come after it.
    pub trace: Trace,
}
