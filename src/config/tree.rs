//! Typed access to the parsed file, with the place of every key and value.
//! Knows nothing of what the keys mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Report;
use super::suggest::{did_you_mean, listed};

/// Bytes of the file, from and to.
pub(super) type Span = Range<usize>;

/// A table and its name for messages: `` `[policy.ci]` ``.
pub(super) struct Table<'t> {
    pub(super) name: String,
    pub(super) span: Span,
    entries: &'t DeTable<'t>,
}

/// A value, the key or list that holds it, and their places.
pub(super) struct Item<'t> {
    pub(super) name: String,
    /// The place of the key; the value's own for elements of lists.
    pub(super) key: Span,
    pub(super) span: Span,
    value: &'t DeValue<'t>,
}

/// A string and its place.
pub(super) struct Text<'t> {
    pub(super) value: &'t str,
    pub(super) span: Span,
}

impl<'t> Table<'t> {
    pub(super) fn root(table: &'t Spanned<DeTable<'t>>) -> Self {
        Self { name: "the file".to_owned(), span: 0..0, entries: table.get_ref() }
    }

    /// The same table, with what is missing from it reported at another place.
    pub(super) fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// Reports every key that is not among these.
    pub(super) fn only(&self, known: &[&str], report: &mut Report<'_>) {
        for (key, _) in self.entries {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let hint = did_you_mean(word, known.iter().copied())
                    .unwrap_or_else(|| format!("known keys are {}", listed(known.iter().copied())));
                report.error("unknown-key", &key.span(), format!("unknown key `{}` in {}", word.escape_debug(), self.name)).hint =
                    Some(hint);
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Item<'t>> {
        self.items().find(|item| item.name == key)
    }

    /// Like [`Self::get`]; a missing key is an error with this hint.
    pub(super) fn require(&self, key: &str, hint: &str, report: &mut Report<'_>) -> Option<Item<'t>> {
        let item = self.get(key);
        if item.is_none() {
            report.error("missing-key", &self.span, format!("{} has no `{key}`", self.name)).hint = Some(hint.to_owned());
        }
        item
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Item<'t>> {
        self.entries.iter().map(|(key, value)| Item {
            name: key.get_ref().to_string(),
            key: key.span(),
            span: value.span(),
            value: value.get_ref(),
        })
    }
}

impl<'t> Item<'t> {
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) fn text(&self, report: &mut Report<'_>) -> Option<&'t str> {
        let DeValue::String(text) = self.value else { return self.wrong("a string", report) };
        Some(text)
    }

    pub(super) fn string(&self, report: &mut Report<'_>) -> Option<Text<'t>> {
        self.text(report).map(|value| Text { value, span: self.span.clone() })
    }

    pub(super) fn flag(&self, report: &mut Report<'_>) -> Option<bool> {
        let DeValue::Boolean(flag) = self.value else { return self.wrong("`true` or `false`", report) };
        Some(*flag)
    }

    pub(super) fn integer(&self, report: &mut Report<'_>) -> Option<i64> {
        match self.whole() {
            Some((number, _)) => Some(number),
            None => self.wrong("a whole number", report),
        }
    }

    /// The number and its radix, where the value is a whole number.
    pub(super) fn whole(&self) -> Option<(i64, u32)> {
        let DeValue::Integer(number) = self.value else { return None };
        i64::from_str_radix(number.as_str(), number.radix()).ok().map(|value| (value, number.radix()))
    }

    /// The string, where the value is one; anything else is left to the caller.
    pub(super) fn maybe_text(&self) -> Option<&'t str> {
        if let DeValue::String(text) = self.value { Some(text) } else { None }
    }

    /// A number as written, with or without a fraction or quotes; anything else is left to the caller.
    pub(super) fn decimal(&self) -> Option<&'t str> {
        match self.value {
            DeValue::String(text) => Some(text),
            DeValue::Float(number) => Some(number.as_str()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    pub(super) fn list(&self, report: &mut Report<'_>) -> Option<Vec<Item<'t>>> {
        let DeValue::Array(list) = self.value else {
            return self.wrong("a list", report);
        };
        let item = |value: &'t Spanned<DeValue<'t>>| Item {
            name: self.name.clone(),
            key: value.span(),
            span: value.span(),
            value: value.get_ref(),
        };
        Some(list.iter().map(item).collect())
    }

    /// The elements of a list; of any other value itself.
    pub(super) fn each(&self) -> Vec<Self> {
        let same = |value: &'t DeValue<'t>, span: Span, key: Span| Self { name: self.name.clone(), key, span, value };
        if let DeValue::Array(list) = self.value {
            list.iter().map(|value| same(value.get_ref(), value.span(), value.span())).collect()
        } else {
            vec![same(self.value, self.span.clone(), self.key.clone())]
        }
    }

    /// The strings of a list; elements of other types are reported.
    pub(super) fn texts(&self, report: &mut Report<'_>) -> Option<Vec<Text<'t>>> {
        let items = self.list(report)?;
        Some(items.iter().filter_map(|item| item.string(report)).collect())
    }

    /// The table; `name` is how messages call it.
    pub(super) fn table(&self, name: impl Into<String>, report: &mut Report<'_>) -> Option<Table<'t>> {
        let DeValue::Table(entries) = self.value else { return self.wrong("a table", report) };
        Some(Table { name: name.into(), span: self.key.clone(), entries })
    }

    fn wrong<T>(&self, expected: &str, report: &mut Report<'_>) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let written = report.written(&self.span);
        let hint = match (expected, self.value) {
            ("a list", DeValue::String(_)) => Some(format!("write `[{written}]`")),
            ("a string", DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)) => Some(format!("write `\"{written}\"`")),
            ("`true` or `false`" | "a whole number", DeValue::String(text)) => Some(format!("write `{text}` without quotes")),
            _ => None,
        };
        let name = &self.name;
        report.error("wrong-type", &self.span, format!("`{name}` must be {expected}, and this is {found}")).hint =
            Some(hint.unwrap_or_else(|| format!("write {expected}")));
        None
    }
}
