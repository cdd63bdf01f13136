//! What an importer found out, and its TOML.
//! Knows nothing of where it comes from.

use std::fmt::Write as _;

use crate::config::{Listen, UpstreamUrl};
use crate::docker::{Method, Operation};

use super::usual::{is_buildkit, is_dangerous_read, is_usual, needs_post};
use super::{Extent, Imported};

/// The widest line of operations.
const WIDTH: usize = 110;

/// A configuration with one policy, before it is text.
pub(super) struct Draft {
    pub(super) policy: &'static str,
    /// What it was made from, on one line.
    pub(super) from: String,
    pub(super) extent: Extent,
    pub(super) upstream: UpstreamUrl,
    pub(super) doors: Vec<DoorDraft>,
    pub(super) blocks: Vec<Block>,
    /// Host folders that may be mounted, where there is such a list.
    pub(super) binds: Option<Vec<String>>,
    pub(super) warnings: Vec<String>,
    pub(super) log: Option<&'static str>,
}

/// A listener.
pub(super) struct DoorDraft {
    pub(super) listen: Listen,
    /// The access bits of a socket file.
    pub(super) mode: Option<String>,
    /// Ranges of addresses.
    pub(super) allow_from: Vec<String>,
}

/// What one variable or pattern opens.
pub(super) struct Block {
    /// The variable or pattern.
    pub(super) title: String,
    pub(super) operations: Vec<Operation>,
    /// Operations on some objects only: method and path.
    pub(super) paths: Vec<(Method, String)>,
    /// What could not be written.
    pub(super) comments: Vec<String>,
    /// True where one operation was named on purpose, so that a least policy keeps it.
    pub(super) named: bool,
}

impl Draft {
    /// The file.
    pub(super) fn write(mut self) -> Imported {
        self.warn_of_reads();
        let exposed = self.exposed();
        let mut out = String::new();
        comment(&mut out, "", &format!("Written by `dockgate import {}` from {}.", self.policy, self.from));
        comment(
            &mut out,
            "",
            match self.extent {
                Extent::Equal => "It allows what these settings allow, of everything that dockgate knows.",
                Extent::Least => "It allows what such settings are usually wanted for; the rest stands in comments.",
            },
        );
        for warning in self.warnings.iter().chain(&exposed) {
            comment(&mut out, "", &format!("Note: {warning}."));
        }
        let _infallible = write!(out, "version = 1\n\n[upstream]\nurl = {}\n", quoted(&self.upstream.to_string()));
        for door in &self.doors {
            door.write(self.policy, &mut out);
        }
        let _infallible = write!(out, "\n[policy.{}]\nallow = [\n", self.policy);
        for block in &self.blocks {
            block.write(self.extent, &mut out);
        }
        out.push_str("]\n");
        self.create(&mut out);
        Imported { toml: out, policy: self.policy, warnings: self.warnings, exposed, log: self.log }
    }

    fn create(&self, out: &mut String) {
        let kept = |operation: &&Operation| needs_post(**operation) && !is_buildkit(**operation);
        let changes =
            self.blocks.iter().any(|block| block.kept(self.extent).iter().any(|operation| kept(&operation)) || !block.paths.is_empty());
        let level = match (self.extent, &self.binds) {
            (Extent::Least, _) if !changes => return,
            (Extent::Equal, None) => "unrestricted",
            (Extent::Least, _) | (Extent::Equal, Some(_)) => "baseline",
        };
        let _infallible = write!(out, "\n[policy.{}.create]\n", self.policy);
        if level == "unrestricted" {
            comment(out, "", "there, nothing of what containers are is looked at: `baseline` would judge it");
        }
        let _infallible = writeln!(out, "level = \"{level}\"");
        if let Some(binds) = self.binds.as_ref().filter(|binds| !binds.is_empty()) {
            let grants = binds.iter().map(|path| format!("    {{ source = {}, mode = \"rw\" }},\n", quoted(path)));
            let _infallible = write!(out, "binds = [\n{}]\n", grants.collect::<String>());
        }
    }

    /// Names what nobody expects of something that is called reading.
    fn warn_of_reads(&mut self) {
        let of = |block: &Block| block.kept(self.extent).into_iter().filter(|operation| is_dangerous_read(*operation)).collect::<Vec<_>>();
        let names: Vec<&str> = self.blocks.iter().flat_map(of).map(Operation::name).collect();
        if !names.is_empty() {
            self.warnings.push(format!("dangerous reads are open: {}", names.join(", ")));
        }
    }

