//! Which operations a `path` regex can name: exact where its segments can be told apart, else too many, never too few.
//! Knows nothing of configuration syntax.

use regex::Regex;

use crate::docker::Operation;
use crate::policy::glob::anchored;

/// True where some canonical path of the operation may match.
pub(super) fn may_match(regex: &Regex, source: &str, operation: Operation) -> bool {
    let path = operation.row().path;
    if !path.contains('{') {
        return regex.is_match(path);
    }
    match alternatives(source) {
        Some(alternatives) => alternatives.iter().any(|alternative| fits(alternative, path)),
        None => true,
    }
}

/// The alternatives of a regex as lists of segments; `None` where they cannot be told apart.
fn alternatives(source: &str) -> Option<Vec<Vec<String>>> {
    let mut found = vec![vec![String::new()]];
    let mut depth = 0_usize;
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut piece = letter.to_string();
        match letter {
            '\\' => piece.push(letters.next()?),
            '[' => piece = class(&mut letters)?,
            // Flags can change what everything after them means.
            '(' if letters.peek() == Some(&'?') && !lets_group(&letters) => return None,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            '|' if depth == 0 => {
                found.push(vec![String::new()]);
                continue;
            }
            '/' if depth == 0 => {
                // A slash that is optional or repeated leaves no segments to compare.
                if matches!(letters.peek(), Some('?' | '*' | '+' | '{')) {
                    return None;
                }
                found.last_mut()?.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut()?.last_mut()?.push_str(&piece);
    }
    Some(found)
}

/// True for `(?:`.
fn lets_group(letters: &std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    letters.clone().nth(1) == Some(':')
}

/// A class from after its `[` to its `]`; nested ones are left alone.
fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut out = String::from("[");
    loop {
        match letters.next()? {
            '[' => return None,
            '\\' => out.extend(['\\', letters.next()?]),
            // `[]a]` and `[^]a]`: a bracket that comes first stands for itself.
            ']' if out == "[" || out == "[^" => out.push(']'),
            ']' => {
                out.push(']');
                return Some(out);
            }
            letter => out.push(letter),
        }
    }
}

/// One alternative against a template. A segment that can match a slash makes everything between the
/// fixed segments before it and after it possible.
fn fits(segments: &[String], template: &str) -> bool {
    let template: Vec<&str> = template.split('/').collect();
    let loose = |segment: &String| can_match_slash(segment);
    let head = segments.iter().position(loose).unwrap_or(segments.len());
    let tail = segments.len() - segments.iter().rposition(loose).map_or(0, |last| last + 1);
    let wide = template.contains(&"{image}");
    let exact = head == segments.len();
    let short = segments.len() < template.len();
    if exact && (short || !wide && segments.len() != template.len()) {
        return false;
    }
    let stop = |part: &&&str| **part != "{image}";
    let forward = segments.iter().take(head).zip(template.iter().take_while(stop)).all(|(segment, part)| segment_fits(segment, part));
    let backward =
        segments.iter().rev().take(tail).zip(template.iter().rev().take_while(stop)).all(|(segment, part)| segment_fits(segment, part));
    forward
        && (exact && !wide
            || backward && segments.get(head).zip(template.get(head)).is_none_or(|(segment, part)| starts_like(segment, part)))
}

/// False where a loose segment begins with other letters than the template's fixed segment.
fn starts_like(segment: &str, part: &str) -> bool {
    let end = segment.find(|c: char| is_sign(c)).unwrap_or(segment.len());
    let (fixed, rest) = segment.split_at_checked(end).unwrap_or_default();
    let optional = rest.starts_with(['?', '*', '{']);
    let mut letters = fixed.chars();
    if optional {
        letters.next_back();
    }
    part.starts_with('{') || part.starts_with(letters.as_str())
}

fn is_sign(letter: char) -> bool {
    r"\.+*?()|[]{}^$#&-~".contains(letter)
}

fn segment_fits(segment: &str, part: &str) -> bool {
    // A segment that does not stand alone (`(a`) says nothing.
    part.starts_with('{') || anchored(segment).map_or(true, |regex| regex.is_match(part))
}

