//! What a process shows of itself in /proc, once a second, and whether it stays as it was.
//! Knows nothing of the work.

use std::fs;

/// One look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// Resident memory, in KiB.
    pub resident: u64,
    pub descriptors: u64,
    pub threads: u64,
    /// Processor time since its start, in seconds.
    pub cpu: f64,
    /// Requests sent so far.
    pub requests: u64,
}

pub fn look(pid: u32, at: f64) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok());
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(Sample { at, resident: field("VmRSS:")?, descriptors, threads: field("Threads:")?, cpu: cpu(pid)?, requests: 0 })
}

/// Fields 14 and 15 of `stat`, in hundredths of a second as Linux counts them for programs.
pub fn cpu(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// The middle of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// How fast a figure grows, by least squares, in units an hour.
pub fn slope(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len().max(1) as f64;
    let (mean_at, mean) = (samples.iter().map(|sample| sample.at).sum::<f64>() / count, samples.iter().map(&figure).sum::<f64>() / count);
    let (mut over, mut under) = (0.0, 0.0);
    for sample in samples {
        over += (sample.at - mean_at) * (figure(sample) - mean);
        under += (sample.at - mean_at).powi(2);
    }
    if under == 0.0 { 0.0 } else { over / under * 3600.0 }
}
