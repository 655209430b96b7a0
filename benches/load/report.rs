//! The table of what was measured.

use std::fmt;
use std::io;

use super::samples::{Better, Measure, Sample, median};

/// All samples so far, by row, and what went wrong.
pub(crate) struct Report {
    /// What the first two columns are called.
    columns: [&'static str; 2],
    /// Ours and the peer's.
    servers: [&'static str; 2],
    rows: Vec<Row>,
    failures: Vec<String>,
    notes: Vec<String>,
}

/// What was asked of a server: the texts of the first two columns.
pub(crate) type Work = [String; 2];

struct Row {
    work: Work,
    measure: Measure,
    /// One list a server.
    values: [Vec<f64>; 2],
}

impl Report {
    pub(crate) fn new(columns: [&'static str; 2], servers: [&'static str; 2]) -> Self {
        Self { columns, servers, rows: Vec::new(), failures: Vec::new(), notes: Vec::new() }
    }

    /// Adds a line below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds what one run of the server at this place gave.
    pub(crate) fn add(&mut self, work: &Work, server: usize, samples: io::Result<Vec<Sample>>) {
        match samples {
            Ok(samples) => samples.into_iter().for_each(|sample| self.add_sample(work, server, &sample)),
            Err(problem) => {
                self.failures.push(format!("{}, {}: {problem}", work.join(": "), self.servers[server]));
            }
        }
    }

    /// Returns whether some run ended with an error.
    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    fn add_sample(&mut self, work: &Work, server: usize, sample: &Sample) {
        let known = self.rows.iter().position(|row| row.work == *work && row.measure == sample.measure);
        let index = known.unwrap_or_else(|| {
            self.rows.push(Row { work: work.clone(), measure: sample.measure, values: Default::default() });
            self.rows.len() - 1
        });
        self.rows[index].values[server].push(sample.value);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([first, second], [ours, peer]) = (self.columns, self.servers);
        writeln!(
            f,
            "| {first:<11} | {second:<28} | {:<25} | {ours:>12} | {peer:>12} | {:>8} |",
            "measure", "ours is"
        )?;
        writeln!(
            f,
            "| {:-<11} | {:-<28} | {:-<25} | {:->11}: | {:->11}: | {:->7}: |",
            "", "", "", "", "", ""
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "\n\"ours is\" says how many times better, whichever way is better.")?;
        for note in &self.notes {
            writeln!(f, "* {note}")?;
        }
        for failure in &self.failures {
            writeln!(f, "FAILED: {failure}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let medians = self.values.each_ref().map(|values| (!values.is_empty()).then(|| median(values)));
        let [ours, peer] = medians.map(|median| median.map_or_else(String::new, shown));
        let ratio = match (medians, self.measure.better) {
            ([Some(ours), Some(peer)], Better::Higher) => format!("{:.2} x", ours / peer),
            ([Some(ours), Some(peer)], Better::Lower) => format!("{:.2} x", peer / ours),
            _ => String::new(),
        };
        let measure = format!("{} ({})", self.measure.name, self.measure.unit);
        let [first, second] = &self.work;
        write!(f, "| {first:<11} | {second:<28} | {measure:<25} | {ours:>12} | {peer:>12} | {ratio:>8} |")
    }
}

/// Returns three digits at least, and no more after the point than they need.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
