//! `dockgate audit stats`: tables and small charts over trails.
//! Knows nothing of how numbers are counted and bars are drawn.

use std::fmt::Write as _;

use serde_json::json;

use super::super::Outcome;
use super::super::say::{self, Paint};
use super::bars::{Table, bar, columns, grouped};
use super::filter::Filter;
use super::show::Format;
use super::tally::{Group, Tally, VERDICTS, ranked};
use super::{lines, when};

/// Letters of the chart over time, its lines, and letters of the bars in tables.
const COLUMNS: usize = 72;
const LINES: u64 = 4;
const BAR: u64 = 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trails; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// So many rows of each table
    #[arg(long, value_name = "NUMBER", default_value_t = 12)]
    top: usize,
    /// How: tables for people, or one JSON object
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit stats /var/log/dockgate/audit.jsonl
  dockgate audit stats audit.jsonl --since 1d --door traefik
  dockgate audit stats audit.jsonl --verdict deny --top 50
  dockgate audit stats audit.jsonl --format json

Durations of streams and tunnels are those of the whole connection. Exit codes: 0 fine, 1 lines that are no records, 2 unreadable.";

/// Counts and shows.
pub fn run(args: &Args) -> Outcome {
    let mut tally = Tally::default();
    let skipped = lines::calls(&args.files, &args.filter, |call| {
        tally.add(&call);
        true
    })?;
    match args.format {
        Format::Text => say::out(text(&tally, args.top, Paint::stdout()).trim_end()),
        Format::Json => say::out(json(&tally)),
    }
    Ok(skipped.code())
}

/// For people; ends with a newline.
fn text(tally: &Tally, top: usize, paint: Paint) -> String {
    let mut out = format!("{} in {}", many(tally.calls, "call"), many(tally.records, "record"));
    if let Some((first, last)) = tally.span {
        let _ = write!(out, ", {} to {} UTC", when::shown(Some(first)), when::shown(Some(last)));
    }
    let _ = writeln!(out, "\n{} denied or refused, {} without an outcome", grouped(tally.all.denied()), grouped(tally.open));
    over_time(tally, paint, &mut out);
    let mut verdicts = Table::new("By verdict and reason", &["verdict", "calls", ""]);
    let mut counts: Vec<_> = tally.verdicts.iter().collect();
    counts.sort_by(|(name, count), (other, others)| others.cmp(count).then(name.cmp(other)));
    let most = counts.first().map_or(0, |(_, count)| **count);
    for ((verdict, reason), count) in counts.into_iter().take(top) {
        verdicts.row(vec![format!("{verdict} {reason}").trim_end().to_owned(), grouped(*count), bar(*count, most, BAR)]);
    }
    out.push_str(&verdicts.text(paint));
    out.push_str(&groups("By operation", "operation", &ranked(&tally.operations), top).text(paint));
    out.push_str(&groups("By client", "door and client", &ranked(&tally.clients), top).text(paint));
    let mut events = Table::new("Events of the trail", &["event", "records", ""]);
    let mut names: Vec<_> = tally.events.iter().collect();
    names.sort();
    for (name, count) in names {
        events.row(vec![name.clone(), grouped(*count), String::new()]);
    }
    out.push_str(&events.text(paint));
    out
}

fn over_time(tally: &Tally, paint: Paint, out: &mut String) {
    let slots = tally.series.slots(COLUMNS);
    if slots.counts.len() < 2 {
        return;
    }
    let all: Vec<u64> = slots.counts.iter().map(|counts| counts.iter().sum()).collect();
    let denied: Vec<u64> = slots.counts.iter().map(|counts| counts.iter().skip(2).sum()).collect();
    let width = when::duration(slots.width.unsigned_abs().saturating_mul(1_000_000));
    let _ = writeln!(out, "\n{}", paint.bold(&format!("Over time, {width} a column")));
    let mut chart = |title: &str, numbers: &[u64], colour: fn(Paint, &str) -> String| {
        let most = numbers.iter().max().copied().unwrap_or(0);
        let _ = writeln!(out, "  {title}, at most {} a column", grouped(most));
        for line in columns(numbers, LINES) {
            let _ = writeln!(out, "  {}", colour(paint, line.trim_end()));
        }
    };
    chart("calls", &all, Paint::blue);
    if denied.iter().any(|count| *count > 0) {
        chart("denied or refused", &denied, Paint::red);
    }
}

