//! Bounds of the shell: what only sockets, threads and start-up know of. All others are in [`syncline_core::limits`].

use syncline_core::limits::INBOUND_BYTES_MAX;

/// Messages that wait for one room. It hides the latency of one commit; a full inbox stops the reading of the sockets
/// in the room. Their bytes are bounded for the whole server by `INBOUND_BYTES_MAX`.
pub(crate) const ROOM_INBOX_MESSAGES_MAX: usize = 1_024;

/// Time for which a request waits for a room, if its tenant has as many open as it may, in milliseconds: as long as it takes rooms to
/// end that nobody uses. If all are used it would wait for people, so it is told to come again in [`ROOMS_FULL_RETRY_MS`].
pub(crate) const ROOM_WAIT_MS: u64 = 1_000;

/// When whoever found no room left may look again, in milliseconds: as long as a room stays open when the last one has left.
pub(crate) const ROOMS_FULL_RETRY_MS: u64 = 30_000;

/// Messages that a room takes in before it ends the tick. A tick of more than a few hundred updates delays everyone in
/// the room and saves nothing more.
pub(crate) const ROOM_TICK_MESSAGES_MAX: usize = 256;

/// Requests that wait for a ledger. It hides the latency of one commit; beyond it whoever asks waits.
pub(crate) const LEDGER_INBOX_MAX: usize = 1_024;

/// Time between two looks of a ledger at what has grown old, in milliseconds.
pub(crate) const LEDGER_TICK_MS: u64 = 60_000;

/// Time for which a ledger that could not be loaded is not tried again, in milliseconds. Its tenant is told to come again.
pub(crate) const LEDGER_RETRY_MS: u64 = 10_000;

/// Requests that a ledger takes in before it looks whether its commit is durable.
pub(crate) const LEDGER_TURN_MAX: usize = 256;

/// Commits of a ledger that whoever waits for changes may be behind before it has to look for itself.
pub(crate) const MOVES_MAX: usize = 256;

/// Bytes of documents in the answer to one pull; at least one document is in it. Beyond it there is another page.
pub(crate) const PULL_DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// Documents that one pull reads at the same time.
pub(crate) const DOCUMENT_READS_MAX: usize = 4;

/// Changes in one event of a live stream.
pub(crate) const LIVE_PAGE: usize = 100;

/// Scopes that one live stream may follow.
pub(crate) const LIVE_SCOPES_MAX: usize = 100;

/// Live streams that may be open at the same time, of which one tenant has at most half. Each holds a connection.
pub(crate) const LIVE_MAX: usize = 4_096;

/// Entries of the audit, or events, that are looked at in one go for whether they are to be kept.
pub(crate) const SWEPT_MAX: usize = 500;

/// Events of the outbox that are read at once.
pub(crate) const EVENTS_PAGE: usize = 100;

/// Lines of an export that are written at once, in bytes, and then as much as the last record is longer. The ledger serves
/// nobody else meanwhile.
pub(crate) const EXPORT_PAGE_BYTES: usize = 256 << 10;

/// Bytes of a document in one line of an export. In base64 it is a third longer, and far below what a line may have.
pub(crate) const EXPORT_PIECE_BYTES: usize = 1 << 20;

/// Exports and imports that may be under way, of which one tenant has at most half. Each holds a document in memory.
pub(crate) const BULK_MAX: usize = 8;

/// Exports and imports of documents that may be under way, of which one tenant has at most half. Each holds a document or two in
/// memory; of an import they are charged to the budget of inbound bytes.
pub(crate) const DOCS_BULK_MAX: usize = 8;

/// Exports and imports of either kind that one user may have under way: one in, one out.
pub(crate) const BULK_PER_USER_MAX: usize = 2;

/// Bytes of lines of all imports of documents that are held at the same time. The rest of the budget of inbound bytes is left to
/// whoever edits: no number of imports leaves them nothing.
pub(crate) const IMPORT_INBOUND_BYTES_MAX: usize = INBOUND_BYTES_MAX - (32 << 20);

/// Bytes of lines of an import of documents that are taken in at the same time, and then as much as the last of them is longer:
/// with the next line, which is read meanwhile, less than [`IMPORT_INBOUND_BYTES_MAX`].
pub(crate) const IMPORT_UNDER_WAY_BYTES_MAX: usize = 32 << 20;

