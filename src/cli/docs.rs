//! `dockgate docs`: reference pages that are made from the tables.
//! Knows nothing beyond the tables.

use std::fmt::Write as _;

use crate::docker::operations::{Arity, BodyPlan, Group, Key, Kind, Row, TABLE};
use crate::docker::schema::{Field, Schema, Type};
use crate::docker::{ApiVersion, Class};

use super::explain::kebab;
use super::{Outcome, say};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    page: Page,
}

#[derive(Debug, clap::Subcommand)]
enum Page {
    /// Every operation of the Engine API (docs/endpoints.md)
    Endpoints,
    /// Every field of the JSON bodies (docs/fields.md)
    Fields,
    /// Where each field of a record goes in other formats (docs/audit-formats.md)
    AuditFormats,
    /// The presets, with what they are for and what clients lose (docs/presets.md)
    Presets,
}

/// Prints a page.
pub fn run(args: &Args) -> Outcome {
    match args.page {
        Page::Endpoints => say::out(endpoints_md().trim_end()),
        Page::Fields => say::out(fields_md().trim_end()),
        Page::AuditFormats => say::out(super::audit::formats_md().trim_end()),
        Page::Presets => say::out(super::presets_page::page().trim_end()),
    }
    Ok(0)
}

const INTRODUCTION: &str = "\
# Operations

Every operation of the Engine API that dockgate knows, from its table. Anything else is refused. This page is generated
(`dockgate docs endpoints`), and a test fails when it is stale.

A rule names an operation by its id, by a group, or by `METHOD /path/{template}`; the version prefix is left out.

- **kind**: `read`; `sensitive read` (may show secrets or file contents, or makes the engine call out); `stream` (a read without
  end); `tunnel` (the connection becomes raw); `change`. Changes, streams and tunnels have a record before their first byte goes upstream.
- **body**: `none`; `JSON` of a known schema, judged field by field; `unread` (relayed as it is); `refused` (a protocol of its own,
  which cannot be inspected). [fields.md](fields.md) lists the fields.
- **query**: a key alone cannot reach the host; `key (check)` is decided by that check; `key (refused)` must be empty below
  level `unrestricted`; `…` marks keys that may be repeated. Unknown keys are dropped on reads and refused on changes.
  *dropped* names keys that the engine does not read and known clients send.
- **API**: the versions that have it, where that is not all of";

/// `docs/endpoints.md`.
pub fn endpoints_md() -> String {
    let mut out = format!(
        "{INTRODUCTION} {} to {}.\n\n## Groups\n\n| group | what | operations |\n|---|---|---|\n",
        ApiVersion::OLDEST,
        ApiVersion::NEWEST
    );
    for group in Group::ALL {
        let members: Vec<String> =
            rows().filter(|row| row.groups.contains(group)).map(|row| format!("`{}`", row.operation.name())).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", group.name(), about(*group), members.join(" "));
    }
    let mut sections: Vec<&str> = Vec::new();
    for row in rows() {
        if !sections.contains(&section(row)) {
            sections.push(section(row));
        }
    }
    for name in sections {
        let _ = write!(
            out,
            "\n## /{name}\n\n| operation | request | kind | body | query | groups | API | what it can do |\n|---|---|---|---|---|---|---|---|\n"
        );
        rows().filter(|row| section(row) == name).for_each(|row| line(row, &mut out));
    }
    out
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().map(|operation| operation.row())
}

fn section(row: &Row) -> &'static str {
    row.path.split('/').nth(1).unwrap_or_default()
}

fn line(row: &Row, out: &mut String) {
    let groups: Vec<String> = row.groups.iter().map(|group| format!("`{}`", group.name())).collect();
    let cells = [
        format!("`{}`", row.operation.name()),
        format!("`{} {}`", row.method.as_str(), row.path),
        kind(row.kind).to_owned(),
        body(row.body).to_owned(),
        query(row),
        groups.join(" "),
        versions(row),
        row.risk.replace('|', "\\|"),
    ];
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "read",
        Kind::SensitiveRead => "sensitive read",
        Kind::Stream => "stream",
        Kind::Tunnel => "tunnel",
        Kind::Change => "change",
    }
}

fn body(plan: BodyPlan) -> &'static str {
    match plan {
        BodyPlan::None => "none",
        BodyPlan::Json(_) => "JSON",
        BodyPlan::OptionalJson(_) => "JSON or none",
        BodyPlan::JsonList(_) => "JSON list or none",
        BodyPlan::Opaque => "unread",
        BodyPlan::OpaqueIf(..) => "none, or unread",
        BodyPlan::Tunnel => "refused",
    }
}

