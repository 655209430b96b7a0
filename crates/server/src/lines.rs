//! Lines of what is too long to be held whole: of the body of a request, and of a file.

use std::{
    io::{self, BufRead, Read},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use syncline_core::limits::WRITE_STALL_MS_MAX;
use tokio::time::{Instant, timeout};

use crate::{inbound::Charge, limits::BODY_MS_MAX};

/// A line, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes, without its end.
    Whole(Vec<u8>),
    /// It was not held. What is left of it is passed over when the next one is asked for.
    Passed(Passed),
}

/// Why a line is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Passed {
    /// It has more bytes than a line may have.
    #[error("the line is too long")]
    TooLong,
    /// The server holds as many bytes as it may that are not handled yet.
    #[error("too much is sent at the same time; send it again")]
    NoRoom,
}

/// Why no more lines come of a body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoLine {
    #[error("nothing more of the body has come for a while")]
    Silent,
    #[error("a line of the body has come too slowly")]
    Slow,
    #[error("the body broke off: {0}")]
    BrokenOff(axum::Error),
}

/// The lines of a body, of which no more than one is held.
pub(crate) struct Lines {
    body: BodyDataStream,
    line_bytes_max: usize,
    /// What is charged for the line that is held, if anyone counts its bytes.
    charge: Option<Charge>,
    /// What is still to be read of what has come last.
    piece: Bytes,
    /// The line whose end has not come. A byte is copied here once, whatever comes with it and behind it.
    begun: Vec<u8>,
    /// Whether the bytes up to the next end of a line are passed over.
    passing: bool,
    /// How many bytes have come.
    received: u64,
    patience: Patience,
}

/// How long whoever sends has been waited for. While nobody reads, as who is to come slower is not read, no time passes.
#[derive(Debug)]
struct Patience {
    silence_max: Duration,
    line_max: Duration,
    /// Since the last bytes came.
    silence: Duration,
    /// Since the first byte of the line that is coming.
    line: Duration,
}

/// Counts the time until it is dropped.
struct Waiting<'a> {
    patience: &'a mut Patience,
    is_begun: bool,
    since: Instant,
}

impl Lines {
    /// Returns the lines of a body. Who sends it may be silent for [`WRITE_STALL_MS_MAX`], and has [`BODY_MS_MAX`] for each line.
    pub(crate) fn of(body: Body, line_bytes_max: usize) -> Self {
        let [silence_max, line_max] = [WRITE_STALL_MS_MAX, BODY_MS_MAX].map(Duration::from_millis);
        Self {
            body: body.into_data_stream(),
            line_bytes_max,
            charge: None,
            piece: Bytes::new(),
            begun: Vec::new(),
            passing: false,
            received: 0,
            patience: Patience { silence_max, line_max, silence: Duration::ZERO, line: Duration::ZERO },
        }
    }

    /// Has the bytes that are held charged to the budget of this charge.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        Self { charge: Some(charge), ..self }
    }

    /// Returns the next line; the last one may have no end. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, NoLine> {
        loop {
            if let Some(line) = self.read_on() {
                return Ok(Some(line));
            }
            let Some(piece) = self.receive().await? else {
                let rest = std::mem::take(&mut self.begun);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()).map(Line::Whole));
            };
            self.received += piece.len() as u64;
            self.piece = piece;
        }
    }

    /// Returns what is charged for the line that was returned last, and begins a new charge.
    pub(crate) fn take_charge(&mut self) -> Option<Charge> {
        self.charge.as_mut().map(Charge::detach)
    }

    /// Returns how many bytes have come of the body.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Reads what has come up to the end of a line; nothing if there is none in it.
    fn read_on(&mut self) -> Option<Line> {
        while !self.piece.is_empty() {
            let end = self.piece.iter().position(|byte| *byte == b'\n');
            let part = self.piece.split_to(end.unwrap_or(self.piece.len()));
            let is_passed = self.passing;
            let held = if is_passed { Ok(()) } else { self.hold(&part) };
            if end.is_some() {
                self.piece.advance(1);
                self.patience.line = Duration::ZERO;
            }
            self.passing = end.is_none() && (is_passed || held.is_err());
            match held {
                Err(passed) => {
                    self.begun = Vec::new();
                    return Some(Line::Passed(passed));
                }
                Ok(()) if end.is_some() && !is_passed => {
                    return Some(Line::Whole(std::mem::take(&mut self.begun)));
                }
                Ok(()) => {}
            }
        }
        None
    }

    /// Adds to the line whose end has not come.
    fn hold(&mut self, part: &[u8]) -> Result<(), Passed> {
        let held = self.begun.len() + part.len();
        if held > self.line_bytes_max {
            return Err(Passed::TooLong);
        }
        if let Some(charge) = &mut self.charge {
            charge.raise_to(held).map_err(|_spent| Passed::NoRoom)?;
        }
        self.begun.extend_from_slice(part);
        Ok(())
    }

    /// Returns the next bytes of the body.
    async fn receive(&mut self) -> Result<Option<Bytes>, NoLine> {
        let is_begun = self.passing || !self.begun.is_empty();
        let (left, late) = self.patience.left(is_begun);
        if left.is_zero() {
            return Err(late);
        }
        let waiting = Waiting { patience: &mut self.patience, is_begun, since: Instant::now() };
        let came = timeout(left, self.body.next()).await;
        drop(waiting);
        match came {
            Err(_elapsed) => Err(late),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => Err(NoLine::BrokenOff(error)),
            Ok(Some(Ok(piece))) => {
                self.patience.silence = Duration::ZERO;
                Ok(Some(piece))
            }
        }
    }
}

