//! The table of what was measured.

use std::fmt;
use std::io;

use crate::dialect::Dialect;
use crate::machine;
use crate::server::Kind;
use crate::workload::{Better, Measure, Sample, median};

/// All samples so far, by row, and what went wrong.
pub(crate) struct Report {
    runs: u32,
    rows: Vec<Row>,
    failures: Vec<String>,
}

struct Row {
    dialect: Dialect,
    workload: String,
    measure: Measure,
    /// One list a server, in the order of [`Kind::ALL`].
    values: [Vec<f64>; Kind::ALL.len()],
}

impl Report {
    pub(crate) fn new(runs: u32) -> Self {
        Self { runs, rows: Vec::new(), failures: Vec::new() }
    }

    /// Adds what one run of one server gave.
    pub(crate) fn add(
        &mut self,
        dialect: Dialect,
        workload: &str,
        kind: Kind,
        samples: io::Result<Vec<Sample>>,
    ) {
        match samples {
            Ok(samples) => {
                samples.into_iter().for_each(|sample| self.add_sample(dialect, workload, kind, &sample));
            }
            Err(problem) => {
                self.failures.push(format!("{}: {workload}, {}: {problem}", dialect.name(), kind.name()));
            }
        }
    }

    /// Returns whether some run ended with an error.
    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    fn add_sample(&mut self, dialect: Dialect, workload: &str, kind: Kind, sample: &Sample) {
        let known = self.rows.iter().position(|row| {
            row.dialect == dialect && row.workload == workload && row.measure == sample.measure
        });
        let index = known.unwrap_or_else(|| {
            self.rows.push(Row {
                dialect,
                workload: workload.into(),
                measure: sample.measure,
                values: Default::default(),
            });
            self.rows.len() - 1
        });
        self.rows[index].values[kind as usize].push(sample.value);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ours, peer] = Kind::ALL.map(Kind::name);
        writeln!(
            f,
            "| {:<11} | {:<23} | {:<25} | {ours:>12} | {peer:>12} | {:>8} |",
            "protocol", "workload", "measure", "ours is"
        )?;
        writeln!(
            f,
            "| {:-<11} | {:-<23} | {:-<25} | {:->11}: | {:->11}: | {:->7}: |",
            "", "", "", "", "", ""
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(
            f,
            "\nMedians of {} run(s); \"ours is\" says how many times better, whichever way is better.",
            self.runs
        )?;
        for line in machine::lines() {
            writeln!(f, "* {line}")?;
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
        let protocol = self.dialect.name();
        write!(
            f,
            "| {protocol:<11} | {:<23} | {measure:<25} | {ours:>12} | {peer:>12} | {ratio:>8} |",
            self.workload
        )
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
