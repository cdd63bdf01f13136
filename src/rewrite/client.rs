//! One service that mounted the socket: what changes in it.
//! Knows nothing of other services.

use super::clients::{self, HOST, Told};
use super::edit::Edits;
use super::sidecar::{Door, GROUP, NAME, blanks};
use super::stack::{From, Service, Stack, Use};
use super::yaml::{Kind, Node};
use super::{DOOR, Note, Problem};

/// A service that gets a door.
pub(super) struct Client<'y> {
    pub(super) used: Use<'y>,
    pub(super) door: Door,
    told: &'static [Told],
}

impl<'y> Client<'y> {
    /// A client by what was chosen, else by its image.
    pub(super) fn of(used: Use<'y>, chosen: &[(String, String)]) -> Self {
        let (name, image) = (used.service.name.clone(), &used.service.image);
        let own = chosen.iter().rev().find(|(service, _)| *service == name).map(|(_, preset)| preset.clone());
        let meant = clients::of_image(image).find(|client| own.as_deref() == Some(client.preset));
        let known = meant.or_else(|| clients::of_service(image, &settings(used.service.body)));
        let preset = own.or_else(|| known.map(|known| known.preset.to_owned()));
        Self { used, door: Door { name, preset }, told: known.map_or(HOST, |known| known.told) }
    }

    /// All changes of its service.
    pub(super) fn edit(&self, stack: &Stack<'y>, edits: &mut Edits<'_>, notes: &mut Vec<Note>) -> Result<(), Problem> {
        let mut service = Body::new(stack, &self.used.service);
        let told = service.refer(&self.used.mount.target, edits);
        let mount = self.door.mount();
        let mount = if self.used.in_flow { format!("\"{mount}\"") } else { mount };
        edits.replace(self.used.item.start..self.used.item.end, mount);
        if !told {
            self.told.iter().try_for_each(|told| service.tell(*told, edits, notes))?;
        }
        if self.door.preset.is_none() {
            let text = format!(
                "no preset is known for service `{}`: its policy is `read-only` until you say more in the configuration",
                self.door.name
            );
            notes.push(Note { line: self.used.service.key.line, text });
        }
        service.group(edits)?;
        service.depends(edits)?;
        edits.below(self.used.service.body.end, &service.added);
        Ok(())
    }
}

/// The texts of a service, one after the other.
fn settings(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) | Kind::Block(text) => format!("{text}\n"),
        Kind::List(items) => items.iter().map(settings).collect(),
        Kind::Map(entries) => entries.iter().map(|(key, value)| settings(key) + &settings(value)).collect(),
        Kind::Alias(_) | Kind::Nothing => String::new(),
    }
}

/// A service whose keys change.
struct Body<'s, 'y> {
    stack: &'s Stack<'y>,
    service: &'s Service<'y>,
    /// The column of its keys, and how much deeper each level is.
    column: usize,
    step: usize,
    /// Keys that it did not have.
    added: String,
}

impl<'s, 'y> Body<'s, 'y> {
    fn new(stack: &'s Stack<'y>, service: &'s Service<'y>) -> Self {
        let column = service.body.entries().first().map_or(service.key.column + 2, |(key, _)| key.column);
        Self { stack, service, column, step: column.saturating_sub(service.key.column).max(1), added: String::new() }
    }

    /// Points what names the socket's old place at the door; true where something did.
    fn refer(&self, target: &str, edits: &mut Edits<'_>) -> bool {
        let mut told = false;
        for key in ["command", "entrypoint", "environment"] {
            if let From::Own(_, value) = self.stack.find(self.service, key) {
                told |= replaced(value, target, edits);
            }
        }
        told
    }

    fn tell(&mut self, told: Told, edits: &mut Edits<'_>, notes: &mut Vec<Note>) -> Result<(), Problem> {
        match told {
            Told::Variable(name, value) => self.variable(name, value, edits, notes)?,
            Told::Words(words, otherwise) => self.words(words, otherwise, edits, notes)?,
            Told::File(name, line) => self.by_hand(&format!("its {name}: `{line}`"), notes),
            Told::Page(what) => self.by_hand(what, notes),
        }
        Ok(())
    }

