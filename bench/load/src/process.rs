//! CPU time and memory of another process, as Linux tells them.

use std::{fs, time::Duration};

use crate::Error;

/// Linux counts CPU time in ticks of this length, whatever the kernel's own.
const TICK: Duration = Duration::from_millis(10);

/// User and system time that a process and its threads have used.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration, Error> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name is in brackets and may hold anything; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("unexpected /proc/PID/stat")?;
    let ticks: Vec<u32> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum())
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
    Ok(kib * 1024)
}

/// The processes whose parent is `pid`.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>, Error> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(list.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}
