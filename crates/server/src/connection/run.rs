//! The loop of a connection.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::StreamExt;
use syncline_core::{
    id::{CommitNumber, RoomName},
    time::MonotonicMs,
};
use syncline_protocol::{Access, Action, Batch, CloseReason, Guest, Session, Slot, Written};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

use super::{
    End,
    bearers::{Bearers, Changed},
    documents::Documents,
    line::{Dead, Line},
    socket::{Socket, is_budget_spent},
    throttle::Throttle,
    writer::Writer,
};
use crate::{
    clock::Clock,
    epoch::Epoch,
    inbound::Charge,
    outbox::Ready,
    quota::{Limit, Payer, Place},
    registry::{NotOpened, RoomKey},
    room::ToRoom,
    shared::Shared,
};

/// A connection and the rooms that it is in.
///
/// It reads and writes independently: a client that does not take what it is sent is still read, or two that write to
/// each other would wait for ever. It stops reading while the inbox of a room is full.
pub(super) struct Connection<'a, S> {
    epoch: &'a Epoch,
    ws: &'a mut WebSocketStream<Socket<S>>,
    session: Session,
    documents: &'a mut Documents,
    ready: Arc<Ready>,
    guests: Guests<'a>,
    writer: Writer,
    line: Line,
    throttle: Throttle,
    /// Among those of the first who has proved who they are, or of the tenant; absent until a document is opened.
    place: Option<Place>,
    /// Bytes written that the metrics know of.
    counted: u64,
    /// Why the connection is closed when all is written.
    closing: Option<CloseReason>,
}

/// As whom a connection joins rooms.
pub(super) struct Guests<'a> {
    pub(super) shared: &'a Shared,
    /// Who has shown which token.
    pub(super) bearers: Bearers,
    /// Given back when the first room has taken the connection in.
    pub(super) handshake: Option<OwnedSemaphorePermit>,
}

enum Event {
    Halted(CloseReason),
    Timer,
    /// It is known what the bearer of a token may do, or may have changed.
    Bearers(Changed),
    /// An outbox has something.
    Outbox,
    /// A room took something that was held back, or no room is opened any more.
    RoomTook(Result<(), NotOpened>),
    Wrote(Result<(), tungstenite::Error>),
    Read(Option<Result<Message, tungstenite::Error>>),
    /// What came in of a message is as much as may come for now.
    Paused,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    pub(super) fn new(
        epoch: &'a Epoch,
        ws: &'a mut WebSocketStream<Socket<S>>,
        session: Session,
        documents: &'a mut Documents,
        guests: Guests<'a>,
    ) -> Self {
        let (shared, now) = (guests.shared, epoch.clock.monotonic());
        Self {
            epoch,
            ws,
            session,
            ready: documents.ready(),
            documents,
            guests,
            writer: Writer::default(),
            line: Line::new(now),
            throttle: Throttle::new(&shared.quota, &shared.pace, &shared.metrics, now),
            place: None,
            counted: 0,
            closing: None,
        }
    }

