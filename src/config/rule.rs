//! Entries of `allow` and `deny` → rules.
//! Knows nothing of policies.

use std::sync::Arc;

use crate::docker::operations::{BodyPlan, Group, KeyType, TABLE};
use crate::docker::{Method, Operation};
use crate::policy::glob::{Glob, anchored};
use crate::policy::{Condition, Origin, Rule};

use super::error::Report;
use super::paths;
use super::suggest::{did_you_mean, listed, nearest, some_of};
use super::tree::{Item, Span, Table};

/// Which list an entry stands in: a deny also reaches operations that an allow must name one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Allow,
    Deny,
}

impl List {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A rule and its place.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    pub(super) span: Span,
}

/// What the word for the operations named.
struct Chosen {
    operations: Vec<Operation>,
    /// True for one operation by its name, which must fit its conditions; a set is narrowed to those that do.
    single: bool,
}

/// Reads one entry; `None` where it was reported as wrong.
pub(super) fn read(item: &Item<'_>, list: List, report: &mut Report<'_>) -> Option<Entry> {
    let (operations, conditions) = if item.is_table() {
        conditional(&item.table(format!("an entry of `{}`", list.key()), report)?, &item.span, list, report)?
    } else {
        let text = item.string(report)?;
        (choose(text.value, &text.span, list, report)?.operations, Vec::new())
    };
    let text = item.maybe_text().map_or_else(|| report.written(&item.span), str::to_owned);
    let origin = Origin { source: Arc::clone(&report.source), line: report.line(&item.span) };
    Some(Entry { rule: Rule { text, origin, operations, conditions }, span: item.span.clone() })
}

/// The operations of `ContainerList`, `Container*`, `@read` or `GET /containers/json`.
fn choose(text: &str, span: &Span, list: List, report: &mut Report<'_>) -> Option<Chosen> {
    if text.starts_with('@') {
        return group(text, span, report);
    }
    if text.contains('/') {
        return by_path(text, span, report);
    }
    if text.contains('*') {
        return pattern(text, span, list, report);
    }
    let found = TABLE.iter().find(|operation| operation.name() == text);
    if found.is_none() {
        let names = TABLE.iter().map(|operation| operation.name()).chain(Group::ALL.iter().map(|group| group.name()));
        let bare = format!("@{text}");
        let group = Group::ALL.iter().find(|group| group.name() == bare).map(|group| format!("did you mean the group `{}`?", group.name()));
        let hint = group.or_else(|| did_you_mean(text, names)).unwrap_or_else(|| {
            "write an operation id (`ContainerList`), a pattern (`Container*`), a group (`@read`) or `METHOD /path`".to_owned()
        });
        report.error("unknown-operation", span, format!("there is no operation `{}`", text.escape_debug())).hint = Some(hint);
    }
    found.map(|operation| Chosen { operations: vec![*operation], single: true })
}

fn group(text: &str, span: &Span, report: &mut Report<'_>) -> Option<Chosen> {
    let Some(group) = Group::ALL.iter().find(|group| group.name() == text) else {
        let names = Group::ALL.iter().map(|group| group.name());
        let hint = did_you_mean(text, names.clone()).unwrap_or_else(|| format!("groups are {}", listed(names)));
        report.error("unknown-group", span, format!("there is no group of operations `{}`", text.escape_debug())).hint = Some(hint);
        return None;
    };
    let operations = TABLE.iter().copied().filter(|operation| operation.row().groups.contains(group)).collect();
    Some(Chosen { operations, single: false })
}

fn pattern(text: &str, span: &Span, list: List, report: &mut Report<'_>) -> Option<Chosen> {
    let glob = Glob::new(text).ok();
    let all: Vec<Operation> =
        TABLE.iter().copied().filter(|operation| glob.as_ref().is_some_and(|glob| glob.matches(operation.name()))).collect();
    if all.is_empty() {
        report.error("unknown-operation", span, format!("no operation fits the pattern `{}`", text.escape_debug())).hint =
            Some("operation ids look like `ContainerList`; `dockgate preset show unrestricted` shows the groups".to_owned());
        return None;
    }
    let operations = openable(all, text, span, list, report);
    (!operations.is_empty()).then_some(Chosen { operations, single: false })
}

/// Operations whose bodies pass unread are allowed by name, group or template only.
fn openable(all: Vec<Operation>, text: &str, span: &Span, list: List, report: &mut Report<'_>) -> Vec<Operation> {
    if list == List::Deny {
        return all;
    }
    let (shut, open): (Vec<Operation>, Vec<Operation>) =
        all.into_iter().partition(|operation| matches!(operation.row().body, BodyPlan::Opaque | BodyPlan::Tunnel));
    if !shut.is_empty() {
        let names = listed(shut.iter().map(|operation| operation.name()));
        let message = format!("`{}` does not open {names}", text.escape_debug());
        let said = if open.is_empty() {
            report.error("opaque-operation", span, message)
        } else {
            report.warning("opaque-operation", span, message)
        };
        said.hint = Some("name each one by its operation id, if it is meant".to_owned());
        said.notes.push("their bodies pass unread, so patterns and `path` never open them".to_owned());
    }
    open
}

