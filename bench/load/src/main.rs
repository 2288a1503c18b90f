//! `cargo build --release -p portcullis && cargo run --release -p load`: what the gate costs, as a ratio.
//!
//! One upstream, one load generator, and between them in turn: nothing, the gate with all six layers
//! on, and nginx as a bare TLS proxy (where it is installed). Rounds are interleaved, because two
//! figures from different minutes cannot be compared; the table shows medians over the rounds.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report is this program's output")]

mod generate;
mod process;
mod subject;
mod upstream;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use comfy_table::{CellAlignment, Table};

use generate::{Figures, Load};
use subject::{Subject, World};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What to measure.
#[derive(Parser)]
struct Arguments {
    /// The binary under test; by default the one that lies beside this program.
    #[arg(long)]
    portcullis: Option<PathBuf>,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of load for each subject and round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; each measures every subject once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// What was measured of one subject in one round.
struct Sample {
    figures: Figures,
    /// CPU time of the process between client and upstream, per request.
    cpu: Option<Duration>,
    /// Its resident memory at the end of the round.
    resident: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let binary = match &arguments.portcullis {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("portcullis"),
    };
    if !binary.exists() {
        return Err(format!("no binary at {}: `cargo build --release` makes it", binary.display()).into());
    }
    let world = World::new()?;
    let mut subjects = vec![Subject::direct(&world), Subject::gate(&world, &binary)?];
    match Subject::nginx(&world)? {
        Some(nginx) => subjects.push(nginx),
        None => eprintln!("nginx is not installed: measured without it"),
    }
    let mut samples: Vec<Vec<Sample>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.rounds {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            eprintln!("round {round} of {}: {}", arguments.rounds, subject.name);
            samples.push(measure(&world, subject, arguments)?);
        }
    }
    report(&subjects, &samples);
    Ok(())
}

fn measure(world: &World, subject: &Subject, arguments: &Arguments) -> Result<Sample, Error> {
    let load = Load {
        address: subject.address,
        tls: world.client_tls(),
        request: world.request(),
        connections: arguments.connections,
    };
    // A short warm-up fills connection pools and caches.
    generate::run(&load, Duration::from_millis(300))?;
    let before = subject.cpu_time()?;
    let figures = generate::run(&load, Duration::from_secs(arguments.seconds))?;
    let after = subject.cpu_time()?;
    let requests = u32::try_from(figures.requests.max(1))?;
    let cpu = before.zip(after).map(|(before, after)| after.saturating_sub(before) / requests);
    Ok(Sample { figures, cpu, resident: subject.resident()? })
}

fn report(subjects: &[Subject], samples: &[Vec<Sample>]) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["", "requests/s", "× direct", "p50 µs", "p99 µs", "CPU µs/request", "RSS MiB"]);
    let rate = |samples: &Vec<Sample>| median(samples.iter().map(|s| s.figures.per_second()));
    let direct = samples.first().and_then(rate);
    for (subject, samples) in subjects.iter().zip(samples) {
        let micros = |d: Duration| d.as_secs_f64() * 1e6;
        let show = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        table.add_row([
            subject.name.to_owned(),
            show(rate(samples), 0),
            show(rate(samples).zip(direct).map(|(rate, direct)| rate / direct), 2),
            show(median(samples.iter().map(|s| micros(s.figures.median))), 0),
            show(median(samples.iter().map(|s| micros(s.figures.p99))), 0),
            show(median(samples.iter().filter_map(|s| s.cpu).map(micros)), 1),
            show(median(samples.iter().filter_map(|s| s.resident).map(|b| b as f64 / 1_048_576.0)), 1),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
