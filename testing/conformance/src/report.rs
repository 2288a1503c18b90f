//! Runs the cases of one file and says how many are met.

use std::path::Path;

use crate::{Case, Flip, Ledger, Outcome, Run, read_cases};

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every case must be met or stand in the ledger.
    Compare,
    /// One decision is flipped: at least one more case must fail.
    Mutate,
}

/// The share of a file that may stand in the ledger, in cases of a hundred.
const LEDGER_PER_CENT: usize = 1;
/// How many differences are shown of one file.
const SHOWN: usize = 20;

/// Runs one file. Returns whether it is as it must be, and the lines to print.
pub fn run_file(folder: &Path, file: &str, run: Run, ledger: &Ledger, mode: Mode) -> (bool, Vec<String>) {
    run_cases(folder, file, file, ledger, mode, run)
}

/// As [`run_file`], under a name of its own and with a runner that keeps something between cases.
pub(crate) fn run_cases(
    folder: &Path,
    file: &str,
    label: &str,
    ledger: &Ledger,
    mode: Mode,
    mut run: impl FnMut(&Case, &mut Flip) -> Outcome,
) -> (bool, Vec<String>) {
    let cases = match read_cases(&folder.join(file)) {
        Ok(cases) if cases.is_empty() => return (false, vec![format!("{label}: no cases")]),
        Ok(cases) => cases,
        Err(error) => return (false, vec![format!("{label}: {error}")]),
    };
    let mut flip = if mode == Mode::Mutate { Flip::armed() } else { Flip::off() };
    let mut differences = Vec::new();
    let mut excused = Vec::new();
    let mut stale = Vec::new();
    for case in &cases {
        match (run(case, &mut flip), ledger.reason(file, &case.id)) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => stale.push(case.id.as_str()),
            (Err(_), Some(reason)) => excused.push((case.id.as_str(), reason)),
            (Err(difference), None) => differences.push((case, difference)),
        }
        if mode == Mode::Mutate && flip.used() {
            break;
        }
    }
    if mode == Mode::Mutate {
        return match (flip.used(), differences.is_empty()) {
            (true, false) => (true, vec![format!("{label}: a flipped decision is noticed")]),
            (true, true) => (false, vec![format!("{label}: a flipped decision goes UNNOTICED")]),
            (false, _) => (false, vec![format!("{label}: the runner passes no decision through `Flip`")]),
        };
    }
    let met = cases.len() - differences.len() - excused.len();
    let mut lines = vec![format!("{label}: {met}/{}", cases.len())];
    lines.extend(excused.iter().map(|(id, reason)| format!("  {id}: in the ledger: {reason}")));
    for (case, difference) in differences.iter().take(SHOWN) {
        let about = if case.about.is_empty() { String::new() } else { format!(" ({})", case.about) };
        lines.push(format!("  {}{about}: {difference}", case.id));
    }
    if differences.len() > SHOWN {
        lines.push(format!("  … and {} more", differences.len() - SHOWN));
    }
    lines.extend(stale.iter().map(|id| format!("  {id}: is met, so strike it from ledger.toml")));
    let too_many = excused.len() * 100 > cases.len() * LEDGER_PER_CENT;
    if too_many {
        lines.push(format!("  {} cases in the ledger are more than {LEDGER_PER_CENT} %", excused.len()));
    }
    (differences.is_empty() && stale.is_empty() && !too_many, lines)
}