    fn by_hand(&self, what: &str, notes: &mut Vec<Note>) {
        let text = format!("service `{}` must be told where its door is: {what}", self.service.name);
        notes.push(Note { line: self.service.key.line, text });
    }

    fn variable(&mut self, name: &str, value: &str, edits: &mut Edits<'_>, notes: &mut Vec<Note>) -> Result<(), Problem> {
        let Some((key, node)) = self.own("environment")? else {
            self.add("environment:", &[format!("{name}: {value}")]);
            return Ok(());
        };
        let set = match &node.kind {
            Kind::List(items) => items.iter().find(|item| item.text().split('=').next() == Some(name)),
            Kind::Map(_) => node.entry(name).map(|(key, _)| key),
            Kind::Text(_) | Kind::Block(_) | Kind::Alias(_) | Kind::Nothing => None,
        };
        if let Some(set) = set {
            notes.push(Note {
                line: set.line,
                text: format!("service `{}` sets `{name}` to something else: its door is `{DOOR}`", self.service.name),
            });
            return Ok(());
        }
        match &node.kind {
            Kind::List(_) => self.append(key, node, &[format!("{name}={value}")], edits),
            Kind::Map(entries) if node.enclosed => {
                let comma = if entries.is_empty() { "" } else { ", " };
                edits.insert(node.end.saturating_sub(1), format!("{comma}{name}: \"{value}\""));
                Ok(())
            }
            Kind::Map(entries) => {
                let column = entries.first().map_or(self.column + self.step, |(key, _)| key.column);
                edits.below(node.end, &format!("{}{name}: {value}\n", blanks(column)));
                Ok(())
            }
            Kind::Nothing => {
                edits.below(key.end, &format!("{}{name}: {value}\n", blanks(self.column + self.step)));
                Ok(())
            }
            Kind::Text(_) | Kind::Block(_) | Kind::Alias(_) => Err(unclear(key, "environment")),
        }
    }

