//! Every bound of the engine. Each says its unit and why it is not ten times larger or smaller.

/// Longest room name, in bytes. Names are keys of records and labels in logs.
pub const ROOM_NAME_BYTES_MAX: usize = 256;

/// Tenants of a server, unless an operator says otherwise. Each that is used holds what it has stored in memory, and a few KiB.
pub const TENANTS_MAX: usize = 1_000;

/// Longest name of a tenant, in bytes. All names are held in memory; those that identity providers make up are far shorter.
pub const TENANT_NAME_BYTES_MAX: usize = 256;

/// Longest message from a client, in bytes. A pasted image fits; a whole disk does not.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Messages under way in the whole server, in bytes: received, not yet handled.
pub const INBOUND_BYTES_MAX: usize = 256 << 20;

/// Encoded state of one document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// Ops of an Automerge document that is read. It takes up to 400 bytes of memory for each where it is edited. A document with more is
/// kept and passed on.
pub const AUTOMERGE_OPS_MAX: u64 = 2_000_000;

/// What the formats of a Yjs document's texts come to where they are read, in bytes: their names and values and about 100
/// for each, told again for each run in which they hold. A document with more is kept and passed on, but not read.
pub const FORMATS_BYTES_MAX: u64 = 64 << 20;

/// Steps that yrs may walk to find the places of a Yjs document's items, in whatever order they come: some five seconds. Two people
/// who each put 3,000 items one by one to the beginning of a list without knowing of each other reach it; an update that goes beyond it is refused.
pub const CONTEST_STEPS_MAX: u64 = 20_000_000;

/// Nesting of `Any` and JSON values within one update. yrs recurses over them; at 8,000 a 2 MiB stack is gone.
pub const VALUE_DEPTH_MAX: usize = 64;

/// Nesting of shared types within one document. yrs recurses over them when the outermost is deleted.
pub const TYPE_DEPTH_MAX: u32 = 256;

/// Longest path of a part of a document of which it is told alone who wrote it, or what has changed in it, in bytes. Each range and each
/// change names its path, and a key may be as long as an update.
pub const TOLD_PATH_BYTES_MAX: usize = 1_024;

/// End of the clock space of one Yjs client: `clock + length` may reach it and not pass it.
pub const CLOCK_MAX: u32 = (1 << 31) - 1;

/// Counters of client ids by their low bits, per document; a power of two. See [`CLIENTS_PER_BUCKET_BASE`].
pub const CLIENT_BUCKETS: usize = 4096;

/// Client ids that may share their low 12 bits before a live update is refused: this base plus
/// [`CLIENTS_PER_BUCKET_FACTOR`] times the average. yrs hashes client ids by identity, so crafted ones collide.
pub const CLIENTS_PER_BUCKET_BASE: usize = 64;

/// See [`CLIENTS_PER_BUCKET_BASE`].
pub const CLIENTS_PER_BUCKET_FACTOR: usize = 4;

/// Clients whose structs go into yrs in one transaction. It recurses once for each of them that it took
/// before its turn (40,000 overflow a stack of 2 MiB), and searches through all that wait for each other. A slice costs
/// little more than its structs, so there is no use in more.
pub const SLICE_CLIENTS_MAX: usize = 500;

/// Structs that go into yrs in one transaction. It decodes them all first, at up to 450 bytes for one of 7 bytes, and
/// moves those behind it for each that it joins to the one before. A slice costs some microseconds.
pub const SLICE_STRUCTS_MAX: u32 = 5_000;

/// Bytes that yrs copies, and holds until it is done, when it joins the structs of one transaction that continue each
/// other: one of `w` bytes at place `n` counts `n * w`. 400 values that could be one reach it.
pub const SLICE_JOIN_BYTES_MAX: u64 = 2 << 20;

/// Least time between two requests for what a connection's updates rest on, in milliseconds.
pub const GAP_ASK_MS_MIN: u64 = 1_000;

/// Questions for what a client has that may wait for its answer. Each is a state vector in its queue; an honest client
/// answers at once.
pub const QUESTIONS_MAX: usize = 4;

/// Longest stateless message, in bytes. It goes to everyone in the room and is not stored.
pub const STATELESS_BYTES_MAX: usize = 256 << 10;

