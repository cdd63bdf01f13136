//! The values of query keys as they may be recorded.
//! Knows nothing of bodies.

use std::borrow::Cow;

use super::{Redactor, Shown, owned};
use crate::docker::json::{self, Value};
use crate::docker::operations::{Key, KeyType};

impl Redactor {
    /// The canonical value of a known key. Values of build arguments are secrets by habit; a Dockerfile's instructions
    /// can set variables; images and addresses may carry a login.
    pub fn query<'t>(&self, key: &Key, value: &'t str) -> Shown<'t> {
        match (key.ty, key.name) {
            (KeyType::StringMap, name) => self.map(value, name == "buildargs"),
            (KeyType::Text, "changes") => self.instruction(value),
            (KeyType::Text, "fromImage" | "fromSrc" | "remote" | "repo" | "t" | "names" | "term") => self.image(value),
            (KeyType::Bool | KeyType::Int | KeyType::ClassicBuilder, _) => self.number(value),
            (KeyType::Text | KeyType::Filters | KeyType::StringList | KeyType::Json, _) => self.text(value),
        }
    }

    /// A number or a truth value; of a request that was refused it may be anything.
    fn number<'t>(&self, value: &'t str) -> Shown<'t> {
        let word = matches!(value, "true" | "false" | "yes" | "no" | "none" | "on" | "off");
        if word || (value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit() || b == b'-')) {
            return Shown { text: Cow::Borrowed(value), hidden: false };
        }
        Shown { text: Cow::Owned(self.digest(value.as_bytes())), hidden: true }
    }

    fn map(&self, value: &str, all: bool) -> Shown<'static> {
        let Ok(parsed) = json::read(value.as_bytes()) else { return Shown { text: Cow::Borrowed(""), hidden: true } };
        let mut hidden = false;
        let member = |(key, value): &(Cow<'static, str>, Value)| {
            let text = value.as_text().unwrap_or_default();
            let shown = if all && !text.is_empty() {
                Shown { text: Cow::Owned(self.digest(text.as_bytes())), hidden: true }
            } else {
                self.option(key, text)
            };
            hidden |= shown.hidden;
            (Cow::Owned(self.text(key).text.into_owned()), Value::Text(shown.text.into_owned()))
        };
        let members = parsed.members().iter().map(member).collect();
        let text = super::plain(&Value::Object(members).encode()).into_owned();
        Shown { text: Cow::Owned(text), hidden }
    }

    /// `ENV A=b`, `ARG A=b`, `ENV A b`, `CMD …`
    fn instruction(&self, text: &str) -> Shown<'static> {
        let (word, rest) = text.trim_start().split_once(char::is_whitespace).unwrap_or((text, ""));
        if matches!(word.to_ascii_uppercase().as_str(), "ENV" | "ARG") {
            let name = rest.trim_start().split(['=', ' ', '\t']).next().unwrap_or_default();
            let value = rest.trim_start().get(name.len()..).unwrap_or_default().trim_start_matches(['=', ' ', '\t']);
            let shown = format!("{} {}={}", word.to_ascii_uppercase(), self.text(name).text, self.digest(value.as_bytes()));
            return Shown { text: Cow::Owned(shown), hidden: true };
        }
        self.command(&[text]).into_iter().next().unwrap_or_else(|| owned(self.text(text)))
    }
}
