//! The few lines of a compose file that an importer needs: image, environment and command of one service.
//! Knows nothing of the rest of YAML, and refuses what it cannot be sure of.

use super::words::{pair, unquoted};
use super::{Environment, ImportError};

/// What a service says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its environment; without variables of other files.
    pub environment: Environment,
    /// Its command, in words.
    pub command: Vec<String>,
    /// The files of `env_file`.
    pub env_files: Vec<String>,
}

/// A line that is no comment.
#[derive(Debug, Clone, Copy)]
struct Line<'t> {
    indent: usize,
    text: &'t str,
    number: usize,
}

/// The service of this name, or else the one whose image contains one of `images`, or that is dockgate in the place of one.
///
/// # Errors
/// No such service, more than one, and YAML that is not understood here.
pub fn service(text: &str, name: Option<&str>, images: &[&str]) -> Result<Service, ImportError> {
    let lines = lines(text);
    let at = lines.iter().position(|line| line.indent == 0 && line.text == "services:");
    let at = at.ok_or_else(|| ImportError::new("there is no `services:` in it", "give the variables as `KEY=VALUE`"))?;
    let services = below(lines.get(at..).unwrap_or_default());
    let all = children(services).map(read).collect::<Vec<_>>();
    let fits = |service: &Service| match name {
        Some(name) => service.name == name,
        None => images.iter().any(|image| service.image.contains(image) || service.stands_for(image)),
    };
    let names: Vec<String> =
        children(services).filter_map(|block| block.first()).map(|line| line.text.trim_end_matches(':').to_owned()).collect();
    let known = format!("services are: {}; name one with --service", names.join(", "));
    // what another service says need not be understood
    let mut found = all.into_iter().filter(|(service, _)| fits(service));
    match (found.next(), found.next()) {
        (Some((service, understood)), None) => understood.map(|()| service),
        (Some(_), Some(_)) => Err(ImportError::new("more than one service fits", known)),
        (None, _) => Err(ImportError::new(
            name.map_or_else(|| "no service has that image".to_owned(), |name| format!("there is no service `{}`", name.escape_debug())),
            known,
        )),
    }
}

/// The labels that begin with this prefix, with the services that have them; what is written in other ways than line by line is not found.
pub fn labels(text: &str, prefix: &str) -> Vec<(String, String)> {
    let lines = lines(text);
    let at = lines.iter().position(|line| line.indent == 0 && line.text == "services:").unwrap_or(lines.len());
    let services = below(lines.get(at..).unwrap_or_default());
    let of_service = |block: &[Line<'_>]| -> Vec<(String, String)> {
        let name = block.first().map(|line| unquoted(line.text.trim_end_matches(':')).to_owned()).unwrap_or_default();
        let labels = children(below(block)).filter(|entry| entry.first().is_some_and(|line| line.text == "labels:"));
        let names = labels.flat_map(below).map(|line| line.text.trim_start_matches("- ").trim_start_matches(['"', '\'']));
        let known = names.filter(|label| label.starts_with(prefix)).filter_map(|label| label.split(['=', ':', '"', '\'']).next());
        known.map(|label| (name.clone(), label.to_owned())).collect()
    };
    children(services).flat_map(of_service).collect()
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    for (number, raw) in (1..).zip(text.lines()) {
        let bare = raw.trim_start_matches(' ');
        if !bare.trim().is_empty() && !bare.starts_with('#') {
            found.push(Line { indent: raw.len() - bare.len(), text: without_comment(bare).trim_end(), number });
        }
    }
    found
}

/// A `#` after a space begins a comment, outside quotes.
fn without_comment(text: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') if matches!(before, ' ' | '[' | ',' | ':' | '{') => quote = Some(c),
            (None, '#') if before == ' ' => return text.get(..at).unwrap_or(text),
            _ => {}
        }
        before = c;
    }
    text
}

/// The lines after the first that are deeper than it. A list may stand as deep as its key.
fn below<'a, 't>(lines: &'a [Line<'t>]) -> &'a [Line<'t>] {
    let Some((first, rest)) = lines.split_first() else { return &[] };
    let deeper = |line: &Line<'_>| {
        line.indent > first.indent || (line.indent == first.indent && line.text.starts_with("- ") && !first.text.starts_with("- "))
    };
    let end = rest.iter().position(|line| !deeper(line)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// The blocks that the lines are made of: each begins as deep as the first line.
fn children<'a, 't>(lines: &'a [Line<'t>]) -> impl Iterator<Item = &'a [Line<'t>]> {
    let depth = lines.first().map_or(0, |line| line.indent);
    let starts: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.indent == depth && !line.text.starts_with("- ")).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([lines.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| lines.get(start..end))
}