fn query(row: &Row) -> String {
    let mut keys: Vec<String> = row.query.iter().map(key).collect();
    if !row.ignored.is_empty() {
        let names: Vec<String> = row.ignored.iter().map(|name| format!("`{name}`")).collect();
        keys.push(format!("*dropped:* {}", names.join(", ")));
    }
    keys.join(", ")
}

fn key(key: &Key) -> String {
    let many = if key.arity == Arity::Many { "…" } else { "" };
    let class = match key.class {
        Class::Inert | Class::Part => String::new(),
        Class::Gated(gate) => format!(" ({})", kebab(&format!("{gate:?}"))),
        Class::Refused => " (refused)".to_owned(),
    };
    format!("`{}`{many}{class}", key.name)
}

fn versions(row: &Row) -> String {
    range(row.since, row.until)
}

fn range(since: ApiVersion, until: Option<ApiVersion>) -> String {
    let since = (since > ApiVersion::OLDEST).then(|| since.to_string());
    match (since, until) {
        (None, None) => String::new(),
        (Some(since), None) => format!("{since}+"),
        (None, Some(until)) => format!("to {until}"),
        (Some(since), Some(until)) => format!("{since} to {until}"),
    }
}

const FIELDS: &str = "\
# Fields

Every field of every JSON body that dockgate knows, from its tables: the union of all releases. A field that is not here is
refused when it has a value, and dropped when it is empty; keys are matched as the engine matches them (any case), duplicates are
refused. This page is generated (`dockgate docs fields`), and a test fails when it is stale.

- **type**: what the value must be; `null` is accepted everywhere but as an element of a list. Integers are plain digits within the
  bounds of the engine's own type.
- **API**: the versions that have it, where that is not all. A field is judged at every version, since engines read many of
  them at every version.
- **what happens**, by level:

| what happens | `baseline`, `restricted` | `unrestricted` |
|---|---|---|
| passes | forwarded: it cannot reach the host | forwarded |
| check `name` | judged by that check, which may need a grant; forwarded when empty | forwarded |
| with its holder | judged by the check of the field that holds it | forwarded |
| its fields decide | forwarded; each field in it stands in a table of its own | forwarded |
| refused | forwarded only when empty | forwarded |

An empty list is judged too where it replaces a default (check `masked-paths`).
";

/// `docs/fields.md`.
pub fn fields_md() -> String {
    let mut out = format!("{FIELDS}\n## Bodies\n\n| operation | request | body |\n|---|---|---|\n");
    let mut schemas: Vec<&'static Schema> = Vec::new();
    for row in rows() {
        let body = match row.body {
            BodyPlan::Json(schema) => collect(schema, &mut schemas, link(schema)),
            BodyPlan::OptionalJson(schema) => collect(schema, &mut schemas, format!("{}, or none", link(schema))),
            BodyPlan::JsonList(list) => {
                object(&list.ty).into_iter().for_each(|schema| add(schema, &mut schemas));
                format!("{}, or none: {}", type_name(&list.ty), class(list.class))
            }
            BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => continue,
        };
        let _ = writeln!(out, "| `{}` | `{} {}` | {body} |", row.operation.name(), row.method.as_str(), row.path);
    }
    schemas.iter().filter(|schema| !schema.fields.is_empty()).for_each(|schema| describe(schema, &mut out));
    out
}

fn collect(schema: &'static Schema, schemas: &mut Vec<&'static Schema>, body: String) -> String {
    add(schema, schemas);
    body
}

/// A schema and all that it holds, each once, in the order of the fields.
fn add(schema: &'static Schema, schemas: &mut Vec<&'static Schema>) {
    if schemas.iter().any(|other| std::ptr::eq(*other, schema)) {
        return;
    }
    schemas.push(schema);
    schema.fields.iter().filter_map(|field| object(&field.ty)).for_each(|inner| add(inner, schemas));
}

fn object(ty: &Type) -> Option<&'static Schema> {
    match ty {
        Type::Object(schema) => Some(schema),
        Type::List(of) | Type::Array(of, _) | Type::Map(of) => object(of),
        Type::Bool | Type::Int(..) | Type::Float | Type::Str | Type::StrSlice => None,
    }
}