/// Pieces of an export of documents that wait for its reader, each about as long as a piece of a state in base64.
pub(crate) const EXPORT_PIECES_MAX: usize = 2;

/// Results of an import of documents that wait for its reader, of some hundred bytes each: who reads nothing before all is sent has
/// these and what sockets hold.
pub(crate) const IMPORT_RESULTS_MAX: usize = 1_024;

/// Documents that an import has rooms take in at the same time.
pub(crate) const IMPORT_DOCUMENTS_MAX: usize = 16;

/// Records that an import hands to the ledger at once, by number and by the bytes of their lines and documents.
pub(crate) const IMPORT_BATCH_RECORDS: usize = 500;
pub(crate) const IMPORT_BATCH_BYTES: usize = 1 << 20;

/// Refused records that the answer to an import names; more are counted.
pub(crate) const IMPORT_REFUSED_MAX: usize = 1_000;

/// Silence after which a live stream gets a comment, in milliseconds.
pub(crate) const LIVE_HEARTBEAT_MS: u64 = 20_000;

/// Revocations that a live stream may be behind before it has to look for itself.
pub(crate) const REVOCATIONS_MAX: usize = 64;

/// Time for which a ticket is good, in milliseconds: a page asks for one and connects at once. URLs are logged for longer.
pub(crate) const TICKET_MS: u64 = 30_000;

/// Tickets of one user in [`TICKET_MS`], used or not: each tab that connects needs one, again after each break.
pub(crate) const TICKETS_PER_USER_MAX: usize = 64;

/// Tickets in [`TICKET_MS`], used or not: as many as may connect after a restart, and a few MiB.
pub(crate) const TICKETS_MAX: usize = 16_384;

/// Signatures of one device that are remembered, each until it expires, at most 90 s: 45 requests a second.
pub(crate) const NONCES_PER_DEVICE_MAX: usize = 4_096;

/// Signatures of all devices that are remembered, about a hundred bytes each.
pub(crate) const NONCES_MAX: usize = 262_144;

/// Longest body of a request that only a new key has signed, in bytes.
pub(crate) const NEW_KEY_BODY_BYTES_MAX: usize = 4 << 10;

/// Answers of who verifies devices that are remembered.
pub(crate) const VERIFIED_MAX: usize = 16_384;

/// Decisions of a webhook that are remembered, a few hundred bytes each.
pub(crate) const DECISIONS_MAX: usize = 65_536;

/// Checks in one question to a webhook.
pub(crate) const WEBHOOK_CHECKS_MAX: usize = 256;

/// Time for which a revocation is in force that does not say until when, in milliseconds: 400 days, longer than any token should live.
pub(crate) const REVOKED_MS: u64 = 400 * 86_400_000;

/// Revocations in force. All are held in memory, a few hundred bytes each.
pub(crate) const REVOKED_MAX: usize = 16_384;

/// Revocations that are over and are forgotten with the next one.
pub(crate) const REVOKED_FORGET_MAX: usize = 256;

/// Longest body of a request for a revocation, in bytes. The name of a room in it has at most 256.
pub(crate) const REVOCATION_BODY_BYTES_MAX: usize = 4 << 10;

/// Time that a handler has for an answer unless its type says otherwise, in milliseconds. A device waits meanwhile.
pub(crate) const HANDLER_MS: u64 = 5_000;

/// Time that an application has to take what a hook tells, unless the hook says otherwise, in milliseconds. Nobody waits for it.
pub(crate) const HOOK_MS: u64 = 15_000;

/// What waits for the task of one hook. Beyond it the task is told to read the store.
pub(crate) const HOOK_INBOX_MAX: usize = 1_024;

/// Keys of what hooks are to be told that are read at once.
pub(crate) const HOOK_PAGE: usize = 512;

/// Questions to one handler that may be under way. The next ones wait as long as one may take.
pub(crate) const HANDLER_CALLS_MAX: usize = 16;

/// Longest answer of a handler, in bytes.
pub(crate) const HANDLER_ANSWER_BYTES_MAX: usize = 64 << 10;

/// Failures in a row after which a handler is not asked for a while.
pub(crate) const HANDLER_FAILURES_MAX: u32 = 5;

