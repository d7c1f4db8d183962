//! The table: plain for a terminal or a pipe, or Markdown.

use std::fmt::{self, Write as _};

/// Everything that was measured in one run.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// Format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In columns.
    Plain,
    /// For a README.
    Markdown,
}

/// Row of a table: one measured quantity.
#[derive(Debug)]
pub struct Row {
    section: &'static str,
    what: String,
    measured: Quantity,
    beside: Vec<Beside>,
    goal: Option<Goal>,
}

/// Quantity that a row is compared with.
#[derive(Debug)]
pub struct Beside {
    name: &'static str,
    measured: Quantity,
    ratio: f64,
}

/// Goal of a row.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At most this quantity.
    AtMost(Quantity),
    /// At most so many times the first one beside it.
    Ratio(f64),
}

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// Bytes.
    Bytes(u64),
    /// So many a second.
    PerSecond(f64),
    /// Seconds.
    Seconds(f64),
}

impl Quantity {
    fn number(self) -> f64 {
        match self {
            Self::Bytes(bytes) => bytes as f64,
            Self::PerSecond(number) | Self::Seconds(number) => number,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match *self {
            Self::Bytes(bytes) => (bytes as f64 / 1e6, "MB"),
            Self::PerSecond(number) => return write!(formatter, "{number:.0}/s"),
            Self::Seconds(seconds) if seconds < 1e-6 => (seconds * 1e9, "ns"),
            Self::Seconds(seconds) if seconds < 1e-3 => (seconds * 1e6, "µs"),
            Self::Seconds(seconds) if seconds < 1.0 => (seconds * 1e3, "ms"),
            Self::Seconds(seconds) => (seconds, "s"),
        };
        let decimals = match number {
            ..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(formatter, "{number:.decimals$} {unit}")
    }
}

impl Beside {
    /// Compares with a ratio that was measured turn by turn.
    pub fn with_ratio(name: &'static str, measured: Quantity, ratio: f64) -> Self {
        Self {
            name,
            measured,
            ratio,
        }
    }
}

impl Row {
    /// A row of this section.
    pub fn new(section: &'static str, what: impl Into<String>, measured: Quantity) -> Self {
        Self {
            section,
            what: what.into(),
            measured,
            beside: Vec::new(),
            goal: None,
        }
    }

    /// Adds what the value is compared with.
    #[must_use]
    pub fn beside(self, name: &'static str, measured: Quantity) -> Self {
        let ratio = self.measured.number() / measured.number();
        self.compared(Beside::with_ratio(name, measured, ratio))
    }

    /// Adds what the value is compared with.
    #[must_use]
    pub fn compared(mut self, beside: Beside) -> Self {
        self.beside.push(beside);
        self
    }

    /// Adds the goal.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    fn beside_text(&self) -> String {
        let parts = self
            .beside
            .iter()
            .map(|beside| format!("{} {}", beside.name, beside.measured));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn ratio_text(&self) -> String {
        let parts = self.beside.iter().map(|beside| ratio(beside.ratio));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn goal_text(&self) -> String {
        let Some(goal) = self.goal else {
            return String::new();
        };
        let (text, is_met) = match goal {
            Goal::AtMost(most) => (most.to_string(), self.measured.number() <= most.number()),
            Goal::Ratio(most) => {
                let reached = self.beside.first().is_some_and(|beside| beside.ratio <= most);
                (format!("{most}"), reached)
            }
        };
        format!("≤ {text}, {}", if is_met { "met" } else { "missed" })
    }

    fn cells(&self) -> [String; 5] {
        [
            self.what.clone(),
            self.measured.to_string(),
            self.beside_text(),
            self.ratio_text(),
            self.goal_text(),
        ]
    }
}

fn ratio(ratio: f64) -> String {
    match ratio {
        ..0.1 => format!("{ratio:.3}"),
        0.1..10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.0}"),
    }
}

const HEADINGS: [&str; 5] = ["what", "measured", "beside it", "ratio", "goal"];

impl Table {
    /// Adds a row below the others.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Returns the table as text.
    pub fn to_text(&self, format: Format) -> String {
        match format {
            Format::Plain => self.to_plain(),
            Format::Markdown => self.to_markdown(),
        }
    }

    fn to_markdown(&self) -> String {
        let mut text = format!(
            "| {} |\n| --- | ---: | --- | ---: | --- |\n",
            HEADINGS.join(" | ")
        );
        let mut section = "";
        for row in &self.rows {
            if row.section != section {
                section = row.section;
                let _ = writeln!(text, "| **{section}** | | | | |");
            }
            let _ = writeln!(text, "| {} |", row.cells().join(" | "));
        }
        text
    }

    fn to_plain(&self) -> String {
        let cells: Vec<_> = self.rows.iter().map(Row::cells).collect();
        let mut widths = HEADINGS.map(str::len);
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &[String; 5]| {
            let columns = cells
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(position, (cell, width))| {
                    let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                    // Quantities are read from their end.
                    if position == 1 || position == 3 {
                        padding + cell
                    } else {
                        cell.clone() + &padding
                    }
                });
            columns.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = line(&HEADINGS.map(str::to_owned));
        let mut section = "";
        for (row, cells) in self.rows.iter().zip(&cells) {
            if row.section != section {
                section = row.section;
                let _ = writeln!(text, "\n{section}");
            }
            text += &line(cells);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_the_unit_that_fits() {
        for (quantity, text) in [
            (Quantity::Seconds(0.000_000_512), "512 ns"),
            (Quantity::Seconds(0.000_012_34), "12.3 µs"),
            (Quantity::Seconds(0.004_5), "4.50 ms"),
            (Quantity::Seconds(2.0), "2.00 s"),
            (Quantity::Bytes(13_500_000), "13.5 MB"),
            (Quantity::PerSecond(1_234.5), "1234/s"),
        ] {
            assert_eq!(quantity.to_string(), text);
        }
    }

    #[test]
    fn a_goal_is_held_against_the_first_one_beside() {
        let row = |ratio| {
            Row::new("verify", "P-256", Quantity::Seconds(1.0))
                .compared(Beside::with_ratio("webpki", Quantity::Seconds(1.0), ratio))
                .goal(Goal::Ratio(1.05))
        };
        assert_eq!(row(1.04).goal_text(), "≤ 1.05, met");
        assert_eq!(row(1.06).goal_text(), "≤ 1.05, missed");
        let heavy = Row::new("memory", "peak", Quantity::Bytes(17_000_000));
        let heavy = heavy.goal(Goal::AtMost(Quantity::Bytes(16_000_000)));
        assert_eq!(heavy.goal_text(), "≤ 16.0 MB, missed");
    }

    #[test]
    fn sections_are_named_once() {
        let mut table = Table::default();
        for what in ["a", "b"] {
            table.push(Row::new("one", what, Quantity::Seconds(1e-6)));
        }
        table.push(Row::new("two", "c", Quantity::Seconds(1e-6)).beside("d", Quantity::Seconds(2e-6)));
        let markdown = table.to_text(Format::Markdown);
        assert_eq!(markdown.matches("**one**").count(), 1);
        assert!(markdown.ends_with("| **two** | | | | |\n| c | 1.00 µs | d 2.00 µs | 0.50 |  |\n"));
        assert!(table.to_text(Format::Plain).contains("\ntwo\nc"));
    }
}