/// Stateless messages that wait for one connection, in bytes. Beyond it further ones are lost to it: nobody can send them
/// again, but they are a few words from honest clients.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Outbound queue of one connection, in bytes. Beyond it the queue is dropped and replaced by one diff later.
pub const OUTBOUND_BYTES_MAX: usize = 256 << 10;

/// Piece in which a large message is written, in bytes: the memory a slow reader holds in the socket's buffer.
pub const FRAGMENT_BYTES: usize = 64 << 10;

/// Time in which a connection must take some of what is being written to it, in milliseconds.
pub const WRITE_STALL_MS_MAX: u64 = 30_000;

/// Recent updates that a room keeps in memory to bring lagging subscribers up to date, in bytes.
pub const RECENT_BYTES_MAX: usize = 256 << 10;

/// Recent commits that a room keeps the starting clocks of, to bring lagging subscribers up to date.
pub const RECENT_COMMITS_MAX: usize = 4096;

/// Updates that a room gathers while a commit is under way, in bytes. Beyond it the room stops reading its inbox.
pub const ROOM_PENDING_BYTES_MAX: usize = 256 << 10;

/// Awareness ids that one connection may own in a document.
pub const PRESENCE_IDS_PER_CONNECTION_MAX: usize = 4;

/// Longest awareness state, in bytes of JSON.
pub const PRESENCE_STATE_BYTES_MAX: usize = 4 << 10;

/// Longest name that is shown of a person, in characters. Longer ones are cut.
pub const PERSON_NAME_CHARS_MAX: usize = 64;

/// Furthest that one message may move an awareness clock. An honest client moves it by one.
pub const PRESENCE_CLOCK_STEP_MAX: u64 = 1 << 20;

/// Time after which a presence that was not renewed is removed, in milliseconds. Clients renew every 15 s.
pub const PRESENCE_EXPIRY_MS: u64 = 30_000;

/// Time for which the clock of a removed presence is kept, in milliseconds, so that stale states stay away.
pub const PRESENCE_MEMORY_MS: u64 = 60_000;

/// Presence changes are gathered for this long before they go out in one frame, in milliseconds.
pub const PRESENCE_TICK_MS: u64 = 10;

/// Silence after which a connection is sent an empty awareness message, in milliseconds. y-websocket closes a
/// connection on which it has read nothing for 30 s.
pub const KEEPALIVE_MS: u64 = 20_000;

/// Silence after which the same is sent to a client that waits to be told what of its document is kept, in milliseconds. y-sweet's
/// clients ask after 2 s of silence, or as soon as they have something to say, and close 3 s later unless they read anything.
pub const KEPT_WAIT_MS: u64 = 2_500;

/// Time without subscribers after which a room is unloaded, in milliseconds.
pub const ROOM_IDLE_MS: u64 = 30_000;

/// Log of a document that compaction leaves alone, in bytes, however small the snapshot is.
pub const COMPACT_LOG_BYTES_MIN: usize = 64 << 10;

/// Commits in a document's log that compaction leaves alone if they are also few bytes.
pub const COMPACT_COMMITS_MIN: u64 = 10_000;

/// Failed loads after which a document is quarantined.
pub const FAILED_LOADS_MAX: u32 = 2;

/// Bytes of log records that make a page of history, before they are compressed: enough to compress well, few enough to read one
/// for a single commit.
pub const HISTORY_PAGE_BYTES: usize = 64 << 10;

/// Stretches of a merged branch of which it is kept who wrote them: some 100 bytes each. A branch in which people typed for a day has some
/// hundreds, as what one of them types without a pause has one time.
pub const ORIGINS_MAX: usize = 4_096;

/// Operations that the committer puts into one batch.
pub const BATCH_OPERATIONS_MAX: usize = 4_096;

/// Bytes that the committer puts into one batch, unless a single request is larger.
pub const BATCH_BYTES_MAX: usize = 256 << 10;

/// Longest value handed to a storage engine, in bytes. sled puts larger ones into files it does not sync.
pub const VALUE_BYTES_MAX: usize = 7 << 10;

/// Deletions that compaction puts into one batch.
pub const DELETE_BATCH_MAX: usize = 500;

/// Documents that one connection may have open, or may have had closed by the server.
pub const DOCUMENTS_PER_CONNECTION_MAX: usize = 256;

