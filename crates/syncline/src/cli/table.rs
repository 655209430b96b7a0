//! Columns for people.

use std::io::{self, Write};

/// Lines of cells, the first of which are the heads of the columns.
pub(crate) struct Table<const N: usize>(Vec<[String; N]>);

impl<const N: usize> Table<N> {
    pub(crate) fn new(heads: [&str; N]) -> Self {
        Self(vec![heads.map(str::to_owned)])
    }

    pub(crate) fn add(&mut self, line: [String; N]) {
        self.0.push(line.map(|cell| plain(&cell)));
    }

    /// Writes each column as wide as its widest cell.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = |at: usize| self.0.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(width);
        for line in &self.0 {
            let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Returns a text that does to a terminal nothing but show: other people have chosen it.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_change_no_terminal() {
        let mut table = Table::new(["ID", "NAME"]);
        table.add(["long one".into(), "é\u{1b}[2J".into()]);
        table.add(["b".into(), String::new()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ID        NAME\nlong one  é\\u{1b}[2J\nb\n");
    }
}