    fn words(&mut self, words: &[&str], otherwise: Option<&str>, edits: &mut Edits<'_>, notes: &mut Vec<Note>) -> Result<(), Problem> {
        let Some((key, node)) = self.own("command")? else {
            match otherwise {
                Some(what) => self.by_hand(what, notes),
                None => {
                    self.add(&format!("command: [{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")), &[])
                }
            }
            return Ok(());
        };
        match &node.kind {
            Kind::List(_) => self.append(key, node, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), edits),
            Kind::Text(_) => {
                let end = if node.enclosed { node.end.saturating_sub(1) } else { node.end };
                edits.insert(end, format!(" {}", words.join(" ")));
                Ok(())
            }
            Kind::Block(_) | Kind::Nothing | Kind::Map(_) | Kind::Alias(_) => {
                self.by_hand(&format!("its command: `{}`", words.join(" ")), notes);
                Ok(())
            }
        }
    }

    /// The socket's file belongs to a group.
    fn group(&mut self, edits: &mut Edits<'_>) -> Result<(), Problem> {
        match self.own("group_add")? {
            None => self.add(&format!("group_add: [\"{GROUP}\"]"), &[]),
            Some((_, node)) if node.items().iter().any(|item| item.text() == GROUP) => {}
            Some((key, node)) if matches!(node.kind, Kind::List(_)) => self.append(key, node, &[GROUP.to_owned()], edits)?,
            Some((key, _)) => return Err(unclear(key, "group_add")),
        }
        Ok(())
    }

    /// It starts when the door is there.
    fn depends(&mut self, edits: &mut Edits<'_>) -> Result<(), Problem> {
        let Some((key, node)) = self.own("depends_on")? else {
            let condition = format!("{}condition: service_healthy", blanks(self.step));
            self.add("depends_on:", &[format!("{NAME}:"), condition]);
            return Ok(());
        };
        let column = self.column + self.step;
        let entry = |name: &str, condition: &str, column: usize| {
            format!("{}{name}:\n{}condition: {condition}\n", blanks(column), blanks(column + self.step))
        };
        match &node.kind {
            Kind::Map(entries) if node.enclosed => {
                let comma = if entries.is_empty() { "" } else { ", " };
                edits.insert(node.end.saturating_sub(1), format!("{comma}{NAME}: {{condition: service_healthy}}"));
            }
            Kind::Map(entries) => {
                let column = entries.first().map_or(column, |(key, _)| key.column);
                edits.below(node.end, &entry(NAME, "service_healthy", column));
            }
            Kind::List(items) if items.iter().any(|item| !matches!(item.kind, Kind::Text(_))) => return Err(unclear(key, "depends_on")),
            // the short form knows no conditions
            Kind::List(items) if node.enclosed => {
                let lines: String = items.iter().map(|item| entry(item.text(), "service_started", column)).collect();
                let lines = lines + &entry(NAME, "service_healthy", column);
                edits.replace(key.end..node.end, format!(":\n{}", lines.trim_end()));
            }
            Kind::List(items) => {
                for item in items {
                    edits.replace(edits.line_start(item.start)..item.end, format!("{}{}:", blanks(column), item.text()));
                    edits.below(item.end, &format!("{}condition: service_started\n", blanks(column + self.step)));
                }
                edits.below(node.end, &entry(NAME, "service_healthy", column));
            }
            Kind::Nothing => edits.below(key.end, &entry(NAME, "service_healthy", column)),
            Kind::Text(_) | Kind::Block(_) | Kind::Alias(_) => return Err(unclear(key, "depends_on")),
        }
        Ok(())
    }

    /// A key of the service itself that can be changed in its place; `None` where it has none.
    fn own(&self, key: &str) -> Result<Option<(&'y Node, &'y Node)>, Problem> {
        match self.stack.find(self.service, key) {
            From::Nowhere => Ok(None),
            From::Own(name, value) if matches!(value.kind, Kind::Alias(_)) || value.anchor != 0 => Err(unclear(name, key)),
            From::Own(name, value) => Ok(Some((name, value))),
            From::Merged(value) => Err(unclear(value, key)),
        }
    }

    /// Adds items to a list.
    fn append(&self, key: &Node, list: &Node, items: &[String], edits: &mut Edits<'_>) -> Result<(), Problem> {
        let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
        if list.enclosed {
            let comma = if list.items().is_empty() { "" } else { ", " };
            edits.insert(list.end.saturating_sub(1), format!("{comma}{}", quoted.join(", ")));
            return Ok(());
        }
        let first = list.items().first().ok_or_else(|| unclear(key, key.text()))?;
        let start = edits.line_start(first.start);
        let depth = edits.slice(start..first.start).find('-').unwrap_or_default();
        let lines: String = quoted.iter().map(|item| format!("{}- {item}\n", blanks(depth))).collect();
        edits.below(list.end, &lines);
        Ok(())
    }

    /// A key that the service did not have, with what stands below it.
    fn add(&mut self, key: &str, lines: &[String]) {
        self.added += &format!("{}{key}\n", blanks(self.column));
        for line in lines {
            self.added += &format!("{}{line}\n", blanks(self.column + self.step));
        }
    }
}

fn unclear(node: &Node, key: &str) -> Problem {
    Problem::new(
        node.line,
        format!("this `{key}` cannot be changed in its place"),
        "write it as a block in the service itself, then rewrite again",
    )
}

/// Points every text of a value that names a place at the door; true where one did.
fn replaced(node: &Node, target: &str, edits: &mut Edits<'_>) -> bool {
    match &node.kind {
        Kind::Text(text) | Kind::Block(text) if text.contains(target) && !target.is_empty() => {
            let raw = edits.slice(node.start..node.end);
            edits.replace(node.start..node.end, raw.replace(target, DOOR));
            raw.contains(target)
        }
        // all of them, not only the first
        Kind::List(items) => items.iter().filter(|item| replaced(item, target, edits)).count() > 0,
        Kind::Map(entries) => entries.iter().filter(|(_, value)| replaced(value, target, edits)).count() > 0,
        Kind::Text(_) | Kind::Block(_) | Kind::Alias(_) | Kind::Nothing => false,
    }
}
