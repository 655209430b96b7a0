//! Lines of what is too long to be held whole: of the body of a request, and of a file.

use std::io::{self, BufRead, Read};

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;

use crate::inbound::Charge;

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

/// The lines of a body, of which no more than one is held.
pub(crate) struct Lines {
    body: BodyDataStream,
    line_bytes_max: usize,
    /// What is charged for the bytes that are held, if anyone counts them.
    charge: Option<Charge>,
    /// What was received and is still to be read.
    bytes: Vec<u8>,
    /// How many of these bytes hold no end of a line.
    searched: usize,
    /// Whether the bytes up to the next end of a line are passed over.
    passing: bool,
    /// How many bytes have come.
    received: u64,
}

impl Lines {
    pub(crate) fn of(body: Body, line_bytes_max: usize) -> Self {
        let body = body.into_data_stream();
        Self {
            body,
            line_bytes_max,
            charge: None,
            bytes: Vec::new(),
            searched: 0,
            passing: false,
            received: 0,
        }
    }

    /// Has the bytes that are held charged to the budget of this charge.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        Self { charge: Some(charge), ..self }
    }

    /// Returns the next line; the last one may have no end. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, axum::Error> {
        loop {
            if let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + at;
                let rest = self.bytes.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.bytes, rest);
                self.searched = 0;
                if std::mem::take(&mut self.passing) {
                    continue;
                }
                line.pop();
                let is_long = line.len() > self.line_bytes_max;
                return Ok(Some(if is_long { Line::Passed(Passed::TooLong) } else { Line::Whole(line) }));
            }
            if self.passing {
                self.bytes.clear();
            }
            self.searched = self.bytes.len();
            if let Err(passed) = self.check_room() {
                self.passing = true;
                return Ok(Some(Line::Passed(passed)));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.received += bytes.len() as u64;
                    self.bytes.extend(bytes);
                }
                Some(Err(error)) => return Err(error),
                None if self.bytes.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(Line::Whole(std::mem::take(&mut self.bytes))));
                }
            }
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

    fn check_room(&mut self) -> Result<(), Passed> {
        if self.searched > self.line_bytes_max {
            return Err(Passed::TooLong);
        }
        let held = self.bytes.len();
        self.charge.as_mut().map_or(Ok(()), |charge| charge.raise_to(held)).map_err(|_spent| Passed::NoRoom)
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

    fn read_all(mut lines: Lines) -> Vec<Line> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
        runtime.block_on(async {
            let mut read = Vec::new();
            while let Some(line) = lines.next().await.expect("the body does not break off") {
                read.push(line);
            }
            read
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
}