    /// Runs the connection until it must be closed or is lost.
    pub(super) async fn run(mut self, halted: impl Future<Output = CloseReason>) -> End {
        let mut halted = std::pin::pin!(halted);
        let mut timer = std::pin::pin!(sleep_until(self.epoch.clock.instant(self.due_at())));
        // Who has proved who they are takes a place before they open anything.
        if let Some(payer) = self.guests.bearers.first_payer()
            && let Err(end) = self.take_place(payer)
        {
            return end;
        }
        if let Err(end) = self.act(None) {
            return end;
        }
        loop {
            if let Err(end) = self.expire() {
                return end;
            }
            self.fill_writer();
            if let Some(reason) = self.closing.filter(|_| self.writer.is_idle()) {
                return End::Close(reason);
            }
            // A timer that is due too early finds nothing to do and is set again: cheaper than setting it each time.
            let due = self.epoch.clock.instant(self.due_at());
            if due < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(due);
            }
            let event = self.event(halted.as_mut(), timer.as_mut()).await;
            if let Err(end) = self.handle(event) {
                return end;
            }
        }
    }

    async fn event(
        &mut self,
        halted: Pin<&mut impl Future<Output = CloseReason>>,
        timer: Pin<&mut Sleep>,
    ) -> Event {
        let Self { ws, writer, documents, ready, guests, throttle, line, epoch, .. } = self;
        let anybody = !guests.bearers.is_empty();
        let idle = writer.is_idle();
        let now = epoch.clock.monotonic();
        let is_behind = documents.is_behind();
        if throttle.waits(now) {
            line.heard(now);
        }
        let mut throttle = (!is_behind && !throttle.waits(now)).then_some(throttle);
        tokio::select! {
            biased;
            reason = halted => Event::Halted(reason),
            () = timer => Event::Timer,
            bearers = guests.bearers.changed(), if anybody => Event::Bearers(bearers),
            took = documents.deliver(), if is_behind => Event::RoomTook(took),
            () = ready.changed(), if idle => Event::Outbox,
            event = poll_fn(|cx| poll_socket(ws, writer, throttle.as_deref_mut(), epoch.clock, cx)) => event,
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Halted(reason) => Err(End::Close(reason)),
            Event::Timer => self.handle_timer(),
            Event::Bearers(Changed::Leases) => Ok(()),
            Event::Bearers(Changed::Access(slot, access)) => {
                self.session.authorized(slot, access);
                self.act(None)
            }
            Event::Bearers(Changed::Closed(slot, reason)) => {
                self.session.withdrawn(slot, reason);
                self.act(None)
            }
            Event::Outbox | Event::Paused => Ok(()),
            Event::RoomTook(Ok(())) => {
                self.line.heard(self.epoch.clock.monotonic());
                Ok(())
            }
            Event::RoomTook(Err(NotOpened::Closed)) if self.epoch.halt.is_set() => {
                Err(End::Close(CloseReason::StoreDown))
            }
            Event::RoomTook(Err(NotOpened::Closed)) => Err(End::Close(CloseReason::Shutdown)),
            Event::RoomTook(Err(NotOpened::TooMany)) => Err(self.used_up(Limit::TenantRooms)),
            Event::Wrote(Ok(())) => {
                self.session.wrote(self.epoch.clock.monotonic());
                let written = self.ws.get_ref().written();
                self.epoch.metrics.sent(written - self.counted);
                self.counted = written;
                Ok(())
            }
            Event::Wrote(Err(_)) | Event::Read(None) => Err(End::Lost),
            Event::Read(Some(Ok(message))) => {
                self.line.heard(self.epoch.clock.monotonic());
                self.receive(message)
            }
            Event::Read(Some(Err(error))) => Err(end_of(&error)),
        }
    }

    /// Closes the documents for which what the client showed is good no longer.
    fn expire(&mut self) -> Result<(), End> {
        if self.guests.bearers.is_empty() {
            return Ok(());
        }
        for (slot, is_only_undecided) in self.guests.bearers.take_ended(self.epoch.clock.now().wall) {
            let reason = if is_only_undecided { CloseReason::Overloaded } else { CloseReason::Unauthorized };
            self.session.withdrawn(slot, reason);
        }
        self.act(None)
    }

    fn handle_timer(&mut self) -> Result<(), End> {
        let now = self.epoch.clock.monotonic();
        let stalled = |Dead| End::Close(CloseReason::Stalled);
        if self.writer.is_idle() {
            self.session.handle_timeout(now);
            self.act(None)?;
        } else {
            self.line.check_writing(now, self.ws.get_ref().written()).map_err(stalled)?;
        }
        if self.documents.is_behind() {
            self.line.heard(now);
        }
        if self.line.poll_ping(now).map_err(stalled)? {
            if self.writer.is_idle() {
                self.line.took(now, self.ws.get_ref().written());
            }
            let ping = Message::Ping(Bytes::new());
            self.writer.feed(self.ws, ping).map_err(|_| End::Lost)?;
        }
        Ok(())
    }

    fn receive(&mut self, message: Message) -> Result<(), End> {
        let frame = match message {
            Message::Binary(frame) => frame,
            Message::Text(_) => return Err(End::Close(CloseReason::Malformed("text frame"))),
            Message::Close(_) => return Err(End::ByClient),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        self.epoch.metrics.received(frame.len());
        let charge = self.ws.get_mut().take_charge();
        self.session.receive(&frame);
        self.act(Some(charge))
    }

    /// Does what the session says. The last request gives back what the frame was charged when it has been handled,
    /// since rooms handle requests in order.
    fn act(&mut self, charge: Option<Charge>) -> Result<(), End> {
        let mut charge = charge.unwrap_or_else(|| Charge::new(&self.guests.shared.inbound));
        let mut next = self.session.poll_action();
        while let Some(action) = next {
            next = self.session.poll_action();
            match action {
                Action::Authorize { slot, room, token } => {
                    // It was proved to be text when the frame was parsed.
                    let token = String::from_utf8_lossy(&token).into_owned();
                    let now = self.epoch.clock.now().wall;
                    self.guests.bearers.ask(now, slot, room, token);
                }
                // What it asks for first is charged until it is known whether it may.
                Action::Admit { slot, room } => {
                    let now = self.epoch.clock.now().wall;
                    self.guests.bearers.admit(now, slot, room, charge.detach());
                }
                Action::Open { slot, room, access } => self.open(slot, room, access)?,
                Action::Access { slot, access } => {
                    self.documents.tell(slot, |connection| ToRoom::Access { connection, access });
                }
                Action::Request { slot, request } => {
                    let charge = if next.is_none() { charge.detach() } else { charge.none() };
                    let lease = self.guests.bearers.lease(slot);
                    let tell = |connection| ToRoom::Request { connection, request, lease, charge };
                    self.documents.tell(slot, tell);
                }
                Action::Leave { slot } => {
                    self.guests.bearers.forget(slot);
                    self.documents.leave(slot);
                }
                Action::Write(frame) => {
                    self.write(self.epoch.clock.monotonic(), Batch::new(CommitNumber(0), vec![frame]));
                }
                Action::Close(reason) => return Err(End::Close(reason)),
            }
        }
        Ok(())
    }

    fn open(&mut self, slot: Slot, room: RoomName, access: Access) -> Result<(), End> {
        let Some(tenant) = self.guests.bearers.tenant() else {
            // A token said whose before anything was opened with it.
            self.closing = Some(CloseReason::Unauthorized);
            return Ok(());
        };
        let connection = self.guests.shared.next_connection();
        let author = self.guests.bearers.author(slot);
        let guest = Guest { author, access, dialect: self.session.dialect() };
        if self.place.is_none() {
            self.take_place(self.guests.bearers.payer(slot).unwrap_or_else(|| Payer::of(None)))?;
        }
        let key = RoomKey { tenant, name: room };
        self.documents.open(slot, key, connection, guest, self.guests.handshake.take());
        Ok(())
    }

    fn take_place(&mut self, payer: Payer) -> Result<(), End> {
        let place = self.guests.shared.usage.place(&payer);
        self.place = Some(place.map_err(|limit| self.used_up(limit))?);
        self.throttle.paid_by(payer);
        Ok(())
    }

    /// Returns how a connection ends for which a quota leaves no place.
    fn used_up(&self, limit: Limit) -> End {
        self.epoch.metrics.limited(limit);
        End::Close(CloseReason::Busy(limit.name()))
    }

    /// Takes from the outboxes what fits into one write.
    fn fill_writer(&mut self) {
        while self.writer.has_room() && self.closing.is_none() {
            let Some((slot, written)) = self.documents.poll() else { break };
            let now = self.epoch.clock.monotonic();
            match written {
                Written::Batch(batch) => {
                    if let Some(batch) = self.session.dress(slot, batch) {
                        self.write(now, batch);
                    }
                }
                Written::Acknowledge(updates) => {
                    if let Some(batch) = self.session.acknowledge(slot, updates) {
                        self.write(now, batch);
                    }
                }
                Written::Charge(bytes) => self.throttle.spend(now, 0, bytes),
                Written::Kept(version) => {
                    if let Some(batch) = self.session.kept(slot, version) {
                        self.write(now, batch);
                    }
                }
                Written::AskResume(since) => {
                    self.documents.tell(slot, |connection| ToRoom::Resume { connection, since });
                }
                Written::Close(reason) => {
                    if let CloseReason::OverQuota(setting) = reason {
                        self.epoch.metrics.limited_by(setting);
                    }
                    self.documents.forget(slot);
                    self.guests.bearers.forget(slot);
                    self.session.closed(slot, reason);
                    if let Err(End::Close(reason)) = self.act(None) {
                        self.closing = Some(reason);
                    }
                }
                Written::Idle => {}
            }
        }
    }

    fn write(&mut self, now: MonotonicMs, batch: Arc<Batch>) {
        if self.writer.is_idle() {
            self.line.took(now, self.ws.get_ref().written());
        }
        self.writer.push(batch);
    }

    fn due_at(&self) -> MonotonicMs {
        let due = if self.writer.is_idle() { self.session.poll_timeout() } else { self.line.stalled_at() };
        let due = due.min(self.line.ping_at());
        let now = self.epoch.clock.monotonic();
        let due = if self.throttle.waits(now) { due.min(self.throttle.ready_at()) } else { due };
        let end = self.guests.bearers.first_end();
        end.map_or(due, |end| due.min(self.epoch.clock.monotonic_at(end)))
    }
}

