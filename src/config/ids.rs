//! Names of users and groups → numbers, from the files that hold them.
//! Knows nothing of directories on the network: dockgate asks no resolver.

use std::fs;

use super::error::Report;
use super::suggest::did_you_mean;
use super::tree::Item;

/// The number of `owner = ...`.
pub(super) fn user(item: &Item<'_>, report: &mut Report<'_>) -> Option<u32> {
    number(item, "/etc/passwd", "user", report)
}

/// The number of `group = ...`.
pub(super) fn group(item: &Item<'_>, report: &mut Report<'_>) -> Option<u32> {
    number(item, "/etc/group", "group", report)
}

fn number(item: &Item<'_>, file: &str, word: &str, report: &mut Report<'_>) -> Option<u32> {
    // The highest number means "leave it as it is" to chown(2).
    let fits = |number: i64| u32::try_from(number).ok().filter(|number| *number != u32::MAX);
    let written = if item.whole().is_some() { None } else { Some(item.text(report)?) };
    let plain = written.map_or_else(|| item.whole().map(|(number, _)| number), |text| text.parse().ok());
    if let Some(number) = plain {
        let fitting = fits(number);
        if fitting.is_none() {
            report.error("bad-value", &item.span, format!("`{number}` is no number of a {word}")).hint =
                Some("write a number from 0 to 4294967294".to_owned());
        }
        return fitting;
    }
    let name = written?;
    let table = fs::read_to_string(file).unwrap_or_default();
    let found = find(&table, name);
    if found.is_none() {
        let known = table.lines().filter_map(|line| line.split(':').next());
        let near = did_you_mean(name, known).map(|near| format!("{near} ")).unwrap_or_default();
        report.error("unknown-id", &item.span, format!("`{file}` has no {word} `{name}`")).hint =
            Some(format!("{near}write its number instead, if the name exists only elsewhere"));
    }
    found
}

/// `name:x:number:...`
fn find(table: &str, name: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut parts = line.split(':');
        if parts.next() == Some(name) { parts.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_name_becomes_the_number_of_its_line() {
        let table = "root:x:0:\ndocker:x:998:me,you\nbroken\n";
        assert_eq!((find(table, "docker"), find(table, "dock"), find(table, "broken")), (Some(998), None, None));
    }
}