/// First and longest time for which a handler that fails is not asked, in milliseconds. It doubles in between.
pub(crate) const HANDLER_PAUSE_MS: std::ops::RangeInclusive<u64> = 10_000..=300_000;

/// Longest body of a request to `/sync/v1`, in bytes. It is held whole, and at most a few times over while it is read.
pub(crate) const SYNC_BODY_BYTES_MAX: usize = 8 << 20;

/// Bytes that are unpacked at once from a body that is packed with zstd.
pub(crate) const UNPACKED_PIECE_BYTES: usize = 64 << 10;

/// Window of a body that is packed with zstd, in bytes as a power of two. The decoder allocates as much as the body says that
/// it needs; RFC 9659 has nobody send more than 8 MiB.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Longest that a pull waits for a change, in milliseconds: less than proxies wait for an answer.
pub(crate) const PULL_WAIT_MS_MAX: u64 = 50_000;

/// After how long a client without a live connection asks again, as it is advised, in milliseconds.
pub(crate) const POLL_AFTER_MS: u64 = 30_000;

/// Conflicts in one page of their list.
pub(crate) const CONFLICTS_PAGE: usize = 100;

/// Connections that speak HTTP: not yet upgraded, or never. Beyond it the kernel's backlog holds the others. A silent
/// one is closed after [`syncline_core::limits::HEADER_MS_MAX`].
pub(crate) const HTTP_CONNECTIONS_MAX: usize = 8_192;

/// Pieces of one head of a request, or of what is agreed on before for TLS, that are read as they come. Nearly all heads are one.
pub(crate) const HEAD_PIECES_AT_ONCE: u32 = 8;

/// The time between two that are read later, in milliseconds: so short that a head of a few more is in time.
pub(crate) const HEAD_PIECE_EVERY_MS: u64 = 500;

/// The least that is read as it comes however many there are, in bytes. A long head is a row of them.
pub(crate) const HEAD_PIECE_BYTES: usize = 512;

/// Upgrades under way, from the complete request head to the room that has taken the connection in. Beyond it they
/// wait, so that a storm of reconnects does not load ten thousand documents at once.
pub(crate) const HANDSHAKES_MAX: usize = 512;

/// Time in which whoever connects must have agreed on keys, in milliseconds: as long as for the head of a request.
pub(crate) const TLS_HANDSHAKE_MS_MAX: u64 = 5_000;

/// Time for which an upgrade waits for its turn, in milliseconds, before it is told to come again.
pub(crate) const HANDSHAKE_WAIT_MS_MAX: u64 = 5_000;

/// Longest that a token for one document lasts, in milliseconds: a day.
pub(crate) const DOCUMENT_TOKEN_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Tokens for documents that are remembered: some tens of MiB.
pub(crate) const DOCUMENT_TOKENS_MAX: usize = 65_536;

/// Tokens for documents that one user may have handed out, who may be a whole application.
pub(crate) const DOCUMENT_TOKENS_PER_USER_MAX: usize = 16_384;

/// Documents that are read and decoded at the same time. Each holds its log and its document in memory meanwhile.
pub(crate) const LOADS_MAX: usize = 4;

/// Bytes that a WebSocket reads at once, allocated for every connection.
pub(crate) const READ_BUFFER_BYTES: usize = 4 << 10;

/// Bytes that a WebSocket may hold for writing. At most two fragments, a ping and a close frame are in it; tungstenite
/// refuses a frame that does not fit, so there is room to spare.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 1 << 20;

/// Message that is not charged to the budget of inbound bytes. The inboxes of the rooms bound the number of such.
pub(crate) const UNCHARGED_MESSAGE_BYTES: usize = 1 << 10;

/// Messages that one WebSocket may send, a second. People make a few dozen; a client that comes back makes some hundred at once.
pub(crate) const CONNECTION_MESSAGES_PER_S: u64 = 2_000;

/// Bytes that one WebSocket may send, a second.
pub(crate) const CONNECTION_BYTES_PER_S: u64 = 32 << 20;

/// Messages and requests of one user, a second: several tabs and devices that come back at once.
pub(crate) const USER_MESSAGES_PER_S: u64 = 4_000;

/// Bytes of one user, a second.
pub(crate) const USER_BYTES_PER_S: u64 = 64 << 20;