impl Patience {
    /// Returns how much longer the next bytes are waited for, and why no longer.
    fn left(&self, is_begun: bool) -> (Duration, NoLine) {
        let silence = self.silence_max.saturating_sub(self.silence);
        let line = self.line_max.saturating_sub(self.line);
        if is_begun && line < silence { (line, NoLine::Slow) } else { (silence, NoLine::Silent) }
    }

    fn wait(&mut self, time: Duration, is_begun: bool) {
        self.silence += time;
        if is_begun {
            self.line += time;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.patience.wait(self.since.elapsed(), self.is_begun);
    }
}

/// Reads the next line of a file; the last one may have no end.
pub(crate) fn next_line(file: &mut dyn BufRead, line_bytes_max: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    // With its end it has one byte more.
    Read::take(&mut *file, line_bytes_max as u64 + 1).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.is_empty() {
        return Ok(None);
    } else if line.len() > line_bytes_max {
        pass_line(file)?;
        return Ok(Some(Line::Passed(Passed::TooLong)));
    }
    Ok(Some(Line::Whole(line)))
}

fn pass_line(file: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let held = file.fill_buf()?;
        let end = held.iter().position(|byte| *byte == b'\n');
        let passed = end.map_or(held.len(), |at| at + 1);
        file.consume(passed);
        if end.is_some() || passed == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io::BufReader};

    use bytes::Bytes;
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;
    use crate::inbound::InboundBudget;

    const MAX: usize = 4;

    /// Returns what is to be read of a text: its lines, of which those that are too long are passed over.
    fn wanted(text: &str) -> Vec<Line> {
        let mut lines: Vec<&str> = text.split('\n').collect();
        if lines.last() == Some(&"") {
            lines.pop();
        }
        let read = |line: &str| match line.len() {
            0..=MAX => Line::Whole(line.into()),
            _ => Line::Passed(Passed::TooLong),
        };
        lines.into_iter().map(read).collect()
    }

    fn lines_of(pieces: Vec<Vec<u8>>) -> Lines {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
        Lines::of(Body::from_stream(stream::iter(pieces)), MAX)
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime starts").block_on(test)
    }

    async fn read(lines: &mut Lines) -> Option<Line> {
        lines.next().await.expect("the body does not break off")
    }

    fn read_all(mut lines: Lines) -> Vec<Line> {
        run(async {
            let mut all = Vec::new();
            while let Some(line) = read(&mut lines).await {
                all.push(line);
            }
            all
        })
    }

    proptest! {
        /// A body and a file are read as the same lines, however they are cut into pieces.
        #[test]
        fn lines_are_read_however_they_come(text in "[ab\n]{0,40}", piece in 1..9_usize) {
            let pieces = text.as_bytes().chunks(piece).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(read_all(lines_of(pieces)), wanted(&text));
            let mut file = BufReader::with_capacity(piece, text.as_bytes());
            let mut read = Vec::new();
            while let Some(line) = next_line(&mut file, MAX).expect("memory is read") {
                read.push(line);
            }
            prop_assert_eq!(read, wanted(&text));
        }
    }

