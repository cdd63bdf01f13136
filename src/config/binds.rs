//! `binds = [ … ]`: host paths that may be mounted.
//! Knows nothing of requests.

use crate::policy::{BindAccess, BindGrant};

use super::error::{Diagnostic, Report};
use super::grants::word;
use super::places::{canonical, danger};
use super::tree::Item;

/// Reads the list; what must not be granted below `unrestricted` is put aside.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<Vec<BindGrant>> {
    Some(item.list(report)?.iter().filter_map(|entry| bind(entry, report, strict)).collect())
}

fn bind(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<BindGrant> {
    if let Some(text) = item.maybe_text() {
        let path = text.split(':').next().unwrap_or_default();
        report.error("wrong-type", &item.span, "an entry of `binds` must be a table").hint =
            Some(format!("write `{{ source = \"{path}\", mode = \"ro\" }}`"));
        return None;
    }
    let table = item.table("an entry of `binds`", report)?.at(item.span.clone());
    table.only(&["source", "mode"], report);
    let access = table.get("mode").map_or(Some(BindAccess::ReadOnly), |mode| access(&mode, report));
    let source = table.require("source", "write `{ source = \"/srv/data\", mode = \"ro\" }`", report)?.string(report)?;
    let (path, below) = source.value.strip_suffix("/**").map_or((source.value, false), |path| (path, true));
    let whole = if below && path.is_empty() { "/" } else { path };
    if path.contains('*') || !canonical(whole) {
        let shown = source.value.escape_debug();
        let hint = if path.contains('*') {
            "a star stands only at the end, as `/**`"
        } else {
            "write an absolute path without `.`, `..`, doubled or final slashes"
        };
        report.error("bad-path", &source.span, format!("`{shown}` is no plain path")).hint = Some(hint.to_owned());
        return None;
    }
    if let Some(why) = danger(whole) {
        let mut diagnostic = report.later("host-path", &source.span, why);
        diagnostic.hint = Some("name the one folder that is needed, or set `level = \"unrestricted\"`".to_owned());
        strict.push(diagnostic);
    }
    Some(BindGrant { source: path.to_owned(), below, access: access? })
}

fn access(item: &Item<'_>, report: &mut Report<'_>) -> Option<BindAccess> {
    match item.text(report)? {
        "rro" => Some(BindAccess::RecursiveReadOnly),
        "ro" => Some(BindAccess::ReadOnly),
        "rw" => Some(BindAccess::ReadWrite),
        other => word(item, "bind mode", other, &["rro", "ro", "rw"], report),
    }
}
