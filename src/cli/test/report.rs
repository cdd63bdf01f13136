//! Results as text for people, as JUnit XML and as JSON.
//! Knows nothing of how they came about.

use std::fmt::Write as _;

use crate::docker::Value;

use super::super::explain::pretty;
use super::super::say::Paint;
use super::coverage::Coverage;

/// One test and what came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The test file.
    pub file: String,
    /// The line of the test.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// The policy that judged.
    pub policy: String,
    /// What is not as expected; empty where it passed.
    pub wrong: Vec<String>,
}

/// `passed, failed`.
pub fn counts(outcomes: &[Outcome]) -> (usize, usize) {
    let failed = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count();
    (outcomes.len() - failed, failed)
}

/// For people; ends with the line `N passed, N failed`.
pub fn text(outcomes: &[Outcome], coverage: &Coverage, paint: Paint) -> String {
    let mut out = String::new();
    for Outcome { file, line, name, policy, wrong } in outcomes {
        let name = visible(name);
        if wrong.is_empty() {
            let _ = writeln!(out, "{} {policy}: {name}", paint.green("ok  "));
            continue;
        }
        let _ = writeln!(out, "{} {policy}: {name}  ({file}:{line})", paint.red("FAIL"));
        for why in wrong {
            let _ = writeln!(out, "       {}", visible(why));
        }
    }
    let (reached, all) = coverage.reached();
    if all > 0 {
        let _ = writeln!(out, "rules reached by tests: {reached} of {all}");
    }
    for entry in coverage.unreached() {
        let _ = writeln!(out, "  not reached: `{}` of {} ({}:{})", entry.text, entry.list, entry.source, entry.line);
    }
    let (passed, failed) = counts(outcomes);
    let _ = writeln!(out, "{passed} passed, {failed} failed");
    out
}

fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// As one JSON object.
pub fn json(outcomes: &[Outcome], coverage: &Coverage) -> String {
    let text = |text: &str| Value::Text(text.to_owned());
    let number = |number: usize| Value::Number(number.to_string());
    let outcome = |outcome: &Outcome| {
        Value::Object(vec![
            ("file".into(), text(&outcome.file)),
            ("line".into(), number(outcome.line)),
            ("name".into(), text(&outcome.name)),
            ("policy".into(), text(&outcome.policy)),
            ("passed".into(), Value::Bool(outcome.wrong.is_empty())),
            ("wrong".into(), Value::List(outcome.wrong.iter().map(|why| text(why)).collect())),
        ])
    };
    let unreached = coverage.unreached().map(|entry| {
        let place = [("source".into(), text(&entry.source)), ("line".into(), number(entry.line))];
        Value::Object([("rule".into(), text(&entry.text)), ("list".into(), text(&entry.list))].into_iter().chain(place).collect())
    });
    let ((passed, failed), (reached, all)) = (counts(outcomes), coverage.reached());
    let rules =
        vec![("all".into(), number(all)), ("reached".into(), number(reached)), ("not-reached".into(), Value::List(unreached.collect()))];
    pretty(&Value::Object(vec![
        ("passed".into(), number(passed)),
        ("failed".into(), number(failed)),
        ("tests".into(), Value::List(outcomes.iter().map(outcome).collect())),
        ("rules".into(), Value::Object(rules)),
    ]))
}

/// As JUnit XML, a suite for each file.
pub fn junit(outcomes: &[Outcome]) -> String {
    let (_, failed) = counts(outcomes);
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(out, "<testsuites name=\"dockgate\" tests=\"{}\" failures=\"{failed}\">", outcomes.len());
    for suite in outcomes.chunk_by(|one, other| one.file == other.file) {
        let file = suite.first().map(|first| escaped(&first.file)).unwrap_or_default();
        let (_, failed) = counts(suite);
        let _ = writeln!(out, "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">", suite.len());
        for outcome in suite {
            let (name, policy) = (escaped(&outcome.name), escaped(&outcome.policy));
            let _ = write!(out, "    <testcase name=\"{name}\" classname=\"{policy}\" file=\"{file}\" line=\"{}\"", outcome.line);
            if outcome.wrong.is_empty() {
                out.push_str("/>\n");
                continue;
            }
            let first = outcome.wrong.first().map(|why| escaped(why)).unwrap_or_default();
            let _ =
                write!(out, ">\n      <failure message=\"{first}\">{}</failure>\n    </testcase>\n", escaped(&outcome.wrong.join("\n")));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>");
    out
}

/// Text for elements and attributes. XML 1.0 has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}