fn groups(title: &'static str, what: &'static str, ranked: &[(&str, &Group)], top: usize) -> Table {
    let mut table = Table::new(title, &[what, "calls", "denied", "p50", "p99", ""]);
    let most = ranked.first().map_or(0, |(_, group)| group.calls());
    for (name, group) in ranked.iter().take(top) {
        table.row(row(name, group, most));
    }
    if ranked.len() > top {
        let (calls, denied) =
            ranked.iter().skip(top).fold((0, 0), |(calls, denied), (_, one)| (calls + one.calls(), denied + one.denied()));
        table.row(vec![
            format!("({} more)", ranked.len() - top),
            grouped(calls),
            grouped(denied),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    table
}

fn row(name: &str, group: &Group, most: u64) -> Vec<String> {
    let mut group = group.clone();
    let mut percentile = |share| group.percentile(share).map_or_else(|| "-".to_owned(), when::duration);
    let (p50, p99) = (percentile(50), percentile(99));
    vec![name.to_owned(), grouped(group.calls()), grouped(group.denied()), p50, p99, bar(group.calls(), most, BAR)]
}

/// As one JSON object.
fn json(tally: &Tally) -> String {
    serde_json::to_string_pretty(&value(tally)).unwrap_or_default()
}

/// The numbers, for programs.
pub fn value(tally: &Tally) -> serde_json::Value {
    let group = |(name, group): (&str, &Group)| {
        let mut group = group.clone();
        let (p50, p99) = (group.percentile(50), group.percentile(99));
        json!({ "name": name, "calls": group.calls(), "verdicts": by_verdict(&group), "p50_us": p50, "p99_us": p99 })
    };
    let slots = tally.series.slots(COLUMNS);
    let mut reasons: Vec<_> = tally.verdicts.iter().collect();
    reasons.sort();
    json!({
        "calls": tally.calls,
        "records": tally.records,
        "open": tally.open,
        "first": tally.span.map(|(first, _)| first.to_string()),
        "last": tally.span.map(|(_, last)| last.to_string()),
        "verdicts": by_verdict(&tally.all),
        "reasons": reasons.iter().map(|((verdict, reason), calls)| json!({ "verdict": verdict, "reason": reason, "calls": calls })).collect::<Vec<_>>(),
        "operations": ranked(&tally.operations).into_iter().map(group).collect::<Vec<_>>(),
        "clients": ranked(&tally.clients).into_iter().map(group).collect::<Vec<_>>(),
        "events": tally.events,
        "over_time": { "start": slots.start, "width": slots.width, "verdicts": VERDICTS, "counts": slots.counts.iter().map(|counts| counts.to_vec()).collect::<Vec<_>>() },
    })
}

/// Counts by the verdict's word.
fn by_verdict(group: &Group) -> serde_json::Value {
    VERDICTS.iter().zip(group.verdicts).map(|(word, count)| ((*word).to_owned(), count.into())).collect::<serde_json::Map<_, _>>().into()
}

fn many(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::call;
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for n in 0..30 {
            let (verdict, reason) = if n % 10 == 0 { ("deny", json!("host-path")) } else { ("allow", json!(null)) };
            tally.add(&call(&[json!({ "stage": "single", "time": format!("2026-11-21T00:{n:02}:00Z"), "operation": "ContainerCreate",
                "verdict": verdict, "reason": reason, "uid": n % 2, "door": "unix:///run/ci.sock", "duration_us": 1000 * n })]));
        }
        tally
    }

    #[test]
    fn shows_tables_and_charts() {
        let text = text(&tally(), 12, Paint::PLAIN);
        for part in [
            "30 calls in 30 records, 2026-11-21 00:00:00.000 to 2026-11-21 00:29:00.000 UTC\n3 denied or refused, 0 without an outcome\n",
            "Over time, 1 min 0 s a column\n  calls, at most 1 a column\n",
            "\nBy verdict and reason\n  verdict         calls\n  allow              27  ████████████████████\n  deny host-path      3  ██▎\n",
            "\nBy operation\n  operation        calls  denied    p50    p99\n  ContainerCreate     30       3  14 ms  29 ms  ████████████████████\n",
            "\n  ci uid 0            15       3  14 ms  28 ms  ████████████████████\n  ci uid 1            15       0  15 ms  29 ms  ████████████████████\n",
        ] {
            assert!(text.contains(part), "{part}\n--- is not in\n{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_summed_up() {
        let text = text(&tally(), 1, Paint::PLAIN);
        assert!(text.contains("(1 more)            15       0"), "{text}");
    }

    #[test]
    fn gives_the_same_numbers_as_json() {
        let value: serde_json::Value = serde_json::from_str(&json(&tally())).unwrap();
        assert_eq!((value["calls"].as_u64(), value["verdicts"]["deny"].as_u64()), (Some(30), Some(3)));
        assert_eq!(value["operations"][0]["p99_us"], 29_000);
        assert_eq!(value["over_time"]["counts"].as_array().unwrap().len(), 30);
    }

    #[test]
    fn nothing_is_no_error() {
        assert_eq!(text(&Tally::default(), 12, Paint::PLAIN), "0 calls in 0 records\n0 denied or refused, 0 without an outcome\n");
    }
}
