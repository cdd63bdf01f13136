//! YAML as a tree whose nodes know where they stand in the text.
//! Knows nothing of compose.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::Problem;

/// Deeper files are not compose files.
const MOST_DEEP: usize = 64;

/// A node and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The bytes it stands on: of blocks, from their first part to the end of their last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Counts from 1.
    pub(super) line: usize,
    /// Counts from 0.
    pub(super) column: usize,
    /// Its anchor, by number; 0 for none.
    pub(super) anchor: usize,
    /// True for `[…]`, `{…}` and for quoted texts.
    pub(super) enclosed: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    /// A text over lines, after `|` or `>`.
    Block(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// Of the anchor with this number.
    Alias(usize),
    /// Nothing was written.
    Nothing,
}

impl Node {
    /// The value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key of a map with its value.
    pub(super) fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.entries().iter().find(|(name, _)| name.text() == key).map(|(name, value)| (name, value))
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[(Node, Node)] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Node] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The text; empty for anything else.
    pub(super) fn text(&self) -> &str {
        if let Kind::Text(text) | Kind::Block(text) = &self.kind { text } else { "" }
    }

    /// The node of an anchor, in this one.
    pub(super) fn anchored(&self, number: usize) -> Option<&Node> {
        if self.anchor == number {
            return Some(self);
        }
        match &self.kind {
            Kind::List(items) => items.iter().find_map(|item| item.anchored(number)),
            Kind::Map(entries) => entries.iter().find_map(|(key, value)| key.anchored(number).or_else(|| value.anchored(number))),
            Kind::Text(_) | Kind::Block(_) | Kind::Alias(_) | Kind::Nothing => None,
        }
    }
}

/// Reads a file of one document, which is a map.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let events = Parser::new_from_str(text).filter(|event| {
        !matches!(event, Ok((Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _)))
    });
    let mut reader = Reader { text, offsets, events };
    let Some(first) = reader.events.next() else {
        return Err(Problem::new(None, "the file is empty", "name a compose file"));
    };
    let root = reader.node(first, 0)?;
    match reader.events.next() {
        Some(Ok((_, span))) => Err(Problem::new(span.start.line(), "a second document begins here", "one file holds one compose file")),
        Some(Err(error)) => Err(syntax(&error)),
        None => Ok(root),
    }
}

fn syntax(error: &ScanError) -> Problem {
    Problem::new(error.marker().line(), format!("this is no YAML: {}", error.info()), "`docker compose config` says more")
}

struct Reader<'t, I: Iterator> {
    text: &'t str,
    /// The byte at which each letter begins.
    offsets: Vec<usize>,
    events: I,
}

type Read<'t> = Result<(Event<'t>, Span), ScanError>;

