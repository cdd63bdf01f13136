//! `approved = { … }`: lists of scanned images, in our own form or as Trivy and Grype write their reports.
//! Knows nothing of requests.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::policy::{Approved, Scan, Severity};

use super::error::{Diagnostic, Report};
use super::file::path;
use super::grants::word;
use super::limits::{bounded, measured};
use super::tree::Item;

/// The largest list that is read.
const MAX_FILE: u64 = 256 << 20;
/// Seconds, by unit.
const AGES: &[(&str, u64)] = &[("h", 3_600), ("d", 86_400)];

/// Reads the table, and the files that it names.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Approved> {
    let table = item.table("`approved`", report)?;
    table.only(&["files", "digests", "max-age", "max-severity"], report);
    let max_age = table.get("max-age").and_then(|age| max_age(&age, report));
    let max_severity = table.get("max-severity").and_then(|word| max_severity(&word, report));
    let mut list = Approved::new(max_age, max_severity);
    for digest in table.get("digests").and_then(|digests| digests.texts(report)).unwrap_or_default() {
        match is_digest(digest.value) {
            true => list.add(digest.value, Scan { scanned: None, severity: Severity::None }),
            false => {
                report.error("bad-value", &digest.span, format!("`{}` is no digest", digest.value.escape_debug())).hint =
                    Some("write `sha256:` and 64 hex digits".to_owned());
            }
        }
    }
    for file in table.get("files").and_then(|files| files.list(report)).unwrap_or_default() {
        let Some(name) = path(&file, report) else { continue };
        report.files.push(PathBuf::from(&name));
        if let Err(why) = add_file(Path::new(&name), &mut list) {
            report.error("bad-list", &file.span, format!("`{}` {why}", name.escape_debug())).hint = Some(
                "give a report of `trivy image --format json` or `grype -o json`, or objects with `digest`, `scanned` and `severity`"
                    .to_owned(),
            );
        }
    }
    if list.is_empty() && !report.has_errors() {
        report.warning("nothing-approved", &item.span, "no image is approved, so none can be used".to_owned());
    }
    Some(list)
}

fn max_age(item: &Item<'_>, report: &mut Report<'_>) -> Option<i64> {
    let age = measured(item, AGES, "30d", report)?;
    bounded(item, age, (3_600, 3_650 * 86_400), "from `1h` to `3650d`", report).and_then(|age| i64::try_from(age).ok())
}

fn max_severity(item: &Item<'_>, report: &mut Report<'_>) -> Option<Severity> {
    let text = item.text(report)?;
    let exact = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
    exact.or_else(|| word(item, "severity", text, &Severity::ALL.map(Severity::as_str), report))
}

fn is_digest(text: &str) -> bool {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(lower_hex))
}

fn add_file(file: &Path, list: &mut Approved) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    // opening a pipe could wait for ever
    if !std::fs::metadata(file).map_err(cannot)?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut text = Vec::new();
    std::fs::File::open(file).map_err(cannot)?.take(MAX_FILE + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > MAX_FILE {
        return Err("is larger than 256 MiB".to_owned());
    }
    add(&text, list)
}

/// One document, a list of them, or one after the other.
fn add(text: &[u8], list: &mut Approved) -> Result<(), String> {
    let mut any = false;
    for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        any = true;
        let document = document.map_err(|error| format!("is no JSON: {error}"))?;
        match document.as_array() {
            Some(entries) => entries.iter().try_for_each(|entry| add_document(entry, list))?,
            None => add_document(&document, list)?,
        }
    }
    any.then_some(()).ok_or_else(|| "is empty".to_owned())
}

fn add_document(document: &Value, list: &mut Approved) -> Result<(), String> {
    let Some(object) = document.as_object() else { return Err("holds something other than objects".to_owned()) };
    let (digests, scan) = if object.contains_key("SchemaVersion") {
        trivy(object)?
    } else if object.contains_key("matches") {
        grype(object)?
    } else {
        own(object)?
    };
    if digests.is_empty() {
        return Err("holds a report that names no digest: scan the image by its digest or from a registry".to_owned());
    }
    digests.iter().for_each(|digest| list.add(digest, scan));
    Ok(())
}

/// The digests of a report and what its scan came to.
type Scanned = (Vec<String>, Scan);

/// `{"digest":"sha256:…","scanned":"2026-01-31T12:00:00Z","severity":"low"}`
fn own(object: &Map<String, Value>) -> Result<Scanned, String> {
    if let Some(unknown) = object.keys().find(|key| !matches!(key.as_str(), "digest" | "scanned" | "severity" | "image" | "scanner")) {
        return Err(format!("holds an object with the unknown key `{}`", unknown.escape_debug()));
    }
    let digest = object.get("digest").and_then(Value::as_str).filter(|digest| is_digest(digest));
    let digest = digest.ok_or("holds an object whose `digest` is no `sha256:` and 64 hex digits")?;
    Ok((vec![digest.to_owned()], Scan { scanned: date(object.get("scanned"))?, severity: severity(object.get("severity"))? }))
}

