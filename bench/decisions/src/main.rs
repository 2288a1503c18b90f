//! `cargo run --release -p decisions`: what a decision of layer 4 costs. docs/performance.md explains the table.

mod clock;
mod rbac;
mod worlds;

use std::io::{self, Write};

use clap::Parser;
use comfy_table::{CellAlignment, Table};

/// Measures RBAC decisions in worlds of 100, 10,000 and 100,000 bindings.
#[derive(Parser)]
pub(crate) struct Options {
    /// Worlds built anew for each figure that can be taken only once a world.
    #[arg(long, default_value_t = 5)]
    worlds: usize,
    /// Decisions for each figure that can be taken as often as one likes.
    #[arg(long, default_value_t = 200_000)]
    decisions: usize,
    /// Changes applied while readers decide.
    #[arg(long, default_value_t = 2_000)]
    changes: usize,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    for (title, table) in rbac::measure(&options) {
        writeln!(out, "{title}\n\n{table}\n")?;
    }
    Ok(())
}

/// A table as documentation shows it; all columns but the first `texts` are figures.
pub(crate) fn table(texts: usize, header: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
