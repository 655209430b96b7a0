//! The loop of a connection.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::StreamExt;
use syncline_core::{
    id::{CommitNumber, ConnectionId},
    time::MonotonicMs,
};
use syncline_protocol::{Batch, CloseReason, Session, Written};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{self, error::TrySendError},
    time::{Sleep, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

use super::{
    End,
    line::{Dead, Line},
    socket::{Socket, is_budget_spent},
    writer::Writer,
};
use crate::{epoch::Epoch, outbox::SharedOutbox, room::ToRoom};

/// A connection in a room.
///
/// It reads and writes independently: a client that does not take what it is sent is still read, or two that write to
/// each other would wait for ever. It stops reading while the room's inbox is full.
pub(super) struct Connection<'a, S> {
    id: ConnectionId,
    epoch: &'a Epoch,
    ws: &'a mut WebSocketStream<Socket<S>>,
    session: Session,
    outbox: Arc<SharedOutbox>,
    room: mpsc::Sender<ToRoom>,
    /// What the room's inbox had no place for. Nothing is read meanwhile.
    held_back: VecDeque<ToRoom>,
    writer: Writer,
    line: Line,
    /// Bytes written that the metrics know of.
    counted: u64,
}

enum Event {
    Halted(CloseReason),
    Timer,
    /// The outbox has something.
    Outbox,
    /// The room took something that was held back.
    RoomTook,
    Wrote(Result<(), tungstenite::Error>),
    Read(Option<Result<Message, tungstenite::Error>>),
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    pub(super) fn new(
        id: ConnectionId,
        epoch: &'a Epoch,
        ws: &'a mut WebSocketStream<Socket<S>>,
        outbox: Arc<SharedOutbox>,
        room: mpsc::Sender<ToRoom>,
    ) -> Self {
        let now = epoch.clock.monotonic();
        Self {
            id,
            epoch,
            ws,
            session: Session::new(now),
            outbox,
            room,
            held_back: VecDeque::new(),
            writer: Writer::default(),
            line: Line::new(now),
            counted: 0,
        }
    }

    /// Runs the connection until it must be closed or is lost.
    pub(super) async fn run(mut self, halted: impl Future<Output = CloseReason>) -> End {
        let mut halted = std::pin::pin!(halted);
        let mut timer = std::pin::pin!(sleep_until(self.epoch.clock.instant(self.due_at())));
        loop {
            if let Some(end) = self.fill_writer() {
                return end;
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
        let Self { ws, writer, held_back, room, outbox, .. } = self;
        let idle = writer.is_idle();
        let reads = held_back.is_empty();
        tokio::select! {
            biased;
            reason = halted => Event::Halted(reason),
            () = timer => Event::Timer,
            place = room.reserve(), if !reads => {
                match (place, held_back.pop_front()) {
                    (Ok(place), Some(message)) => place.send(message),
                    // The room has ended and says why in the outbox.
                    _ => held_back.clear(),
                }
                Event::RoomTook
            }
            () = outbox.changed(), if idle => Event::Outbox,
            event = poll_fn(|cx| poll_socket(ws, writer, reads, cx)) => event,
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Halted(reason) => Err(End::Close(reason)),
            Event::Timer => self.handle_timer(),
            Event::Outbox => Ok(()),
            Event::RoomTook => {
                self.line.heard(self.epoch.clock.monotonic());
                Ok(())
            }
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

    fn handle_timer(&mut self) -> Result<(), End> {
        let now = self.epoch.clock.monotonic();
        let stalled = |Dead| End::Close(CloseReason::Stalled);
        if self.writer.is_idle() {
            if let Some(frame) = self.session.handle_timeout(now) {
                self.write(now, Batch::new(CommitNumber(0), vec![frame]));
            }
        } else {
            self.line.check_writing(now, self.ws.get_ref().written()).map_err(stalled)?;
        }
        if !self.held_back.is_empty() {
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
        let mut charge = self.ws.get_mut().take_charge();
        let requests = self.session.receive(&frame).map_err(End::Close)?;
        let mut requests = requests.into_iter().peekable();
        while let Some(request) = requests.next() {
            // The room handles them in order, so the last one gives back what the frame was charged.
            let charge = if requests.peek().is_none() { charge.detach() } else { charge.none() };
            self.tell_room(ToRoom::Request { connection: self.id, request, charge });
        }
        Ok(())
    }

    /// Takes from the outbox what fits into one write. Returns how the connection ends if all is written.
    fn fill_writer(&mut self) -> Option<End> {
        while self.writer.has_room() {
            match self.outbox.poll() {
                Written::Batch(batch) => self.write(self.epoch.clock.monotonic(), batch),
                Written::AskResume(since) => {
                    self.tell_room(ToRoom::Resume { connection: self.id, since });
                }
                Written::Close(reason) => return self.writer.is_idle().then_some(End::Close(reason)),
                Written::Idle => break,
            }
        }
        None
    }

    fn write(&mut self, now: MonotonicMs, batch: Arc<Batch>) {
        if self.writer.is_idle() {
            self.line.took(now, self.ws.get_ref().written());
        }
        self.writer.push(batch);
    }

    fn tell_room(&mut self, message: ToRoom) {
        if !self.held_back.is_empty() {
            self.held_back.push_back(message);
            return;
        }
        match self.room.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Full(message)) => self.held_back.push_back(message),
            // The room has ended and says why in the outbox.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    fn due_at(&self) -> MonotonicMs {
        let due = if self.writer.is_idle() { self.session.poll_timeout() } else { self.line.stalled_at() };
        due.min(self.line.ping_at())
    }
}

/// Writes what there is to write, and reads unless the room has no place for more.
fn poll_socket<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<Socket<S>>,
    writer: &mut Writer,
    reads: bool,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    if !writer.is_idle()
        && let Poll::Ready(result) = writer.poll_written(ws, cx)
    {
        return Poll::Ready(Event::Wrote(result));
    }
    if reads { ws.poll_next_unpin(cx).map(Event::Read) } else { Poll::Pending }
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