/// Messages and requests of one tenant, a second. About as many as a server of a few cores takes in.
pub(crate) const TENANT_MESSAGES_PER_S: u64 = 100_000;

/// Bytes of one tenant, a second.
pub(crate) const TENANT_BYTES_PER_S: u64 = 512 << 20;

/// WebSockets and streams that one user may have open. One token may be that of a whole application.
pub(crate) const USER_CONNECTIONS_MAX: usize = 1_000;

/// Requests that may come from one address, a second. An office has one address for all of its people.
pub(crate) const ADDRESS_REQUESTS_PER_S: u64 = 1_000;

/// Connections that may be opened from one address, a second; ten times as many at once, when all of an office come back.
pub(crate) const ADDRESS_CONNECTIONS_PER_S: u64 = 100;

/// Time in which the body of a request must have come that is held whole, in milliseconds: 8 MiB come in it over a slow line. A line
/// of an import has as long from its first byte on.
pub(crate) const BODY_MS_MAX: u64 = 120_000;

/// When whoever found no room in the store may look again, in milliseconds: somebody has to make some.
pub(crate) const STORAGE_FULL_RETRY_MS: u64 = 60_000;

/// Users, or addresses, that are counted at the same time how fast they go on. Some MiB. Those who have sent nothing for a while
/// are not among them; whoever comes beyond it is not counted.
pub(crate) const METERS_MAX: usize = 16_384;

/// Time between two pings of the server's, in milliseconds. A connection that was silent for two of them is gone.
pub(crate) const PING_MS: u64 = 30_000;

/// Time for which a closed connection may answer the close frame, in milliseconds.
pub(crate) const CLOSE_MS_MAX: u64 = 3_000;

/// Time in which the rooms must store what they have when the server stops, in milliseconds.
pub(crate) const DRAIN_MS_MAX: u64 = 3_000;

/// Time for which a connection may take what is queued for it when the server stops, in milliseconds.
pub(crate) const FAREWELL_MS_MAX: u64 = 2_000;

/// First and longest pause between two attempts to open a failed store again, in milliseconds. It doubles in between.
pub(crate) const REOPEN_MS: std::ops::RangeInclusive<u64> = 100..=5_000;

/// Times in a row that a start may find a document's load unfinished before the document is quarantined. A `kill -9`
/// during a load looks like an abort, so it takes one more than the failures that are seen to be failures.
pub(crate) const UNFINISHED_LOADS_MAX: u32 = 3;

/// Rooms that the list of rooms shows. A person reads no more, and it is written anew every second.
pub(crate) const LISTED_ROOMS_MAX: usize = 200;

/// People of one room that the list shows.
pub(crate) const LISTED_PEOPLE_MAX: usize = 16;

/// Least time between two lists of rooms, in milliseconds.
pub(crate) const LIST_EVERY_MS: u64 = 1_000;

/// Time for which a list of rooms waits for what it lacks: for rooms to say who is in them, and the first one for the
/// names of stored rooms. In milliseconds.
pub(crate) const LIST_DESCRIBE_MS_MAX: u64 = 100;

/// Those who are told of every new list of rooms. Each holds a connection open.
pub(crate) const LIST_LISTENERS_MAX: usize = 256;

/// Silence after which a listener gets a comment, in milliseconds: proxies close what is silent for a minute.
pub(crate) const LIST_HEARTBEAT_MS: u64 = 15_000;

/// Those who are told of changes of documents as they come. Each holds a connection open, and what waits for it.
pub(crate) const CHANGE_READERS_MAX: usize = 1_024;

/// Documents of which a change waits for one reader. Beyond it they are told that they have missed some.
pub(crate) const CHANGES_WAITING_MAX: usize = 128;

/// Authors that one change names: a few hundred bytes each.
pub(crate) const CHANGE_AUTHORS_MAX: usize = 16;

/// Changes of all tenants that are remembered for readers who come again.
pub(crate) const CHANGES_KEPT: usize = 1_024;

/// Names of rooms that are read from the store at once.
pub(crate) const NAMES_PAGE: usize = 128;

/// Stack of every thread that touches a document, in bytes. yrs recurses over nested types when it deletes them.
pub const STACK_BYTES: usize = 8 << 20;
