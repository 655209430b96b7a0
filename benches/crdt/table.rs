//! What was measured, ours and theirs in turns, as a table of medians and ratios.

use std::fmt;
use std::time::{Duration, Instant};

/// A row for each piece of work.
pub(crate) struct Table {
    samples: usize,
    filter: Option<String>,
    rows: Vec<Row>,
}

struct Row {
    work: String,
    ours: Duration,
    theirs: Option<Duration>,
    note: String,
}

impl Table {
    /// Returns an empty table. Only work with `filter` in its name is measured, as the median of `samples`.
    pub(crate) fn new(samples: usize, filter: Option<String>) -> Self {
        Self { samples, filter, rows: Vec::new() }
    }

    /// Measures a piece of work that both do. Each function prepares it, times `times` repetitions, and returns that time.
    pub(crate) fn compare(
        &mut self,
        work: &str,
        times: u32,
        mut ours: impl FnMut() -> Duration,
        mut theirs: impl FnMut() -> Duration,
    ) {
        if !self.is_wanted(work) {
            return;
        }
        // In turns, so that what else the machine does hits both alike.
        let pairs: Vec<(Duration, Duration)> = (0..self.samples).map(|_| (ours(), theirs())).collect();
        let (ours, theirs) = pairs.into_iter().unzip();
        let theirs = Some(median(theirs) / times);
        self.rows.push(Row { work: work.into(), ours: median(ours) / times, theirs, note: String::new() });
    }

    /// Measures a piece of work that only we do, with something to say about it.
    pub(crate) fn alone(&mut self, work: &str, note: String, mut ours: impl FnMut() -> Duration) {
        if self.is_wanted(work) {
            let ours = median((0..self.samples).map(|_| ours()).collect());
            self.rows.push(Row { work: work.into(), ours, theirs: None, note });
        }
    }

    fn is_wanted(&self, work: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| work.contains(filter.as_str()))
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

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| work | ours | crdts 7.3.2 | times ahead | |\n| --- | --- | --- | --- | --- |")?;
        for Row { work, ours, theirs, note } in &self.rows {
            let ratio = theirs.map(|theirs| theirs.as_secs_f64() / ours.as_secs_f64());
            let theirs = theirs.map_or_else(|| "-".into(), |theirs| format!("{theirs:.3?}"));
            let ratio = ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.1}"));
            writeln!(f, "| {work} | {ours:.3?} | {theirs} | {ratio} | {note} |")?;
        }
        Ok(())
    }
}
