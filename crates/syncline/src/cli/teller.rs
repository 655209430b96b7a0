//! How far something is, for whoever waits for it.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Tells on stderr how far it is, now and then.
pub(super) struct Teller {
    told: Instant,
    every: Duration,
    /// Whether anybody wants to know.
    listened_to: bool,
}

impl Teller {
    /// Tells whoever sits before a terminal, or has asked for it.
    pub(super) fn new(is_asked: bool) -> Self {
        let listened_to = is_asked || io::stderr().is_terminal();
        Self { told: Instant::now(), every: TELL_EVERY, listened_to }
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(line) = self.due(what) {
            // Whoever does not listen misses nothing that counts.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    fn due(&mut self, what: impl FnOnce() -> String) -> Option<String> {
        if !self.listened_to || self.told.elapsed() < self.every {
            return None;
        }
        self.told = Instant::now();
        Some(what())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_listens_is_told_and_not_too_often() {
        let told = |every, listened_to| {
            let mut teller = Teller { told: Instant::now(), every, listened_to };
            teller.due(|| "1 document".to_owned())
        };
        assert_eq!(told(Duration::ZERO, true).as_deref(), Some("1 document"));
        assert_eq!(told(Duration::ZERO, false), None);
        assert_eq!(told(Duration::MAX, true), None);
    }
}