impl<'t, I: Iterator<Item = Read<'t>>> Reader<'t, I> {
    fn node(&mut self, event: Read<'t>, depth: usize) -> Result<Node, Problem> {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        if depth > MOST_DEEP {
            return Err(Problem::new(span.start.line(), "this is nested too deeply", "name a compose file"));
        }
        let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
        let mut node =
            Node { kind: Kind::Nothing, start, end, line: span.start.line(), column: span.start.col(), anchor: 0, enclosed: false };
        match event {
            Event::Alias(number) => node.kind = Kind::Alias(number),
            Event::Scalar(text, style, anchor, _) => {
                node.anchor = anchor;
                self.scalar(&mut node, &text, style);
            }
            Event::SequenceStart(anchor, _) => {
                node.anchor = anchor;
                node.enclosed = self.text.get(start..).is_some_and(|rest| rest.starts_with('['));
                let (items, end) = self.items(depth)?;
                node.end = end_of(&node, end, items.last());
                node.kind = Kind::List(items);
            }
            Event::MappingStart(anchor, _) => {
                node.anchor = anchor;
                node.enclosed = self.text.get(start..).is_some_and(|rest| rest.starts_with('{'));
                let (entries, end) = self.entries(depth)?;
                let last = entries.last().map(|(key, value)| if value.end > key.end { value } else { key });
                node.end = end_of(&node, end, last);
                node.kind = Kind::Map(entries);
            }
            Event::SequenceEnd
            | Event::MappingEnd
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(node)
    }

    fn scalar(&self, node: &mut Node, text: &str, style: ScalarStyle) {
        let raw = self.text.get(node.start..node.end).unwrap_or_default();
        node.enclosed = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        node.end = node.start + if node.enclosed { quoted(raw) } else { raw.trim_end().len() };
        node.kind = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => Kind::Block(text.to_owned()),
            ScalarStyle::Plain if node.end == node.start => Kind::Nothing,
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Kind::Text(text.to_owned()),
        };
    }

    fn items(&mut self, depth: usize) -> Result<(Vec<Node>, usize), Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => return Ok((items, self.byte(span.end.index()))),
                event => items.push(self.node(Ok(event), depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<(Vec<(Node, Node)>, usize), Problem> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, span) => return Ok((entries, self.byte(span.end.index()))),
                event => self.node(Ok(event), depth + 1)?,
            };
            let value = self.next()?;
            let mut value = self.node(Ok(value), depth + 1)?;
            if matches!(value.kind, Kind::Nothing) {
                // what is not written has no place of its own
                (value.start, value.end, value.line) = (key.end, key.end, key.line);
            }
            entries.push((key, value));
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.events.next() {
            Some(event) => event.map_err(|error| syntax(&error)),
            None => Err(Problem::new(None, "the file breaks off", "name a whole compose file")),
        }
    }

    fn byte(&self, letter: usize) -> usize {
        self.offsets.get(letter).copied().unwrap_or(self.text.len())
    }
}

/// The length of a quoted text with its quotes; the reader's own places take a comment behind it along.
fn quoted(raw: &str) -> usize {
    let mut letters = raw.char_indices().peekable();
    let Some((_, quote)) = letters.next() else { return 0 };
    while let Some((at, letter)) = letters.next() {
        let doubled = quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == '\'');
        if (letter == '\\' && quote == '"') || (letter == quote && doubled) {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    raw.trim_end().len()
}

/// `]` and `}` end what they enclose; blocks end with their last part, not where the next thing begins.
fn end_of(node: &Node, closed: usize, last: Option<&Node>) -> usize {
    if node.enclosed { closed } else { last.map_or(node.start, |last| last.end) }
}

/// The keys of a client that may change.
const CLIENT: [&str; 7] = ["volumes", "environment", "depends_on", "group_add", "command", "entrypoint", "healthcheck"];

/// True where two files say the same but for the named services' changed keys, the sidecar and volumes that were added.
pub(super) fn same_but(before: &Node, after: &Node, services: &[&str]) -> bool {
    let others = |root: &Node| -> Vec<String> {
        root.entries()
            .iter()
            .filter(|(key, _)| !matches!(key.text(), "services" | "volumes"))
            .map(|(key, value)| format!("{} {}", key.text(), said(value)))
            .collect()
    };
    let service = |name: &str, body: &Node| -> String {
        let kept = body.entries().iter().filter(|(key, _)| !services.contains(&name) || !CLIENT.contains(&key.text()));
        kept.map(|(key, value)| format!("{} {};", key.text(), said(value))).collect()
    };
    let of = |root: &Node, key: &str| -> Vec<(String, String)> {
        let entries = root.get(key).map(Node::entries).unwrap_or_default().iter();
        entries
            .map(|(name, body)| (name.text().to_owned(), if key == "services" { service(name.text(), body) } else { said(body) }))
            .collect()
    };
    let kept = |key: &str| of(before, key).iter().all(|entry| of(after, key).contains(entry));
    others(before) == others(after) && kept("services") && kept("volumes")
}

/// A node's meaning, without its place.
fn said(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) | Kind::Block(text) => format!("{text:?}/{}", node.enclosed),
        Kind::List(items) => format!("[{}]", items.iter().map(said).collect::<Vec<_>>().join(",")),
        Kind::Map(entries) => {
            format!("{{{}}}", entries.iter().map(|(key, value)| format!("{}:{}", said(key), said(value))).collect::<Vec<_>>().join(","))
        }
        Kind::Alias(number) => format!("*{number}"),
        Kind::Nothing => String::new(),
    }
}