/// `METHOD /path/{template}`
fn by_path(text: &str, span: &Span, report: &mut Report<'_>) -> Option<Chosen> {
    let (word, path) = text.split_once(' ').map_or(("", text), |(word, path)| (word, path.trim_start()));
    let found = TABLE.iter().find(|operation| operation.row().method.as_str() == word && same_template(path, operation.row().path));
    if let Some(operation) = found {
        return Some(Chosen { operations: vec![*operation], single: true });
    }
    let hint = path_hint(word, path);
    report.error("unknown-operation", span, format!("`{}` is no operation of the Engine API", text.escape_debug())).hint = Some(hint);
    None
}

fn path_hint(word: &str, path: &str) -> String {
    if let Some(bare) = without_version(path) {
        return format!("leave out the version, a rule holds for all of them: `{word} {bare}`");
    }
    let methods: Vec<&str> = TABLE.iter().filter(|row| same_template(path, row.row().path)).map(|row| row.row().method.as_str()).collect();
    if !methods.is_empty() {
        let example = methods.first().copied().unwrap_or_default();
        return format!("`{path}` takes {}: write `{example} {path}`", listed(methods.iter().copied()));
    }
    if TABLE.iter().any(|row| row.row().method.as_str() == word && instance(path, row.row().path)) {
        return format!(
            "this is one object's path: write `{{ method = \"{word}\", path = \"{path}\" }}` for it alone, or a placeholder for all"
        );
    }
    let rows: Vec<String> = TABLE.iter().map(|row| format!("{} {}", row.row().method, row.row().path)).collect();
    let near = nearest(&format!("{word} {path}"), rows.iter().map(String::as_str));
    near.map_or_else(|| "write one like `GET /containers/{id}/json`".to_owned(), |near| format!("did you mean `{near}`?"))
}

/// The path behind `/v1.43`, where it begins so.
fn without_version(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v")?;
    let end = rest.find('/')?;
    let (version, bare) = rest.split_at_checked(end)?;
    (version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(|c| c.is_ascii_digit() || c == '.')).then_some(bare)
}

fn placeholder(part: &str) -> bool {
    part.len() > 2 && part.starts_with('{') && part.ends_with('}')
}

fn same_template(written: &str, row: &str) -> bool {
    let same = |(one, other): (&str, &str)| one == other || (placeholder(one) && placeholder(other));
    written.split('/').count() == row.split('/').count() && written.split('/').zip(row.split('/')).all(same)
}

/// True where the path has names in the place of placeholders.
fn instance(path: &str, row: &str) -> bool {
    let fits = |(one, other): (&str, &str)| one == other || placeholder(other);
    path.split('/').count() == row.split('/').count() && path.split('/').zip(row.split('/')).all(fits)
}

/// `{ operation, id, query }` or `{ method, path }`
fn conditional(table: &Table<'_>, span: &Span, list: List, report: &mut Report<'_>) -> Option<(Vec<Operation>, Vec<Condition>)> {
    table.only(&["operation", "id", "query", "method", "path"], report);
    match (table.get("operation"), table.get("path")) {
        (Some(operation), None) => {
            if let Some(method) = table.get("method") {
                report.error("conflicting-keys", &method.key, "`method` goes with `path`, not with `operation`").hint =
                    Some("leave it out: an operation has one method".to_owned());
            }
            by_operation(table, &operation, list, report)
        }
        (None, Some(path)) => {
            for key in ["id", "query"] {
                if let Some(item) = table.get(key) {
                    report.error("conflicting-keys", &item.key, format!("`{key}` goes with `operation`, not with `path`")).hint =
                        Some("write `operation = \"...\"` instead of `path`".to_owned());
                }
            }
            by_regex(table, &path, list, report)
        }
        (Some(_), Some(path)) => {
            report.error("conflicting-keys", &path.key, "a rule has `operation` or `path`, not both").hint =
                Some("leave one of them out".to_owned());
            None
        }
        (None, None) => {
            report.error("missing-key", span, "this rule names no operation").hint =
                Some("add `operation = \"ContainerStart\"` or `path = \"/containers/[^/]+/start\"`".to_owned());
            None
        }
    }
}