/// Documents of one connection that may wait for their token to be found good. Hocuspocus 4.7 allows as many.
pub const PRE_AUTH_DOCUMENTS_MAX: usize = 100;

/// Messages of one connection that may wait for tokens to be found good. Hocuspocus 4.7 allows as many.
pub const PRE_AUTH_MESSAGES_MAX: usize = 1_000;

/// The same, in bytes. Hocuspocus 4.7 allows as many.
pub const PRE_AUTH_BYTES_MAX: usize = 5 << 20;

/// Time in which a connection must have opened a document, in milliseconds. Hocuspocus 4.7 waits as long.
pub const PRE_AUTH_MS_MAX: u64 = 60_000;

/// Open connections of one server.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Time in which a connection must have sent its whole request head, in milliseconds.
pub const HEADER_MS_MAX: u64 = 5_000;

/// Longest id of an entity or name of a device, in bytes. UUIDs and the keys of other systems fit.
pub const ENTITY_ID_BYTES_MAX: usize = 128;

/// Longest name of a type of entities, in bytes. It is part of each key and a label of metrics.
pub const TYPE_NAME_BYTES_MAX: usize = 64;

/// Longest name of a field, in bytes. Each record holds the names of its fields.
pub const FIELD_NAME_BYTES_MAX: usize = 128;

/// Promises of a type that no two records hold the same. Each has an index of all of its records.
pub const UNIQUE_PER_TYPE_MAX: usize = 16;

/// Fields whose values one such promise takes together.
pub const UNIQUE_FIELDS_MAX: usize = 8;

/// Faults that are told of one op, and other records that a conflict or a refusal names. Finding each takes time, and who mends
/// them mends one after another.
pub const FAULTS_TOLD_MAX: usize = 16;

/// Devices whose writes meet in one field of a conflict for it to be of many sources: two are what any conflict has.
pub const SOURCES_MIN: usize = 3;

/// Candidates that one conflict keeps; more are counted. A person chooses among them.
pub const CONFLICT_CANDIDATES_MAX: usize = 32;

/// Ops of one device that are taken behind one that is deferred. A handler that is down must not let a device's results
/// pile up for ever; an honest device has a few hundred ops after a day.
pub const OPS_BEYOND_HOLE_MAX: u64 = 1_024;

/// Results that one pull lists of those that its device has not acknowledged. More follow once these are.
pub const PULL_RESULTS_MAX: usize = 100;

/// Ops that one push may bring. A device sends a thousand in two requests; at ten times as many its answer would be large.
pub const PUSH_OPS_MAX: usize = 1_000;

/// Records in a page of a pull that does not say how many.
pub const PULL_RECORDS_DEFAULT: usize = 500;

/// Records that one page of a pull may have. A request for more gets as many: a page is held in memory whole.
pub const PULL_RECORDS_MAX: usize = 1_000;

/// Scopes that one request may name. Each is a page, and a device follows a few dozen.
pub const PULL_SCOPES_MAX: usize = 100;

/// Longest id of a token that can be revoked by it, in bytes. A hash or a UUID is far shorter.
pub const TOKEN_ID_BYTES_MAX: usize = 256;

/// Longest name of a user, in bytes. Names of the longest mail addresses fit.
pub const USER_NAME_BYTES_MAX: usize = 256;

/// How old what is stored of when a device was last seen may become, in milliseconds. Each request would be a write.
pub const SEEN_MS: u64 = 3_600_000;

/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// Time after which nobody waits for a device that does not come back, in milliseconds: 60 days. A season in the field is
/// shorter, and what is deleted must be kept as long.
pub const MAX_OFFLINE_MS: u64 = 60 * DAY_MS;

/// Time for which an acknowledged result is kept whole, in milliseconds: 7 days. Its device may lose what it has stored last.
pub const RESULTS_WHOLE_MS: u64 = 7 * DAY_MS;

/// Results that are shortened or forgotten in one commit.
pub const AGED_MAX: usize = 500;

/// Time for which it is known that an entity was deleted, in milliseconds, unless its type says otherwise: 90 days.
pub const TOMBSTONE_TTL_MS: u64 = 90 * DAY_MS;

/// Deletions that are forgotten in one commit.
pub const PURGED_MAX: usize = 500;

/// Buckets of one type besides its own. Each is an entry in an index for each record.
pub const BUCKETS_PER_TYPE_MAX: usize = 16;