/// Writes what there is to write, and reads if there is a throttle to say how fast.
fn poll_socket<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<Socket<S>>,
    writer: &mut Writer,
    throttle: Option<&mut Throttle>,
    clock: Clock,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    if !writer.is_idle()
        && let Poll::Ready(result) = writer.poll_written(ws, cx)
    {
        return Poll::Ready(Event::Wrote(result));
    }
    let Some(throttle) = throttle else { return Poll::Pending };
    let read = ws.poll_next_unpin(cx);
    let bytes = ws.get_mut().take_unmetered();
    let messages = u64::from(read.is_ready());
    if messages + bytes == 0 {
        return Poll::Pending;
    }
    let now = clock.monotonic();
    throttle.spend(now, messages, bytes);
    match read {
        Poll::Ready(read) => Poll::Ready(Event::Read(read)),
        Poll::Pending if throttle.waits(now) => Poll::Ready(Event::Paused),
        Poll::Pending => Poll::Pending,
    }
}

fn end_of(error: &tungstenite::Error) -> End {
    use tungstenite::{Error, error::ProtocolError};
    match error {
        Error::Capacity(_) => End::Close(CloseReason::TooLarge),
        Error::Io(error) if is_budget_spent(error) => End::Close(CloseReason::TooLarge),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Lost,
        Error::Protocol(_) => End::Close(CloseReason::Malformed("websocket frame")),
        Error::Utf8(_) => End::Close(CloseReason::Malformed("text frame")),
        _ => End::Lost,
    }
}
