//! Changes JSON texts as an attacker would: other spellings, doubles, wrong places, wrong types, leftovers. Deterministic.
//! Keeps keys as text, since two of the same name must be possible; knows nothing of what the fields mean.

use serde_json::Value;

/// Dice whose throws a seed decides (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }
}

/// JSON with its members in order; keys and leaves as they are written.
#[derive(Clone)]
enum Node {
    Leaf(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(list) => Self::List(list.iter().map(Self::of).collect()),
            Value::Object(map) => {
                Self::Map(map.iter().map(|(key, value)| (Value::from(key.as_str()).to_string(), Self::of(value))).collect())
            }
            leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Self::Leaf(leaf.to_string()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(list) => format!("[{}]", list.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Map(map) => {
                let members = map.iter().map(|(key, value)| format!("{key}:{}", value.text()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn member(&mut self, name: &str) -> Option<&mut Node> {
        let Self::Map(map) = self else { return None };
        map.iter_mut().find(|(key, _)| *key == format!("{name:?}")).map(|(_, value)| value)
    }

    /// A map that is not empty, chosen among all below.
    fn some_map<'a>(&'a mut self, dice: &mut Dice) -> Option<&'a mut Vec<(String, Node)>> {
        let count = self.maps();
        (count > 0).then(|| dice.below(count)).and_then(|mut at| self.map(&mut at))
    }

    fn maps(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::List(list) => list.iter().map(Self::maps).sum(),
            Self::Map(map) => usize::from(!map.is_empty()) + map.iter().map(|(_, value)| value.maps()).sum::<usize>(),
        }
    }

    fn map(&mut self, at: &mut usize) -> Option<&mut Vec<(String, Node)>> {
        match self {
            Self::Leaf(_) => None,
            Self::List(list) => list.iter_mut().find_map(|node| node.map(at)),
            Self::Map(map) => {
                if !map.is_empty() && *at == 0 {
                    return Some(map);
                }
                *at -= usize::from(!map.is_empty());
                map.iter_mut().find_map(|(_, node)| node.map(at))
            }
        }
    }
}

/// A body changed in one or two places, with something of another body now and then. What is no JSON stays as it is.
pub fn mutated(dice: &mut Dice, body: &str, other: &str) -> String {
    let (Ok(body_value), Ok(other)) = (serde_json::from_str(body), serde_json::from_str(other)) else { return body.to_owned() };
    let (mut node, other) = (Node::of(&body_value), Node::of(&other));
    for _ in 0..=dice.below(2) {
        change(dice, &mut node, &other);
    }
    let text = node.text();
    match dice.below(12) {
        0 => text + ["{}", " ", "\n\n", "null", "{\"HostConfig\":{\"Privileged\":true}}", "\u{feff}", "]"][dice.below(7)],
        _ => text,
    }
}

fn change(dice: &mut Dice, node: &mut Node, other: &Node) {
    match dice.below(12) {
        0 => respell(dice, node, folded),
        1 => respell(dice, node, escaped),
        2 => double(dice, node, other),
        3 => hoist(dice, node),
        4..=6 => graft(dice, node, other),
        7 => mount_twice(dice, node),
        8 => reorder(dice, node),
        _ => replace(dice, node),
    }
}

/// Writes a key in another way.
fn respell(dice: &mut Dice, node: &mut Node, spelling: fn(&mut Dice, &str) -> String) {
    let Some(map) = node.some_map(dice) else { return };
    let at = dice.below(map.len());
    map[at].0 = spelling(dice, &map[at].0);
}

/// Other cases, and the two letters beyond ASCII that Go folds to `s` and `k`.
fn folded(dice: &mut Dice, key: &str) -> String {
    let letter = |dice: &mut Dice, letter: char| match (dice.below(4), letter.to_ascii_lowercase()) {
        (0, 's') => '\u{17f}',
        (0, 'k') => '\u{212a}',
        (0 | 1, _) => letter.to_ascii_lowercase(),
        (2, _) => letter.to_ascii_uppercase(),
        _ => letter,
    };
    if key.contains('\\') { key.to_owned() } else { key.chars().map(|each| letter(dice, each)).collect() }
}

/// Some letters as `\u` escapes.
fn escaped(dice: &mut Dice, key: &str) -> String {
    let letter = |dice: &mut Dice, letter: char| match dice.below(3) {
        0 if letter.is_ascii_alphanumeric() => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    if key.contains('\\') { key.to_owned() } else { key.chars().map(|each| letter(dice, each)).collect() }
}

/// The same key a second time, before or after, alike or folded, with another value.
fn double(dice: &mut Dice, node: &mut Node, other: &Node) {
    let Some(map) = node.some_map(dice) else { return };
    let (key, value) = map[dice.below(map.len())].clone();
    let key = if dice.below(2) == 0 { key } else { folded(dice, &key) };
    let value = match (dice.below(3), other) {
        (0, _) => value,
        (1, Node::Map(members)) if !members.is_empty() => members[dice.below(members.len())].1.clone(),
        _ => odd(dice),
    };
    let at = dice.below(map.len() + 1);
    map.insert(at, (key, value));
}

/// Fields of HostConfig at the top, there too or there only.
fn hoist(dice: &mut Dice, node: &mut Node) {
    let moved = match node.member("HostConfig") {
        Some(Node::Map(host)) if !host.is_empty() && dice.below(2) == 0 => std::mem::take(host),
        Some(Node::Map(host)) => host.clone(),
        _ => Vec::new(),
    };
    if let Node::Map(top) = node {
        top.extend(moved);
    }
}

/// A field of another body's HostConfig.
fn graft(dice: &mut Dice, node: &mut Node, other: &Node) {
    let mut other = other.clone();
    let Some(Node::Map(taken)) = other.member("HostConfig") else { return };
    let Some((key, value)) = (!taken.is_empty()).then(|| taken[dice.below(taken.len())].clone()) else { return };
    let key = if dice.below(2) == 0 { key } else { folded(dice, &key) };
    match node.member("HostConfig") {
        Some(Node::Map(host)) => host.push((key, value)),
        _ => {
            if let Node::Map(top) = node {
                top.push(("\"HostConfig\"".to_owned(), Node::Map(vec![(key, value)])));
            }
        }
    }
}

/// A harmless mount that says of itself a second time that it is a harmful one.
fn mount_twice(dice: &mut Dice, node: &mut Node) {
    let pair = |key: &str, value: &str| (format!("{key:?}"), Node::Leaf(format!("{value:?}")));
    let kind = ["Type", "type", "TYPE"][dice.below(3)];
    let mut mount = vec![pair("Type", "tmpfs"), pair("Target", "/m"), pair(kind, "bind"), pair("Source", "/etc")];
    match dice.below(3) {
        0 => mount.swap(0, 2),
        1 => drop(mount.remove(2)),
        _ => {}
    }
    let mounts = ("\"Mounts\"".to_owned(), Node::List(vec![Node::Map(mount)]));
    if let Some(Node::Map(host)) = node.member("HostConfig") {
        host.push(mounts);
    } else if let Node::Map(top) = node {
        top.push(("\"HostConfig\"".to_owned(), Node::Map(vec![mounts])));
    }
}

/// Members in another order, which must not matter.
fn reorder(dice: &mut Dice, node: &mut Node) {
    let Some(map) = node.some_map(dice) else { return };
    let by = dice.below(map.len());
    map.rotate_left(by);
}

/// Null, something empty, or a value of another type in the place of a value.
fn replace(dice: &mut Dice, node: &mut Node) {
    let Some(map) = node.some_map(dice) else { return };
    let at = dice.below(map.len());
    // without an image there is nothing to look at
    if map[at].0 == "\"Image\"" {
        return;
    }
    map[at].1 = match (dice.below(8), &map[at].1) {
        (0, value) => Node::List(vec![value.clone()]),
        (1, Node::Leaf(text)) if text.starts_with('"') => Node::Leaf(text.trim_matches('"').to_owned()).sane(),
        (1, Node::Leaf(text)) => Node::Leaf(format!("\"{text}\"")),
        (2, Node::List(list)) if !list.is_empty() => list[0].clone(),
        (3, Node::List(list)) => Node::List(list.iter().chain(list).cloned().collect()),
        (4 | 5, Node::Leaf(text)) if text.starts_with('"') => Node::Leaf(escaped(dice, text)),
        _ => odd(dice),
    };
}

fn odd(dice: &mut Dice) -> Node {
    const ODD: [&str; 14] = ["null", "null", "null", "[]", "[]", "{}", "\"\"", "0", "false", "true", "1", "1.0", "1e3", "[null]"];
    Node::Leaf(ODD[dice.below(ODD.len())].to_owned())
}

impl Node {
    /// A word without its quotes is JSON only when it is a number or one of three words.
    fn sane(self) -> Self {
        match self {
            Self::Leaf(text) if serde_json::from_str::<Value>(&text).is_err() => Self::Leaf("true".to_owned()),
            node @ (Self::Leaf(_) | Self::List(_) | Self::Map(_)) => node,
        }
    }
}
