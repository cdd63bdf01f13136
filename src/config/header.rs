//! What a preset says about itself, in the comment that it begins with.
//! Knows nothing of rules.

/// The comment, taken apart. Its form:
///
/// ```text
/// # NAME: SUMMARY
/// #
/// # client: …            what it was made for, with the version
/// # source: …            where that client's requests were read
/// # proven: …            how it was shown that they pass
/// #
/// # loses when refused:
/// #   OPERATION, OPERATION: WHAT
/// # left out:
/// #   OPERATION: WHAT
/// # notes:
/// #   …
/// # runs:
/// #   CLIENT VERSION | ENGINE | REQUESTS | DENIED | OPERATIONS USED | JOB
/// ```
///
/// An entry goes on below itself, two columns further in.
/// A preset for any client has the first line alone; what stands below is for people.
#[derive(Debug, Default)]
pub struct Header {
    /// What it is for.
    pub summary: &'static str,
    /// The client that it was made for, with its version.
    pub client: Option<&'static str>,
    /// Where that client's requests were read.
    pub source: Option<&'static str>,
    /// How it was shown that they pass.
    pub proven: Option<&'static str>,
    /// What the client loses when operations are refused.
    pub loses: Vec<Part>,
    /// What the client can also ask for and the preset does not allow.
    pub left_out: Vec<Part>,
    /// What else to know.
    pub notes: Vec<String>,
    /// Runs of the client through the preset, as cells of a table.
    pub runs: Vec<String>,
}

/// Operations, and what the client has from them.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Their ids, as written.
    pub operations: Vec<String>,
    /// What is lost without them.
    pub what: String,
}

/// The list that lines below it belong to.
#[derive(Clone, Copy)]
enum List {
    None,
    Loses,
    LeftOut,
    Notes,
    Runs,
}

impl Header {
    /// Reads the comment at the start of a file.
    pub fn read(text: &'static str) -> Self {
        let mut lines = text.lines().map_while(|line| line.strip_prefix('#'));
        let summary = lines.next().and_then(|line| line.split_once(": ")).map_or("", |(_, summary)| summary);
        let mut header = Self { summary, ..Self::default() };
        let (mut list, mut entry) = (List::None, String::new());
        for line in lines {
            match line.strip_prefix("   ") {
                Some(more) if more.starts_with(' ') => entry = format!("{entry} {}", more.trim_start()),
                Some(next) => header.add(list, &std::mem::replace(&mut entry, next.to_owned())),
                None => {
                    header.add(list, &std::mem::take(&mut entry));
                    list = header.key(line.trim_start());
                }
            }
        }
        header.add(list, &entry);
        header
    }

    /// A line of its own: a key with its value, or the name of a list.
    fn key(&mut self, line: &'static str) -> List {
        match line.split_once(':').map(|(key, value)| (key, value.trim_start())) {
            Some(("client", value)) => self.client = Some(value),
            Some(("source", value)) => self.source = Some(value),
            Some(("proven", value)) => self.proven = Some(value),
            Some(("loses when refused", _)) => return List::Loses,
            Some(("left out", _)) => return List::LeftOut,
            Some(("notes", _)) => return List::Notes,
            Some(("runs", _)) => return List::Runs,
            _ => {}
        }
        List::None
    }

    fn add(&mut self, list: List, entry: &str) {
        let part = entry
            .split_once(": ")
            .map(|(ids, what)| Part { operations: ids.split(", ").map(str::to_owned).collect(), what: what.to_owned() });
        match list {
            List::Loses => self.loses.extend(part),
            List::LeftOut => self.left_out.extend(part),
            List::Notes if !entry.is_empty() => self.notes.push(entry.to_owned()),
            List::Runs if !entry.is_empty() => self.runs.push(entry.to_owned()),
            List::Notes | List::Runs | List::None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_header_apart() {
        let header = Header::read(
            "# a: it watches\n#\n# client: A 1\n# source: https://b\n# proven: ran here\n#\n# loses when refused:\n#   X,\n#     Y: a lot: all\n\
             # left out:\n#   Z: nothing\n# notes:\n#   one: two\n# runs:\n#   A 1 | E\nversion = 1\n# client: B\n",
        );
        assert_eq!((header.summary, header.client, header.source), ("it watches", Some("A 1"), Some("https://b")));
        assert_eq!(header.proven, Some("ran here"));
        let part = |ids: &[&str], what: &str| Part { operations: ids.iter().map(|id| (*id).to_owned()).collect(), what: what.to_owned() };
        assert_eq!(header.loses, [part(&["X", "Y"], "a lot: all")]);
        assert_eq!(header.left_out, [part(&["Z"], "nothing")]);
        assert_eq!((header.notes, header.runs), (vec!["one: two".to_owned()], vec!["A 1 | E".to_owned()]));
    }

    #[test]
    fn a_preset_for_any_client_has_a_summary_alone() {
        let header = Header::read("# a: it watches\n#\n# Words.\nversion = 1\n");
        assert!(header.summary == "it watches" && header.client.is_none() && header.loses.is_empty());
    }
}