fn by_operation(table: &Table<'_>, operation: &Item<'_>, list: List, report: &mut Report<'_>) -> Option<(Vec<Operation>, Vec<Condition>)> {
    let word = operation.string(report)?;
    let mut chosen = choose(word.value, &word.span, list, report)?;
    let mut conditions = Vec::new();
    if let Some(item) = table.get("id") {
        let regex = regex(&item, report)?;
        narrow(&mut chosen, &item, has_object, "leave it out: the path names no container, exec, network, volume or image", report)?;
        conditions.push(Condition::Id(regex));
    }
    if let Some(query) = table.get("query") {
        for item in query.table("`query`", report)?.items() {
            conditions.push(query_condition(&mut chosen, &item, report)?);
        }
    }
    Some((chosen.operations, conditions))
}

fn query_condition(chosen: &mut Chosen, item: &Item<'_>, report: &mut Report<'_>) -> Option<Condition> {
    let regex = regex(item, report)?;
    let key = item.name.as_str();
    let keys = |operation: Operation| operation.row().query.iter();
    let known: Vec<&str> = chosen.operations.iter().flat_map(|operation| keys(*operation)).map(|key| key.name).collect();
    let why = did_you_mean(key, known.iter().copied()).unwrap_or_else(|| match some_of(known) {
        none if none.is_empty() => "leave it out: there are no query keys".to_owned(),
        some => format!("query keys are {some}"),
    });
    narrow(chosen, item, |operation| keys(operation).any(|known| known.name == key), &why, report)?;
    let is_bool =
        chosen.operations.iter().flat_map(|operation| keys(*operation)).any(|known| known.name == key && known.ty == KeyType::Bool);
    if is_bool && !regex.is_match("1") && !regex.is_match("0") {
        report.error("never-matches", &item.span, format!("`{key}` is judged as `1` or `0`, and this matches neither")).hint =
            Some("write `\"1\"` for true and `\"0\"` for false".to_owned());
        return None;
    }
    Some(Condition::Query(item.name.clone(), regex))
}

/// Keeps the operations that a condition fits; a single one must fit it, a set must hold one that does.
fn narrow(chosen: &mut Chosen, item: &Item<'_>, fits: impl Fn(Operation) -> bool, why: &str, report: &mut Report<'_>) -> Option<()> {
    let key = &item.name;
    let names = some_of(chosen.operations.iter().map(|operation| operation.name()));
    chosen.operations.retain(|operation| fits(*operation));
    if !chosen.operations.is_empty() {
        return Some(());
    }
    let message = if chosen.single {
        format!("`{}` is no condition for {names}", key.escape_debug())
    } else {
        format!("`{}` is no condition for any of {names}", key.escape_debug())
    };
    report.error("bad-condition", &item.key, message).hint = Some(why.to_owned());
    None
}

/// The operations whose path names an object that can be looked up.
fn has_object(operation: Operation) -> bool {
    let path = operation.row().path;
    path.contains('{') && ["/containers/", "/exec/", "/networks/", "/volumes/", "/images/"].iter().any(|start| path.starts_with(start))
}

fn by_regex(table: &Table<'_>, path: &Item<'_>, list: List, report: &mut Report<'_>) -> Option<(Vec<Operation>, Vec<Condition>)> {
    let method = match table.get("method") {
        None => None,
        Some(item) => Some(method(&item, report)?),
    };
    let source = path.text(report)?;
    let regex = regex(path, report)?;
    let takes = |operation: Operation| method.is_none_or(|method| operation.row().method == method);
    let fitting = TABLE.iter().copied().filter(|operation| takes(*operation) && paths::may_match(&regex, source, *operation));
    let all: Vec<Operation> = fitting.collect();
    if all.is_empty() {
        let hint = if source.trim_start_matches('^').starts_with("/v") && !source.contains("/volumes") && !source.contains("/version") {
            "leave out the version: it is not part of the path here"
        } else {
            "the whole path must match, as in `/containers/[^/]+/start`"
        };
        report.error("never-matches", &path.span, "no operation has a path like this").hint = Some(hint.to_owned());
        return None;
    }
    let operations = openable(all, source, &path.span, list, report);
    (!operations.is_empty()).then(|| (operations, vec![Condition::Path(regex)]))
}

fn method(item: &Item<'_>, report: &mut Report<'_>) -> Option<Method> {
    let text = item.text(report)?;
    let method = Method::parse(text);
    if method.is_none() {
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE"];
        let hint = did_you_mean(text, known).unwrap_or_else(|| format!("methods are {}", listed(known)));
        report.error("bad-value", &item.span, format!("`{}` is no method of the Engine API", text.escape_debug())).hint = Some(hint);
    }
    method
}

fn regex(item: &Item<'_>, report: &mut Report<'_>) -> Option<regex::Regex> {
    let source = item.text(report)?;
    match anchored(source) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let text = error.to_string();
            let why = text.rsplit("error: ").next().unwrap_or_default().trim().to_owned();
            let said = report.error("bad-regex", &item.span, format!("`{}` is no regular expression", source.escape_debug()));
            said.hint = Some("the syntax is that of Rust's regex crate, without look-around and back-references".to_owned());
            said.notes.push(why.to_lowercase());
            None
        }
    }
}