fn can_match_slash(segment: &str) -> bool {
    let mut letters = segment.chars().peekable();
    while let Some(letter) = letters.next() {
        let loose = match letter {
            '.' | '/' => true,
            // `\D`, `\S`, `\W`, `\P…`, `\p…` and code points; `\d`, `\w` and escaped signs are not loose.
            '\\' => letters
                .next()
                .is_none_or(|next| next == '/' || next.is_ascii_alphanumeric() && !matches!(next, 'd' | 'w' | 'b' | 'A' | 'z')),
            '[' => class(&mut letters).and_then(|class| anchored(&class).ok()).is_none_or(|class| class.is_match("/")),
            // A repeated segment stays within its slashes; nothing else matters here.
            _ => false,
        };
        if loose {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::operations::TABLE;

    fn named(source: &str) -> Vec<&'static str> {
        let regex = anchored(source).unwrap();
        TABLE.iter().filter(|operation| may_match(&regex, source, **operation)).map(|operation| operation.name()).collect()
    }

    #[test]
    fn segments_name_exactly_their_operations() {
        assert_eq!(named("/containers/[^/]+/(start|stop)"), ["ContainerStart", "ContainerStop"]);
        assert_eq!(named("/containers/[a-z0-9-]+/json|/_ping"), ["SystemPing", "SystemPingHead", "ContainerInspect"]);
        assert_eq!(named("/containers/web/json"), ["ContainerInspect"]);
        assert_eq!(named(r"/exec/\w+/start"), ["ExecStart"]);
    }

    #[test]
    fn what_matches_slashes_names_all_that_it_can_reach() {
        assert_eq!(named("/.*").len(), TABLE.len());
        assert!(named("(?i)/INFO").contains(&"SystemInfo"));
        let images = named("/images/.*/json");
        assert!(
            images.contains(&"ImageInspect") && !images.contains(&"ImageHistory") && !images.contains(&"ContainerInspect"),
            "{images:?}"
        );
        assert!(named("/images/ghcr[.]io/[a-z/]+/json").contains(&"ImageInspect"));
        assert!(named("/images/nginx/json").contains(&"ImageInspect"));
    }

    #[test]
    fn no_operation_that_a_regex_matches_is_ever_missed() {
        let regexes = [
            "/.*",
            ".*",
            "/containers/.*",
            "/containers/[^/]+/.*",
            "/[a-z]+/x/json",
            "/(containers|images)/.+",
            "/containers(/x)?/json",
            "/containers/?x/json",
            "/containers/x{1,2}/json",
            "/conta.*",
            "/x*containers/x/top",
            "(/containers|/exec)/x/start",
            "/images/a.b/json",
            "/images/[a-z./]+",
            r"/images/\w+/json",
            r"/images\/x/json",
            "/images/x/json|/info",
            "(?:/info)",
            "(?i)/INFO",
            "^/info$",
            "/images/([a-z]+/)*json",
            "/plugins/.*e",
            "/[!-~]+",
            "/x?volumes/x",
            "/v.*",
            r"/\D+",
            r"/containers/\S+",
            "/containers/x/j?son",
            "/networks/x|/volumes/x",
            "/images(/[^/]+){3}",
            "/[]a/]+/x",
            "/c[^x]+/x/json",
            ".+/x/start",
            "/images/a/b/get",
        ];
        let names = ["x", "a.b", "xx", "a/b"];
        let mut matched = 0;
        for source in regexes {
            let regex = anchored(source).unwrap();
            for (operation, name) in TABLE.iter().flat_map(|operation| names.map(|name| (operation, name))) {
                let template = operation.row().path;
                if name.contains('/') && !template.contains("{image}") {
                    continue;
                }
                let path = ["{id}", "{image}", "{checkpoint}"].iter().fold(template.to_owned(), |path, place| path.replace(place, name));
                if regex.is_match(&path) {
                    matched += 1;
                    assert!(may_match(&regex, source, *operation), "{source} misses {path}");
                }
            }
        }
        assert!(matched > 500, "{matched}");
    }

    #[test]
    fn a_path_of_no_operation_names_none() {
        assert!(named("/nowhere").is_empty());
        assert!(named("/v1.43/containers/json").is_empty());
        assert!(named("containers/json").is_empty());
    }
}