fn describe(schema: &Schema, out: &mut String) {
    let _ = write!(out, "\n## {}\n\n| field | type | API | what happens |\n|---|---|---|---|\n", schema.name);
    for Field { name, ty, class: of, since, until } in schema.fields {
        let _ = writeln!(out, "| `{name}` | {} | {} | {} |", type_name(ty), range(*since, *until), happens(ty, *of));
    }
    for ignored in schema.ignored {
        let _ = writeln!(out, "| `{}` | any | | *dropped:* no engine reads it; {} sends it |", ignored.name, ignored.client);
    }
}

/// An object that passes is judged by its fields.
fn happens(ty: &Type, of: Class) -> String {
    match object(ty).filter(|schema| of == Class::Inert && !schema.fields.is_empty()) {
        Some(_) => "its fields decide".to_owned(),
        None => class(of),
    }
}

fn class(class: Class) -> String {
    match class {
        Class::Inert => "passes".to_owned(),
        Class::Part => "with its holder".to_owned(),
        Class::Gated(gate) => format!("check `{}`", kebab(&format!("{gate:?}"))),
        Class::Refused => "refused".to_owned(),
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Int(0, high) => format!("integer of {} bits, not negative", 128 - high.leading_zeros()),
        Type::Int(_, high) => format!("integer of {} bits", 129 - high.leading_zeros()),
        Type::Float => "number".to_owned(),
        Type::Str => "string".to_owned(),
        Type::StrSlice => "string or list of strings".to_owned(),
        Type::List(of) => format!("list of {}", plural(of)),
        Type::Array(of, length) => format!("list of exactly {length}: {}", type_name(of)),
        Type::Map(of) => format!("object of {}", plural(of)),
        Type::Object(schema) => link(schema),
    }
}

fn plural(ty: &Type) -> String {
    match ty {
        Type::Str => "strings".to_owned(),
        Type::List(of) => format!("lists of {}", plural(of)),
        Type::Bool | Type::Int(..) | Type::Float | Type::StrSlice | Type::Array(..) | Type::Map(_) | Type::Object(_) => type_name(ty),
    }
}

fn link(schema: &Schema) -> String {
    if schema.fields.is_empty() {
        return "empty object".to_owned();
    }
    let anchor: String = schema.name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    format!("[{}](#{anchor})", schema.name)
}

fn about(group: Group) -> &'static str {
    match group {
        Group::Ping => "is the engine there",
        Group::Read => "what dashboards read: lists, inspects, events, stats",
        Group::Logs => "logs of containers, services and tasks",
        Group::SwarmRead => "lists and inspects of swarm objects",
        Group::Content => "files, archives, layers, processes and registries",
        Group::Lifecycle => "starts, stops and removes containers",
        Group::Create => "creates and changes containers",
        Group::Exec => "runs commands in containers and attaches to them",
        Group::Images => "pulls, tags, loads, pushes and removes images",
        Group::Build => "builds images",
        Group::Networks => "creates, joins and removes networks",
        Group::Volumes => "creates and removes volumes",
        Group::Swarm => "changes the swarm, its nodes and services",
        Group::Secrets => "secrets and configs of the swarm",
        Group::Plugins => "installs and changes plugins",
        Group::System => "disk usage, registry logins, debug pages",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_row() {
        let page = endpoints_md();
        for operation in TABLE {
            assert_eq!(page.matches(&format!("\n| `{}` |", operation.name())).count(), 1, "{}", operation.name());
        }
    }

    #[test]
    fn every_link_of_the_fields_leads_to_a_section() {
        let page = fields_md();
        let anchors: Vec<String> =
            page.lines().filter_map(|line| line.strip_prefix("## ")).map(|name| name.replace('.', "").to_ascii_lowercase()).collect();
        let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() > 80, "{}", links.len());
        for link in links {
            assert_eq!(anchors.iter().filter(|anchor| *anchor == link).count(), 1, "{link}");
        }
    }

    #[test]
    fn every_json_body_is_listed_with_its_fields() {
        let page = fields_md();
        for operation in TABLE {
            let listed = page.contains(&format!("\n| `{}` |", operation.name()));
            assert_eq!(listed, body(operation.row().body).starts_with("JSON"), "{}", operation.name());
        }
        assert!(page.contains("| `MaxFailureRatio` | number | 1.25+ | passes |"));
        assert!(page.contains("| `KernelMemory` | integer of 64 bits | to 1.51 | refused |"));
    }
}
