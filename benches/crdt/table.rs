//! What was measured, ours and theirs in turns, as a table of medians and ratios.

use std::fmt;
use std::time::{Duration, Instant};

/// One piece of work, at one size.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) measure: fn(Samples, u64) -> Row,
}

impl Work {
    /// Returns the work at each of `sizes`, which stand in its name for `N`.
    pub(crate) fn of(name: &str, sizes: &[u64], measure: fn(Samples, u64) -> Row) -> Vec<Self> {
        sizes.iter().map(|&size| Self { name: name.replace('N', &size.to_string()), size, measure }).collect()
    }
}

/// How often work is measured.
#[derive(Clone, Copy)]
pub(crate) struct Samples(pub(crate) usize);

/// What was measured.
pub(crate) struct Row {
    ours: Duration,
    theirs: Option<Duration>,
    note: String,
}

impl Row {
    pub(crate) fn with_note(self, note: String) -> Self {
        Self { note, ..self }
    }
}

impl Samples {
    /// Measures a piece of work that both do. Each function prepares it, times `times` repetitions, and returns that time.
    pub(crate) fn compare(
        self,
        times: u32,
        mut ours: impl FnMut() -> Duration,
        mut theirs: impl FnMut() -> Duration,
    ) -> Row {
        // In turns, so that what else the machine does hits both alike.
        let pairs: Vec<(Duration, Duration)> = (0..self.0).map(|_| (ours(), theirs())).collect();
        let (ours, theirs) = pairs.into_iter().unzip();
        Row { ours: median(ours) / times, theirs: Some(median(theirs) / times), note: String::new() }
    }

    /// Measures a piece of work that only we do.
    pub(crate) fn alone(self, mut ours: impl FnMut() -> Duration) -> Row {
        let ours = median((0..self.0).map(|_| ours()).collect());
        Row { ours, theirs: None, note: String::new() }
    }
}

/// Returns how long `work` takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let done = work();
    let took = start.elapsed();
    // Dropped after the clock was read.
    std::hint::black_box(&done);
    drop(done);
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The head of the table whose rows are [`Row`]s.
pub(crate) const HEAD: &str =
    "| work | ours | crdts 7.3.2 | times ahead | |\n| --- | --- | --- | --- | --- |";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, theirs, note } = self;
        let ratio = theirs.map(|theirs| theirs.as_secs_f64() / ours.as_secs_f64());
        let theirs = theirs.map_or_else(|| "-".into(), |theirs| format!("{theirs:.3?}"));
        let ratio = ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.1}"));
        write!(f, "{ours:.3?} | {theirs} | {ratio} | {note} |")
    }
}