/// Longest name of a bucket, in bytes: a key's part. What would have a longer one lies in none.
pub const BUCKET_BYTES_MAX: usize = 256;

/// Longest time that a handler may take for an answer, in milliseconds. Its device waits meanwhile.
pub const HANDLER_MS_MAX: u64 = 30_000;

/// Rules of one type. All conditions may be evaluated for one op.
pub const RULES_PER_TYPE_MAX: usize = 32;

/// Longest expression of a rule, in bytes. A few lines fit; no parser is kept busy by it.
pub const RULE_BYTES_MAX: usize = 1 << 10;

/// Nesting of an expression of a rule. Its parser and its evaluation recurse; 100 fit a stack of 2 MiB.
pub const RULE_DEPTH_MAX: u16 = 32;

/// Names and texts that rules look at for one op, in bytes. An expression may copy them a hundred times.
pub const RULE_SCENE_BYTES_MAX: usize = 64 << 10;

/// Time for which ops may wait on a device, or changes for it, before it is said to lag, in milliseconds: an hour.
pub const LAGGING_MS: u64 = 3_600_000;

/// Ops of one transaction. They are decided, stored and taken back as one.
pub const TX_OPS_MAX: usize = 100;

/// Writes after which a ledger ends a batch, beside what tells of them. A commit of some thousand writes takes as long as a disk takes to flush; the ops
/// of a transaction are never split.
pub const COMMIT_WRITES_MAX: usize = 2_048;

/// Questions of a ledger to handlers that may be open. Each holds up a device.
pub const HANDLER_ASKS_MAX: usize = 64;

/// Updates of devices that rooms may be taking in for a ledger. Each holds up a device, and itself in memory.
pub const MERGES_MAX: usize = 64;

/// How often a handler is asked about one op whose record changes meanwhile. A record that changes faster than a handler
/// answers is not caught up with by asking more often.
pub const HANDLER_ROUNDS_MAX: u32 = 3;

/// When a deferred op is worth another try, in milliseconds, unless a handler says otherwise.
pub const RETRY_AFTER_MS: u64 = 2_000;

/// An update of a document that is kept in a conflict because the entity was deleted, in bytes. Conflicts are kept for ever, and
/// in memory; this is a long text. The author of a longer one keeps it: the op is refused.
pub const CONFLICT_UPDATE_BYTES_MAX: usize = 256 << 10;

/// Comments about one conflict. People talk about it; whoever needs more has another place for that.
pub const CONFLICT_COMMENTS_MAX: usize = 1_000;

/// What the packed parts of one Automerge message may unpack to altogether, in bytes. Automerge unpacks before it looks
/// at a checksum.
pub const AUTOMERGE_UNPACKED_BYTES_MAX: usize = 16 << 20;

/// How many times its length a packed part of an Automerge message may unpack to, beyond
/// [`AUTOMERGE_UNPACKED_BYTES_FREE`]. Text packs to a third; a thousandth is what a bomb packs to.
pub const AUTOMERGE_UNPACKED_RATIO_MAX: usize = 50;

/// Length to which a packed part may unpack however short it is, in bytes: a pasted page of spaces.
pub const AUTOMERGE_UNPACKED_BYTES_FREE: usize = 1 << 20;

/// Ops in the history of an Automerge document, deletions among them, and of one message. automerge takes 600 bytes of memory for each
/// while it takes them in or loads them, and some 4 microseconds of a core; a change of a hundred bytes may have half a million. Whoever types a paper of 100,000
/// characters makes 260,000. What would bring more is refused.
pub const AUTOMERGE_DOCUMENT_OPS_MAX: u64 = 4_000_000;

/// Entries of the sets of marks that automerge makes of an Automerge document, one set wherever a mark begins or ends and one entry for
/// each that is open there: about 100 bytes each while they come in. A book with 100,000 marks of which ten are open at a time has as
/// many. What would bring more is refused.
pub const AUTOMERGE_MARK_ENTRIES_MAX: u64 = 2_000_000;

/// Bytes that whoever sends an op of an Automerge document is charged for, beside those of the message: it may have none, and takes as long as
/// a hundred bytes of a Yjs update, or longer.
pub const AUTOMERGE_OP_CHARGE_BYTES: u64 = 100;

