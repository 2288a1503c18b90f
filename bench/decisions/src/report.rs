//! A table of figures, and the aims that they missed.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};

use crate::clock::{Times, show};

/// One table.
pub(crate) struct Report {
    pub(crate) title: String,
    header: Vec<&'static str>,
    /// Columns at the left that are no figures.
    texts: usize,
    rows: Vec<Vec<String>>,
    /// What should be so and is not.
    pub(crate) missed: Vec<String>,
}

impl Report {
    pub(crate) fn new(title: &str, texts: usize, header: &[&'static str]) -> Self {
        let (title, header) = (title.to_owned(), header.to_vec());
        Self { title, header, texts, rows: Vec::new(), missed: Vec::new() }
    }

    pub(crate) fn row(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// A row of many times: the median, the 99th percentile and the longest.
    pub(crate) fn times(&mut self, what: &str, times: &Times) {
        let times = [times.median(), times.p99(), times.max()].map(show);
        self.row([what.to_owned()].into_iter().chain(times));
    }

    /// Holds a time to its aim.
    pub(crate) fn aim(&mut self, what: &str, found: Duration, below: Duration) {
        if found >= below {
            self.missed.push(format!("{what}: {}, the aim is less than {}", show(found), show(below)));
        }
    }

    /// Holds a ratio to its aim.
    pub(crate) fn aim_ratio(&mut self, what: &str, found: f64, below: f64) {
        if found >= below {
            self.missed.push(format!("{what}: {found:.2}, the aim is less than {below}"));
        }
    }

    /// As documentation shows it.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(self.header.iter().copied());
        table.add_rows(&self.rows);
        for column in table.column_iter_mut().skip(self.texts) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