/// A report of `trivy image --format json`.
fn trivy(object: &Map<String, Value>) -> Result<Scanned, String> {
    let metadata = object.get("Metadata").unwrap_or(&Value::Null);
    let digests = digests(&[metadata.get("ImageID")], metadata.get("RepoDigests"));
    let results = object.get("Results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let found = results.iter().filter_map(|result| result.get("Vulnerabilities")?.as_array()).flatten();
    let worst = worst(found.map(|found| found.get("Severity")))?;
    Ok((digests, Scan { scanned: date(object.get("CreatedAt"))?, severity: worst }))
}

/// A report of `grype -o json`.
fn grype(object: &Map<String, Value>) -> Result<Scanned, String> {
    let target = object.get("source").and_then(|source| source.get("target")).unwrap_or(&Value::Null);
    let digests = digests(&[target.get("imageID"), target.get("manifestDigest")], target.get("repoDigests"));
    let matches = object.get("matches").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let worst = worst(matches.iter().map(|found| found.get("vulnerability")?.get("severity")))?;
    let scanned = date(object.get("descriptor").and_then(|descriptor| descriptor.get("timestamp")))?;
    Ok((digests, Scan { scanned, severity: worst }))
}

/// Plain digests, and those behind the `@` of repository digests.
fn digests(plain: &[Option<&Value>], repositories: Option<&Value>) -> Vec<String> {
    let plain = plain.iter().filter_map(|value| value.and_then(Value::as_str));
    let named = repositories.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = named.iter().filter_map(|name| name.as_str()?.rsplit_once('@')).map(|(_, digest)| digest);
    plain.chain(named).filter(|digest| is_digest(digest)).map(str::to_owned).collect()
}

fn worst<'a>(severities: impl Iterator<Item = Option<&'a Value>>) -> Result<Severity, String> {
    severities.map(severity).try_fold(Severity::None, |worst, next| Ok(worst.max(next?)))
}

/// A finding without a rating counts as one that a scanner could not rate.
fn severity(value: Option<&Value>) -> Result<Severity, String> {
    let word = match value {
        None | Some(Value::Null) => "unknown",
        Some(value) => value.as_str().unwrap_or_default(),
    };
    Severity::of(word).ok_or_else(|| format!("holds the unknown severity `{}`", word.escape_debug()))
}

fn date(value: Option<&Value>) -> Result<Option<i64>, String> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_str().unwrap_or_default(),
    };
    let read: Result<jiff::Timestamp, _> = text.parse();
    read.map(|date| Some(date.as_second()))
        .map_err(|_| format!("holds the date `{}`, which is not like 2026-01-31T12:00:00Z", text.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn listed(text: &str, most: Severity) -> Result<Approved, String> {
        let mut list = Approved::new(None, Some(most));
        add(text.as_bytes(), &mut list).map(|()| list)
    }

    #[test]
    fn reads_a_report_of_trivy_as_it_is() {
        let report = format!(
            r#"{{"SchemaVersion":2,"CreatedAt":"2026-11-01T10:20:30.123456789+02:00","ArtifactName":"web:1","ArtifactType":"container_image",
            "Metadata":{{"ImageID":"{A}","RepoTags":["web:1"],"RepoDigests":["example.org/web@{B}"],"ImageConfig":{{}}}},
            "Results":[{{"Target":"web","Class":"os-pkgs","Vulnerabilities":[{{"VulnerabilityID":"CVE-1","Severity":"MEDIUM"}},{{"Severity":"LOW"}}]}},
                       {{"Target":"secrets","Class":"secret"}}]}}"#
        );
        let list = listed(&report, Severity::Medium).unwrap();
        assert_eq!([A, B].map(|digest| list.covers(digest, 0)), [true, true]);
        assert!(!listed(&report, Severity::Low).unwrap().covers(A, 0));
        let dated = |now| {
            let mut dated = list.clone();
            dated.max_age = Some(3600);
            dated.covers(A, now)
        };
        assert!(dated(1_793_523_000));
        assert!(!dated(1_793_530_000));
    }

    #[test]
    fn reads_a_report_of_grype_as_it_is() {
        let report = format!(
            r#"{{"matches":[{{"vulnerability":{{"id":"CVE-2","severity":"Negligible"}}}},{{"vulnerability":{{"id":"CVE-3","severity":"Unknown"}}}}],
            "source":{{"type":"image","target":{{"userInput":"web:1","imageID":"{A}","manifestDigest":"{B}","tags":["web:1"],"repoDigests":[]}}}},
            "descriptor":{{"name":"grype","version":"0.80.0","timestamp":"2026-11-01T08:20:30.5Z"}}}}"#
        );
        assert!(listed(&report, Severity::High).unwrap().covers(B, 0));
        assert!(!listed(&report, Severity::Medium).unwrap().covers(A, 0), "what could not be rated counts as high");
    }

    #[test]
    fn reads_lists_of_its_own_form_in_lines_or_brackets() {
        let line = |digest: &str| format!(r#"{{"digest":"{digest}","scanned":"2026-11-01T00:00:00Z","severity":"low","scanner":"x"}}"#);
        for text in [format!("{}\n{}\n", line(A), line(B)), format!("[{},{}]", line(A), line(B))] {
            assert_eq!(listed(&text, Severity::Low).unwrap().len(), 2);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_list() {
        for (text, why) in [
            ("", "is empty"),
            ("{", "is no JSON"),
            ("[1]", "other than objects"),
            (r#"{"digest":"nginx"}"#, "is no `sha256:`"),
            (r#"{"digests":[]}"#, "unknown key `digests`"),
            (r#"{"SchemaVersion":2,"ArtifactName":"x"}"#, "names no digest"),
            (&format!(r#"{{"digest":"{A}","severity":"awful"}}"#), "unknown severity `awful`"),
            (&format!(r#"{{"digest":"{A}","severity":"low","scanned":"yesterday"}}"#), "the date `yesterday`"),
        ] {
            let said = listed(text, Severity::High).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