    fn exposed(&self) -> Vec<String> {
        let said = |door: &DoorDraft| {
            let text = "is open to the network without TLS: whoever reaches it is a client; publish it nowhere, and share its network with its client alone";
            format!("`{}` {text}", door.listen)
        };
        self.doors.iter().filter(|door| door.is_exposed()).map(said).collect()
    }
}

impl DoorDraft {
    fn is_exposed(&self) -> bool {
        matches!(&self.listen, Listen::Tcp(address) if !address.ip().to_canonical().is_loopback())
    }

    fn write(&self, policy: &str, out: &mut String) {
        let _infallible = write!(out, "\n[[door]]\nlisten = {}\n", quoted(&self.listen.to_string()));
        if let Some(mode) = &self.mode {
            let _infallible = writeln!(out, "mode = {}", quoted(mode));
        }
        if self.is_exposed() {
            out.push_str("plain-text = \"i-know\"\n");
        }
        if !self.allow_from.is_empty() {
            let ranges: Vec<String> = self.allow_from.iter().map(|range| quoted(range)).collect();
            let _infallible = writeln!(out, "allow-from = [{}]", ranges.join(", "));
        }
        let _infallible = writeln!(out, "policy = {}", quoted(policy));
    }
}

impl Block {
    /// What of it the policy allows.
    fn kept(&self, extent: Extent) -> Vec<Operation> {
        let keeps = |operation: &Operation| extent == Extent::Equal || self.named || is_usual(*operation);
        self.operations.iter().copied().filter(|operation| keeps(operation) && !is_buildkit(*operation)).collect()
    }

    fn write(&self, extent: Extent, out: &mut String) {
        let kept = self.kept(extent);
        comment(out, "    ", &self.title);
        let (risky, plain): (Vec<Operation>, Vec<Operation>) = kept.iter().partition(|operation| is_dangerous_read(**operation));
        let (changes, reads): (Vec<Operation>, Vec<Operation>) = plain.into_iter().partition(|operation| needs_post(*operation));
        wrapped("", &reads, out);
        for operation in risky {
            let _infallible = writeln!(out, "    \"{}\",  # dangerous: {}", operation.name(), operation.row().risk);
        }
        wrapped("", &changes, out);
        for (method, path) in &self.paths {
            let _infallible = writeln!(out, "    {{ method = \"{method}\", path = {} }},", quoted(path));
        }
        for text in &self.comments {
            comment(out, "    ", text);
        }
        self.left_out(&kept, out);
    }

    /// What is not allowed although the settings open it.
    fn left_out(&self, kept: &[Operation], out: &mut String) {
        let (never, out_of_it): (Vec<Operation>, Vec<Operation>) =
            self.operations.iter().filter(|operation| !kept.contains(operation)).partition(|operation| is_buildkit(**operation));
        if !never.is_empty() {
            comment(out, "    ", "BuildKit's sessions cannot be inspected, and are never forwarded: build with DOCKER_BUILDKIT=0");
        }
        if !out_of_it.is_empty() {
            comment(out, "    ", "left out:");
            wrapped("# ", &out_of_it, out);
        }
    }
}

/// Operations, as many on a line as fit.
fn wrapped(start: &str, operations: &[Operation], out: &mut String) {
    let mut line = String::new();
    for operation in operations {
        if line.len() + operation.name().len() > WIDTH {
            let _infallible = writeln!(out, "    {start}{}", line.trim_end());
            line.clear();
        }
        let _infallible = write!(line, "\"{}\", ", operation.name());
    }
    if !line.is_empty() {
        let _infallible = writeln!(out, "    {start}{}", line.trim_end());
    }
}

/// A comment, broken between words. Settings may hold anything, so what is no printable character is escaped.
fn comment(out: &mut String, indent: &str, text: &str) {
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.len() + word.len() > WIDTH {
            let _infallible = writeln!(out, "{indent}#{line}");
            line.clear();
        }
        line.push(' ');
        line.extend(word.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }));
    }
    let _infallible = writeln!(out, "{indent}#{line}");
}

/// A TOML string; a literal one where regexes would need their backslashes twice.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| !c.is_control());
    if plain && text.contains('\\') && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _infallible = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