    #[test]
    fn a_line_that_finds_no_room_is_passed_over() {
        let budget = InboundBudget::new(3);
        let pieces = [&b"a\nbb"[..], b"bb", b"\nc\n"].map(<[u8]>::to_vec);
        let lines = lines_of(pieces.into()).charged(Charge::new(&budget));
        let want = [Line::Whole(b"a".into()), Line::Passed(Passed::NoRoom), Line::Whole(b"c".into())];
        assert_eq!(read_all(lines), want);
        assert_eq!(budget.used(), 0);
    }

    /// Goal: what lines cost is in their own length, whatever has come with them. Method: a piece of many lines is still the same
    /// bytes behind each of them, and no line holds more than itself.
    #[test]
    fn what_comes_behind_a_line_is_not_copied_for_it() {
        const LINES: usize = 5_000;
        let piece = Bytes::from("a\n\n".repeat(LINES / 2));
        let last = piece.as_ptr() as usize + piece.len();
        let body = Body::from_stream(stream::iter([Ok::<_, Infallible>(piece)]));
        let mut lines = Lines::of(body, MAX);
        run(async {
            for at in 0..LINES {
                let Some(Line::Whole(line)) = read(&mut lines).await else { panic!("line {at} is missing") };
                assert!(line.capacity() <= 8, "line {at} holds {} bytes", line.capacity());
                assert_eq!(lines.piece.as_ptr() as usize + lines.piece.len(), last, "line {at}");
            }
            assert_eq!(read(&mut lines).await, None);
        });
    }

    /// What is charged is what is held, also of lines that come whole.
    #[test]
    fn each_line_is_charged_with_its_length() {
        let budget = InboundBudget::new(99);
        let pieces = [&b"aaa\n\nbb\ncc"[..], b"cc\n"].map(<[u8]>::to_vec);
        let mut lines = lines_of(pieces.into()).charged(Charge::new(&budget));
        run(async {
            for bytes in [3, 0, 2, 4] {
                read(&mut lines).await.expect("there is another line");
                let charge = lines.take_charge();
                assert_eq!(budget.used(), bytes);
                drop(charge);
            }
        });
    }

    /// Goal: nobody holds a line for long by sending it slowly. Method: of a line that never ends a byte comes a moment before
    /// silence would be too long, again and again.
    #[test]
    fn a_line_has_so_long_to_come() {
        let second = Duration::from_secs(1);
        let (silence_max, line_max) = (30 * second, 120 * second);
        let mut patience = Patience { silence_max, line_max, silence: Duration::ZERO, line: Duration::ZERO };
        let mut waited = Duration::ZERO;
        let mut late = (0..9).filter_map(|_| {
            let (left, late) = patience.left(true);
            let wait = left.min(29 * second);
            waited += wait;
            patience.wait(wait, true);
            patience.silence = Duration::ZERO;
            (wait == left).then_some(late)
        });
        assert!(matches!(late.next(), Some(NoLine::Slow)), "it is waited for without end");
        drop(late);
        assert_eq!(waited, line_max);
        // Between two lines only silence counts.
        patience.line = Duration::ZERO;
        patience.silence = Duration::ZERO;
        patience.wait(29 * second, false);
        assert!(matches!(patience.left(true), (left, NoLine::Silent) if left == second));
    }

    #[test]
    fn who_sends_slowly_or_nothing_is_given_up() {
        let late = |pieces: Vec<&'static str>, silence_ms: u64, line_ms: u64| {
            let pieces = stream::iter(pieces).map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
            let mut lines = Lines::of(Body::from_stream(pieces.chain(stream::pending())), MAX);
            lines.patience.silence_max = Duration::from_millis(silence_ms);
            lines.patience.line_max = Duration::from_millis(line_ms);
            run(async {
                loop {
                    match lines.next().await {
                        Ok(line) => assert!(line.is_some(), "the body does not end"),
                        Err(late) => return late,
                    }
                }
            })
        };
        assert!(matches!(late(vec!["a"], 60_000, 1), NoLine::Slow));
        assert!(matches!(late(vec!["a\n"], 1, 60_000), NoLine::Silent));
        assert!(matches!(late(vec![], 1, 0), NoLine::Silent), "no line has begun");
        assert!(
            matches!(late(vec!["aaaaaaa"], 60_000, 1), NoLine::Slow),
            "what is passed over has begun, too"
        );
    }
}
