//! The report: what was done, what it came to, and whether each claim holds.
//! Knows nothing of how it was found out.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::held::Held;
use crate::sample::{Sample, median, slope};
use crate::tally::{Counts, Tally};
use crate::trail::Matched;

/// What held streams may take of the rate of reads.
const RATIO: f64 = 0.8;
/// What memory may grow by from the end of the warm-up to the end: a tenth and 1 MiB, within which an allocator breathes.
const GROWTH: (f64, f64) = (1.1, 1024.0);
/// Lines of the table of samples.
const ROWS: usize = 20;

/// Everything that a run has shown.
pub struct Run {
    pub version: String,
    pub minutes: f64,
    pub pace: f64,
    pub began: Sample,
    pub samples: Vec<Sample>,
    pub ended: Sample,
    /// How long it took until all descriptors were given back.
    pub settled: Duration,
    pub totals: Counts,
    /// Containers that are still there.
    pub left: Vec<String>,
    pub code: i32,
    pub verified: (i32, String),
    pub matched: Matched,
    /// Requests of the bed itself.
    pub own: u64,
    pub log: String,
    pub tally: Arc<Tally>,
    pub held: Option<Held>,
}

/// A claim, and whether it holds.
struct Claim(String, bool);

impl Run {
    /// The report in Markdown, and whether all claims hold.
    pub fn report(&self) -> (String, bool) {
        let claims = self.claims();
        let mut text = format!("# Soak: {:.0} minutes of {}, pace {}\n\n", self.minutes, self.version, self.pace);
        for Claim(claim, holds) in &claims {
            let _cannot_fail = writeln!(text, "- {} {claim}", if *holds { "holds:" } else { "**FAILS**:" });
        }
        self.works(&mut text);
        self.rows(&mut text);
        self.trail(&mut text);
        if let Some(held) = &self.held {
            beside(held, &mut text);
        }
        self.faults(&mut text);
        (text, claims.iter().all(|claim| claim.1))
    }

    fn claims(&self) -> Vec<Claim> {
        let (totals, seen, matched) = (&self.totals, self.tally.seen(), &self.matched);
        let accounted = totals.sent == totals.answered + totals.broken + totals.lost;
        let mut claims = vec![
            Claim(
                format!(
                    "no request is lost: {} sent, {} answered, {} broken off by their clients, {} lost",
                    totals.sent, totals.answered, totals.broken, totals.lost
                ),
                totals.sent > 0 && totals.lost == 0 && accounted,
            ),
            Claim(
                format!(
                    "every reply is what it should be: {} wrong, {} bytes echoed; {} refused because the disk was too slow for the trail",
                    seen.wrong, seen.echoed, seen.disk
                ),
                seen.wrong == 0,
            ),
            Claim(
                format!(
                    "the trail has each reply once, with its status: {} of {} missing, {} twice",
                    matched.missing.len(),
                    seen.replies.len(),
                    matched.doubled
                ),
                matched.missing.is_empty() && matched.doubled == 0,
            ),
            Claim(
                format!(
                    "the trail has nothing that nobody asked for: {} calls beyond those replies, of {} broken off and {} of the bed's own",
                    matched.unseen, totals.broken, self.own
                ),
                matched.unseen <= totals.broken + self.own,
            ),
            Claim(
                format!("`audit verify`: code {}, {} intents are open", self.verified.0, matched.open),
                self.verified.0 == 0 && matched.open == 0,
            ),
            Claim(
                format!("containers: {} made and {} removed, {} are left", seen.created, seen.removed, self.left.len()),
                seen.created == seen.removed && seen.created > 0 && self.left.is_empty(),
            ),
            Claim(
                format!(
                    "descriptors: {} before, {} after, {} s after the last client went; threads {} and {}",
                    self.began.descriptors,
                    self.ended.descriptors,
                    self.settled.as_secs(),
                    self.began.threads,
                    self.ended.threads
                ),
                self.ended.descriptors <= self.began.descriptors && self.ended.threads <= self.began.threads,
            ),
            self.memory(),
            Claim(format!("it ends when it is told to: code {}", self.code), self.code == 0),
        ];
        if let Some(held) = &self.held {
            let ratio = held.ratio();
            claims.push(Claim(
                format!("reads beside held streams go on at {ratio:.2} of their rate without, and {} streams live", held.alive),
                ratio >= RATIO,
            ));
        }
        claims
    }

