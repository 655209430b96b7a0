//! A client of a relay on a bare TCP socket: as few cycles a frame as possible, so that the server is what is measured.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dialect::Dialect;
use crate::frame;
use crate::server::Server;
use crate::wire::{self, Message};

/// A connection to one room that has the room's state.
pub(crate) struct Client {
    socket: TcpStream,
    dialect: Dialect,
    /// What stands before each message in its frame: nothing in y-websocket.
    address: Vec<u8>,
    /// How many updates were confirmed, where the protocol counts them.
    confirmed: u64,
    /// What was read from the socket; `unread` is the part of it that was not handed out yet.
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// The fragments so far of a message that comes in several frames.
    fragments: Vec<u8>,
}

/// How much of a socket one read takes at first, in bytes; a longer frame makes the buffer grow.
const READ_BYTES: usize = 8 * 1024;

impl Client {
    /// Connects to a room and does what a client does first: it sends its state, and waits for the room's.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::InvalidData`] if the server does not upgrade or speaks another protocol.
    pub(crate) async fn join(server: &Server, room: &str) -> io::Result<Self> {
        let (client, _state) = Self::join_with_state(server, room).await?;
        Ok(client)
    }

    /// Does the same, and returns the update that brought the state, too.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub(crate) async fn join_with_state(server: &Server, room: &str) -> io::Result<(Self, Vec<u8>)> {
        let mut client = Self::connect(server.address(), &server.path(room), server.dialect()).await?;
        // A Hocuspocus server asks and answers in any order, and its question is expected.
        let mut is_asked = client.dialect == Dialect::YWebsocket;
        if client.dialect == Dialect::Hocuspocus {
            client.address = wire::address(room);
            client.send(&wire::token(server.token())).await?;
        }
        client.send(&wire::STEP1).await?;
        let mut state = None;
        while state.is_none() || !is_asked {
            let (answers, confirmed) = match client.message().await? {
                Message::Step1 => (true, 0),
                Message::Step2(update) => {
                    state = Some(update.to_vec());
                    (false, 0)
                }
                Message::Confirmed => (false, 1),
                Message::Update(_) | Message::Other => (false, 0),
            };
            client.confirmed += confirmed;
            if answers {
                is_asked = true;
                client.send(&wire::STEP2).await?;
            }
        }
        Ok((client, state.unwrap_or_default()))
    }

    /// Connects to a path of a server, and says nothing.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::InvalidData`] if the server does not upgrade.
    pub(crate) async fn connect(address: SocketAddr, path: &str, dialect: Dialect) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        // The key is the example of RFC 6455: a browser draws one, and this client does not check the answer to it.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;

        let mut client = Self {
            socket,
            dialect,
            address: Vec::new(),
            confirmed: 0,
            buffer: vec![0; READ_BYTES],
            unread: 0..0,
            fragments: Vec::new(),
        };
        let head_end = loop {
            let head = &client.buffer[client.unread.clone()];
            if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            client.fill().await?;
        };
        let status = String::from_utf8_lossy(
            client.buffer[..head_end].split(|&byte| byte == b'\r').next().unwrap_or(b""),
        );
        if !status.starts_with("HTTP/1.1 101") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {status}")));
        }
        client.unread.start = head_end;
        Ok(client)
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// Any error of the socket.
    pub(crate) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(self.address.len() + message.len() + 14);
        self.write(&mut frame, message);
        self.send_frames(&frame).await
    }

    /// Appends a message as a frame.
    pub(crate) fn write(&self, frames: &mut Vec<u8>, message: &[u8]) {
        frame::write(frames, frame::BINARY, &[&self.address, message]);
    }

    /// Sends what [`write`](Self::write) has written, in one system call if it can.
    ///
    /// # Errors
    ///
    /// Any error of the socket.
    pub(crate) async fn send_frames(&mut self, frames: &[u8]) -> io::Result<()> {
        self.socket.write_all(frames).await
    }

    /// Returns the next message.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::ConnectionAborted`] with the code if the server closes.
    pub(crate) async fn message(&mut self) -> io::Result<Message<'_>> {
        let address_len = self.address.len();
        let frame = self.receive().await?;
        // What has no address is a sign of life.
        frame.get(address_len..).map_or(Ok(Message::Other), wire::parse)
    }

    /// Returns the next message as bytes. Pings are answered.
    ///
    /// # Errors
    ///
    /// Any error of the socket; [`io::ErrorKind::ConnectionAborted`] with the code if the server closes.
    pub(crate) async fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            let Some(frame) = frame::read(&self.buffer[self.unread.clone()]) else {
                self.fill().await?;
                continue;
            };
            let start = self.unread.start;
            let payload = start + frame.payload..start + frame.end;
            self.unread.start = payload.end;
            match (frame.opcode, frame.is_last) {
                (frame::BINARY, true) => return Ok(&self.buffer[payload]),
                (frame::BINARY, false) => self.fragments = self.buffer[payload].to_vec(),
                (frame::CONTINUATION, is_last) => {
                    self.fragments.extend_from_slice(&self.buffer[payload]);
                    if is_last {
                        return Ok(&self.fragments);
                    }
                }
                (frame::CLOSE, _) => return Err(closed(&self.buffer[payload])),
                (frame::PING, _) => {
                    let mut pong = Vec::new();
                    frame::write(&mut pong, frame::PONG, &[&self.buffer[payload]]);
                    self.socket.write_all(&pong).await?;
                }
                _ => {}
            }
        }
    }

    /// Receives until more than `seen` updates of this client, which `writer` typed one by one, are confirmed in the way of the
    /// protocol, and returns how many.
    ///
    /// # Errors
    ///
    /// As [`typed_beyond`](Self::typed_beyond).
    pub(crate) async fn confirmed_beyond(&mut self, writer: u64, seen: u64) -> io::Result<u64> {
        if self.dialect == Dialect::YWebsocket {
            return self.typed_beyond(writer, seen).await;
        }
        // The first is for the answer that it gave when it joined.
        while self.confirmed <= seen + 1 {
            if self.message().await? == Message::Confirmed {
                self.confirmed += 1;
            }
        }
        Ok(self.confirmed - 1)
    }

    /// Receives until the room has delivered what `writer` typed beyond `seen`, and returns the clock that it now has.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive); [`io::ErrorKind::InvalidData`] if a character is missing.
    pub(crate) async fn typed_beyond(&mut self, writer: u64, seen: u64) -> io::Result<u64> {
        loop {
            let Message::Update(update) = self.message().await? else { continue };
            match wire::typed(update, writer)? {
                Some(typed) if typed.start > seen => {
                    let gap =
                        format!("characters {seen} to {} of writer {writer} were not delivered", typed.start);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, gap));
                }
                Some(typed) if typed.end > seen => return Ok(typed.end),
                _ => {}
            }
        }
    }

    /// Reads more; what was handed out makes room, and a buffer that one frame fills doubles.
    async fn fill(&mut self) -> io::Result<()> {
        if self.unread.start > 0 {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.socket.read(&mut self.buffer[self.unread.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.unread.end += read;
                Ok(())
            }
        }
    }
}

fn closed(payload: &[u8]) -> io::Error {
    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
    io::Error::new(io::ErrorKind::ConnectionAborted, format!("the server closed with code {code}"))
}
