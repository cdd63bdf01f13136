//! Instructions per request, from the bytes of its head to what goes upstream, held against `budget.toml`.
//! Knows nothing of sockets and the trail: counted is what dockgate thinks, not what it waits for.
//!
//! valgrind counts each case with a few requests and with many more: the difference is the cost of the requests alone, and
//! the same on every run. `--bless` writes the counts as the new budget. A profile of one case, from a build with symbols:
//! `valgrind --tool=callgrind --dump-instr=no <the binary> --run create-1 1000`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people, with its table on standard output")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use self::support::{Bed, Case, Regexes, create, list, said};

/// The cases, each with the one that it must not cost more than.
const CASES: &[(Case, Option<&str>)] = &[
    (list("get-1", 1, Regexes::None), None),
    (list("get-100", 100, Regexes::Allow), Some("get-1")),
    (list("get-10000", 10_000, Regexes::Allow), Some("get-1")),
    (list("get-10-denies-11", 11, Regexes::Deny), None),
    (list("get-10-denies-10000", 10_000, Regexes::Deny), Some("get-10-denies-11")),
    (create("create-1", 1, Regexes::None), None),
    (create("create-100", 100, Regexes::Allow), Some("create-1")),
    (create("create-10000", 10_000, Regexes::Allow), Some("create-1")),
    (create("create-10-denies-11", 11, Regexes::Deny), None),
    (create("create-10-denies-10000", 10_000, Regexes::Deny), Some("create-10-denies-11")),
];

/// How many requests the two counted runs judge. Reading 10,000 rules does not cost the same twice: reads are cheap, so there are
/// enough of them that it does not show.
const FEW: u64 = 200;
const MANY: u64 = 1200;
const MANY_READS: u64 = 10_200;
/// By how many per cent a case may exceed its budget, or its baseline.
const SLACK: u64 = 5;
/// How long a case is timed.
const TIMED: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--run", name, count] => run(name, count),
        words => measure(words.contains(&"--bless")),
    };
    done.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}

/// What valgrind counts: a policy is read, and a request judged so many times.
fn run(name: &str, count: &str) -> Result<ExitCode, String> {
    let (case, _) = CASES.iter().find(|(case, _)| case.name == name).ok_or_else(|| format!("there is no case `{name}`"))?;
    let bed = Bed::new(case)?;
    for _ in 0..count.parse::<u64>().map_err(said)? {
        black_box(bed.request()?);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(bless: bool) -> Result<ExitCode, String> {
    if let Some(why) = not_here() {
        println!("SKIPPED: instructions were not counted: {why}");
        let required = std::env::var("DOCKGATE_REQUIRE_ENGINE").as_deref() == Ok("1");
        return if required { Err(format!("DOCKGATE_REQUIRE_ENGINE=1, and {why}")) } else { Ok(ExitCode::SUCCESS) };
    }
    let budget = if bless { BTreeMap::new() } else { read_budget()? };
    let mut counts = BTreeMap::new();
    let mut faults = Vec::new();
    println!("{:<24}{:>14}{:>14}{:>12}  verdict", "case", "instructions", "budget", "ns (rough)");
    for (case, baseline) in CASES {
        let count = instructions(case)?;
        counts.insert(case.name, count);
        let allowed = budget.get(case.name).copied();
        let found = above_baseline(*baseline, count, &counts).or_else(|| above_budget(count, allowed).filter(|_| !bless));
        let shown = allowed.map_or_else(|| "-".to_owned(), |allowed| allowed.to_string());
        println!("{:<24}{count:>14}{shown:>14}{:>12}  {}", case.name, nanoseconds(case)?, found.as_deref().unwrap_or("ok"));
        faults.extend(found.map(|found| format!("`{}` {found}", case.name)));
    }
    if bless {
        write_budget(&counts)?;
    }
    if faults.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(faults.join("\nerror: ")) }
}

/// Why nothing can be counted here.
fn not_here() -> Option<&'static str> {
    if cfg!(debug_assertions) {
        return Some("this is no optimised build; run `cargo bench --bench instructions`");
    }
    let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (!there.is_ok_and(|status| status.success())).then_some("valgrind is not installed")
}

fn above(count: u64, limit: u64) -> bool {
    count * 100 > limit * (100 + SLACK)
}

fn above_baseline(baseline: Option<&str>, count: u64, counts: &BTreeMap<&str, u64>) -> Option<String> {
    let baseline = baseline.filter(|name| counts.get(name).is_some_and(|limit| above(count, *limit)))?;
    Some(format!("costs more than {SLACK} % above `{baseline}`: a request must not pay for rules that are not its own"))
}

/// What is wrong with a count, and what to do about it.
fn above_budget(count: u64, allowed: Option<u64>) -> Option<String> {
    match allowed {
        None => Some("has no budget: write one with `cargo bench --bench instructions -- --bless`".to_owned()),
        Some(allowed) if above(count, allowed) => Some(format!(
            "exceeds its budget of {allowed} by more than {SLACK} %: make it cheaper, or accept it with `cargo bench --bench instructions -- --bless`"
        )),
        Some(_) => None,
    }
}

/// Instructions of one request.
fn instructions(case: &Case) -> Result<u64, String> {
    let [_, body] = case.request;
    let many = if body.is_empty() { MANY_READS } else { MANY };
    let more = counted(case, many)?.checked_sub(counted(case, FEW)?);
    more.map(|more| more / (many - FEW)).ok_or_else(|| format!("`{}`: more requests took fewer instructions", case.name))
}

/// Instructions of a whole run. No cache is simulated: only the number is wanted.
fn counted(case: &Case, requests: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe().map_err(said)?).args(["--run", case.name, &requests.to_string()]);
    let output = command.output().map_err(said)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = if output.status.success() { text.lines().find_map(total) } else { None };
    count.ok_or_else(|| format!("`{}`: valgrind counted nothing: {text}", case.name))
}

/// `==123== I   refs:      1,234,567`
fn total(line: &str) -> Option<u64> {
    let (words, number) = line.rsplit_once("refs:")?;
    words.trim_end().ends_with('I').then(|| number.trim().replace(',', "").parse().ok()).flatten()
}

/// The time of one request, best of many short rounds: it depends on the machine, so it decides nothing.
fn nanoseconds(case: &Case) -> Result<u128, String> {
    const ROUND: u32 = 100;
    let bed = Bed::new(case)?;
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < TIMED {
        let round = Instant::now();
        for _ in 0..ROUND {
            black_box(bed.request()?);
        }
        best = best.min(round.elapsed());
    }
    Ok((best / ROUND).as_nanos())
}

fn budget_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/budget.toml")
}

fn read_budget() -> Result<BTreeMap<String, u64>, String> {
    let file = budget_file();
    let text = std::fs::read_to_string(&file).map_err(|error| format!("`{}`: {error}", file.display()))?;
    toml::from_str(&text).map_err(|error| format!("`{}`: {error}", file.display()))
}

fn write_budget(counts: &BTreeMap<&str, u64>) -> Result<(), String> {
    let mut text =
        "# Instructions per request, x86-64. `cargo bench --bench instructions` fails where a count is more than 5 % above its line,\n\
                    # and `cargo bench --bench instructions -- --bless` writes these lines anew.\n"
            .to_owned();
    for (case, _) in CASES {
        let count = counts.get(case.name).copied().unwrap_or_default();
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{} = {count}", case.name);
    }
    std::fs::write(budget_file(), text).map_err(said)
}