    /// Without the first tenth, which is the warm-up.
    fn steady(&self) -> &[Sample] {
        &self.samples[self.samples.len() / 10..]
    }

    fn memory(&self) -> Claim {
        let steady = self.steady();
        let tenth = (steady.len() / 9).max(1).min(steady.len());
        let resident = |samples: &[Sample]| median(samples.iter().map(|sample| sample.resident as f64));
        let (first, last) = (resident(&steady[..tenth]), resident(&steady[steady.len() - tenth..]));
        let slope = slope(steady, |sample| sample.resident as f64);
        Claim(
            format!(
                "resident memory: {first:.0} KiB after the warm-up, {last:.0} KiB at the end, {} KiB with no client; {slope:+.0} KiB an hour",
                self.ended.resident
            ),
            !steady.is_empty() && last <= first.mul_add(GROWTH.0, GROWTH.1),
        )
    }

    fn works(&self, text: &mut String) {
        text.push_str("\n| work | sent | answered | broken off | lost |\n|---|---|---|---|---|\n");
        let seen = self.tally.seen();
        for (work, counts) in &seen.works {
            let Counts { sent, answered, broken, lost } = counts;
            let _cannot_fail = writeln!(text, "| {work} | {sent} | {answered} | {broken} | {lost} |");
        }
        let _cannot_fail = writeln!(text, "\nReloads: {}.", seen.reloads);
    }

    fn rows(&self, text: &mut String) {
        text.push_str("\n| minute | requests | KiB | descriptors | threads | processor |\n|---|---|---|---|---|---|\n");
        let each = self.samples.len().div_ceil(ROWS).max(1);
        for part in self.samples.chunks(each) {
            let middle = |figure: fn(&Sample) -> u64| median(part.iter().map(|sample| figure(sample) as f64));
            let (first, last) = (part[0], part[part.len() - 1]);
            let busy = (last.cpu - first.cpu) / (last.at - first.at).max(1.0) * 100.0;
            let _cannot_fail = writeln!(
                text,
                "| {:.1} | {} | {:.0} | {:.0} | {:.0} | {busy:.1} % |",
                last.at / 60.0,
                last.requests,
                middle(|sample| sample.resident),
                middle(|sample| sample.descriptors),
                middle(|sample| sample.threads)
            );
        }
    }

    fn trail(&self, text: &mut String) {
        let matched = &self.matched;
        let _cannot_fail = writeln!(
            text,
            "\nThe trail: {} files, {} lines, {} calls. Ended: {:?}. Events: {:?}.\n\n```\n{}\n```\n\nCalls by operation: {:?}.",
            matched.files, matched.lines, matched.calls, matched.ended, matched.events, self.verified.1, matched.operations
        );
    }

    fn faults(&self, text: &mut String) {
        let seen = self.tally.seen();
        for fault in seen.faults.iter().chain(self.matched.missing.iter().take(20)).chain(&self.left) {
            let _cannot_fail = writeln!(text, "- fault: {fault}");
        }
        let lines: Vec<&str> = self.log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
        let _cannot_fail = writeln!(text, "\nWarnings and errors in dockgate's log: {}.", lines.len());
        for line in lines.iter().take(10) {
            let _cannot_fail = writeln!(text, "    {line}");
        }
    }
}

fn beside(held: &Held, text: &mut String) {
    text.push_str("\n| held | reads a second | processor for each | KiB | descriptors |\n|---|---|---|---|---|\n");
    for (name, rate, sample) in
        [("nothing", held.before, held.idle), ("all", held.with, held.holding), ("nothing again", held.after, held.gone)]
    {
        let _cannot_fail =
            writeln!(text, "| {name} | {:.0} | {:.1} µs | {} | {} |", rate.per_second, rate.cpu, sample.resident, sample.descriptors);
    }
}
