//! Bodies that are read line by line.

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use syncline_protocol::wire::sync_v1::{Code, Problem};

use super::{refusal::Refusal, unpack::broken_off};
use crate::limits::SYNC_BODY_BYTES_MAX;

/// The lines of a body, of which no more than one is held.
pub(super) struct Lines {
    body: BodyDataStream,
    /// What was received and is still to be read.
    bytes: Vec<u8>,
    /// How many of these bytes hold no end of a line.
    searched: usize,
}

impl Lines {
    pub(super) fn of(body: Body) -> Self {
        Self { body: body.into_data_stream(), bytes: Vec::new(), searched: 0 }
    }

    /// Returns the next line without its end; the last one may have none.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            if let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.bytes.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.bytes, rest);
                self.searched = 0;
                line.pop();
                return Ok(Some(line));
            }
            self.searched = self.bytes.len();
            if self.searched > SYNC_BODY_BYTES_MAX {
                let problem = Problem::new(Code::PayloadTooLarge).because("a line is too long");
                return Err(Problem { max: Some(SYNC_BODY_BYTES_MAX as u64), ..problem }.into());
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.bytes.extend(bytes),
                Some(Err(error)) => return Err(broken_off(&error).into()),
                None if self.bytes.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(std::mem::take(&mut self.bytes)));
                }
            }
        }
    }
}