/// Rows that an Automerge chunk may stand for, beyond one for each byte of its columns. Runs need no bytes: whoever
/// selects half a million characters and deletes them sends some dozen.
pub const AUTOMERGE_ROWS_MAX: u64 = 500_000;

/// Changes in one whole Automerge document that comes from outside. They need next to no bytes, and automerge takes a kilobyte for each
/// while it reads them. What has more of them comes change by change.
pub const AUTOMERGE_DOCUMENT_CHANGES_MAX: u64 = 500_000;

/// Longest id of an Automerge actor, in bytes. Automerge draws 16.
pub const AUTOMERGE_ACTOR_BYTES_MAX: u64 = 128;

/// Hashes in one list of an Automerge sync message: as many people would have to have typed at once.
pub const AUTOMERGE_HASHES_MAX: u64 = 4_096;

/// Descriptions of what a peer has, in one Automerge sync message. Automerge writes one.
pub const AUTOMERGE_HAVES_MAX: u64 = 8;

/// Changes of an Automerge document that wait for others, in bytes. They come early when a Bloom filter errs, and the peer is
/// asked for the rest.
pub const AUTOMERGE_ORPHAN_BYTES_MAX: usize = 1 << 20;

/// Automerge documents that one connection may have open. An application opens one for each of a person's things.
pub const AUTOMERGE_DOCUMENTS_PER_CONNECTION_MAX: usize = 1_000;

/// Time for which a request for a document waits that another connection has announced, in milliseconds.
pub const AUTOMERGE_ANNOUNCED_MS_MAX: u64 = 10_000;

/// Messages of Automerge peers that wait for a commit to end, in bytes. Beyond it the room stops reading its inbox.
pub const AUTOMERGE_QUEUE_BYTES_MAX: usize = 1 << 20;

/// Longest message that one Automerge client has for all others, in bytes.
pub const AUTOMERGE_EPHEMERAL_BYTES_MAX: usize = 64 << 10;

/// Sessions of one Automerge connection of which it is remembered what came. A client has one.
pub const AUTOMERGE_SESSIONS_MAX: usize = 8;

/// Longest name of a hook, in bytes.
pub const HOOK_NAME_BYTES_MAX: usize = 64;

/// Hooks of a server. A commit writes a mark for each that it concerns.
pub const HOOKS_MAX: usize = 16;

/// Time for which a document must be quiet before a hook is told that it has changed, in milliseconds, unless a hook says otherwise:
/// a pause in typing.
pub const HOOK_QUIET_MS: u64 = 2_000;

/// Longest that a hook is told nothing of a document that changes all the time, in milliseconds, unless a hook says otherwise.
pub const HOOK_WAIT_MS: u64 = 10_000;

/// Longest that a hook may set for either, in milliseconds.
pub const HOOK_WAIT_MS_MAX: u64 = 3_600_000;

/// How often a hook is told something before it is a dead letter, unless a hook says otherwise. With the pauses between it takes about
/// 27 hours: whoever was away overnight misses nothing.
pub const HOOK_ATTEMPTS: u32 = 10;

/// The most that a hook may set for it: the last pauses are of weeks.
pub const HOOK_ATTEMPTS_MAX: u32 = 20;

/// Pause after the first attempt that fails, in milliseconds, unless a hook says otherwise.
pub const HOOK_RETRY_MS: u64 = 10_000;

/// How many times longer each pause is than the one before.
pub const HOOK_RETRY_FACTOR: u64 = 3;

/// Longest pause that an application may ask for by `Retry-After`, in milliseconds.
pub const HOOK_RETRY_AFTER_MS_MAX: u64 = 3_600_000;

/// Requests to one hook that may be under way.
pub const HOOK_CALLS_MAX: usize = 4;

/// Pause before what hooks are to be told is read again where it could not be read, in milliseconds. It doubles each time.
pub const HOOK_READ_MS: u64 = 2_000;

/// Longest that this pause becomes, in milliseconds.
pub const HOOK_READ_MS_MAX: u64 = 600_000;

/// Marks that wait in memory for one hook, a few hundred bytes each. What waits beyond that is in the store, and is read when half of these
/// are done. A document of which one waits may have one more.
pub const HOOK_WAITING_MAX: usize = 16_384;

/// Dead letters that are kept for one hook. The oldest go first.
pub const HOOK_DEAD_MAX: usize = 1_000;