/// One service, and whether all that matters of it was understood.
fn read(block: &[Line<'_>]) -> (Service, Result<(), ImportError>) {
    let mut service = Service::default();
    let Some(first) = block.first() else { return (service, Ok(())) };
    service.name = unquoted(first.text.trim_end_matches(':')).to_owned();
    let entries: Vec<&[Line<'_>]> = children(below(block)).collect();
    let image = entries.iter().filter_map(|entry| entry.first()?.text.strip_prefix("image:")).next();
    service.image = unquoted(image.unwrap_or_default().trim()).to_owned();
    let understood = entries.into_iter().try_for_each(|entry| service.entry(entry));
    (service, understood)
}

impl Service {
    /// True for dockgate in the place of an image.
    fn stands_for(&self, image: &str) -> bool {
        self.environment.get("DOCKGATE_COMPAT").is_some_and(|owner| image.split('/').next() == Some(owner))
    }

    fn entry(&mut self, entry: &[Line<'_>]) -> Result<(), ImportError> {
        let Some(first) = entry.first() else { return Ok(()) };
        let (key, value) = first.text.split_once(':').unwrap_or((first.text, ""));
        match key {
            "environment" => self.environment = variables(first, value.trim(), below(entry))?,
            "command" => self.command = words(first, value.trim(), below(entry))?,
            "env_file" => self.env_files = words(first, value.trim(), below(entry))?,
            "<<" | "extends" => return Err(unclear(first, "it takes settings from somewhere else")),
            _ => {}
        }
        Ok(())
    }
}

fn unclear(line: &Line<'_>, why: &str) -> ImportError {
    ImportError::new(format!("line {}: {why}", line.number), "give the variables as `KEY=VALUE` instead, or write them out")
}

/// A plain or quoted text; escapes are not read.
fn scalar(line: &Line<'_>, text: &str) -> Result<String, ImportError> {
    let text = text.trim();
    if text.starts_with('"') && text.contains('\\') {
        return Err(unclear(line, "double quotes with backslashes are not read: use single quotes"));
    }
    Ok(unquoted(text).to_owned())
}

/// A map or a list of variables.
fn variables(first: &Line<'_>, value: &str, lines: &[Line<'_>]) -> Result<Environment, ImportError> {
    if !value.is_empty() {
        return Err(unclear(first, "an environment on one line is not read"));
    }
    let mut found = Environment::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let (name, value, used) = match line.text.strip_prefix("- ") {
            Some(item) => {
                let (name, value) = pair(&scalar(line, item)?)?;
                (name, value, 1)
            }
            None => {
                let (name, value) = line.text.split_once(':').ok_or_else(|| unclear(line, "this is no variable"))?;
                let (value, used) = block(line, value.trim(), lines.get(at..).unwrap_or_default())?;
                (unquoted(name.trim()).to_owned(), value, used)
            }
        };
        if name == "<<" || value.starts_with(['*', '&']) {
            return Err(unclear(line, "anchors are not followed"));
        }
        let value = filled(&value).ok_or_else(|| unclear(line, "compose would fill in a variable here"))?;
        if found.insert(name.clone(), value).is_some() {
            return Err(unclear(line, "this variable stands twice"));
        }
        at += used;
    }
    Ok(found)
}

/// A value on its line, or the lines of a block below it.
fn block(line: &Line<'_>, value: &str, lines: &[Line<'_>]) -> Result<(String, usize), ImportError> {
    if !matches!(value, "|" | "|-" | "|+") {
        return Ok((scalar(line, value)?, 1));
    }
    let inner = below(lines);
    Ok((inner.iter().map(|line| line.text).collect::<Vec<_>>().join("\n"), inner.len() + 1))
}

/// Compose's `${NAME:-default}` with its default, and `$$` as one; nothing where only compose knows.
fn filled(value: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), value);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (inner, after) = after.strip_prefix('{')?.split_once('}')?;
        let (_, default) = inner.split_once(":-").or_else(|| inner.split_once('-'))?;
        out.push_str(default);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// A list, on its line or below it, or words.
fn words(first: &Line<'_>, value: &str, lines: &[Line<'_>]) -> Result<Vec<String>, ImportError> {
    let items: Vec<String> = if let Some(list) = value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        if list.contains('\\') {
            return Err(unclear(first, "a list on one line with backslashes is not read"));
        }
        list.split(", ").map(|item| unquoted(item.trim()).to_owned()).collect()
    } else if value.is_empty() {
        let item = |line: &Line<'_>| {
            line.text.strip_prefix("- ").map_or_else(|| Err(unclear(line, "this is no entry of a list")), |item| scalar(line, item))
        };
        lines.iter().map(item).collect::<Result<_, _>>()?
    } else if value.starts_with(['|', '>', '*', '&']) || value.contains(['"', '\'', '\\']) {
        return Err(unclear(first, "this is read as a list with an entry a line only"));
    } else {
        value.split_whitespace().map(str::to_owned).collect()
    };
    items.iter().map(|item| filled(item).ok_or_else(|| unclear(first, "compose would fill in a variable here"))).collect()
}
