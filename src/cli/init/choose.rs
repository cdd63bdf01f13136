//! Which clients get a door: by flags, or by asking.
//! Knows nothing of what is written for them.

use std::io::{BufRead, Write};

use crate::cli::say::Failure;
use crate::config;
use crate::rewrite::clients::{Client, of_preset};

/// Presets that nobody wants by a number of a list.
const UNLISTED: [&str; 2] = ["deny-all", "unrestricted"];
/// As often it is asked again.
const TRIES: usize = 3;

/// The clients of these names, each once.
///
/// # Errors
/// Names of no preset.
pub fn named(names: &[String]) -> Result<Vec<&'static Client>, Failure> {
    let mut found = Vec::new();
    for name in names {
        let client = of_preset(name).ok_or_else(|| unknown(name))?;
        add(&mut found, client);
    }
    Ok(found)
}

fn unknown(name: &str) -> Failure {
    let known: Vec<&str> = config::presets().iter().map(|preset| preset.name).collect();
    Failure::usage(format!("there is no preset `{}`", name.escape_debug()))
        .hint(format!("known are: {}", known.join(", ")))
        .hint("for another client: `--client read-only`, and `dockgate learn` for what it needs more")
}

fn add(found: &mut Vec<&'static Client>, client: &'static Client) {
    if !found.iter().any(|known| known.preset == client.preset) {
        found.push(client);
    }
}

/// The list that is asked from, with what each is for.
fn list() -> Vec<(&'static Client, &'static str)> {
    let listed = config::presets().iter().filter(|preset| !UNLISTED.contains(&preset.name));
    listed.filter_map(|preset| Some((of_preset(preset.name)?, preset.summary))).collect()
}

/// Shows the list, with the proposed ones marked, and reads numbers and names.
///
/// # Errors
/// The end of the input, and answers that are none again and again.
pub fn ask(proposed: &[&'static Client], input: &mut impl BufRead, output: &mut impl Write) -> Result<Vec<&'static Client>, Failure> {
    let list = list();
    let mut show = |text: String| {
        let _reader_gone = writeln!(output, "{text}").and_then(|()| output.flush());
    };
    for (number, (client, summary)) in list.iter().enumerate() {
        let mark = if proposed.iter().any(|one| one.preset == client.preset) { '*' } else { ' ' };
        show(format!("{mark}{:>3}  {:<20} {summary}", number + 1, client.preset));
    }
    let default = if proposed.is_empty() { "read-only" } else { "those with a *, which have the raw socket here" };
    for _ in 0..TRIES {
        show(format!("Which clients get a door? Numbers or names, with spaces between; enter for {default}:"));
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            break;
        }
        match chosen(&line, &list, proposed) {
            Ok(clients) => return Ok(clients),
            Err(why) => show(why),
        }
    }
    Err(Failure::usage("no client was chosen")
        .hint("name them with `--client NAME`, or use `--yes` for one door with the preset `read-only`"))
}

/// The clients of an answer.
fn chosen(line: &str, list: &[(&'static Client, &str)], proposed: &[&'static Client]) -> Result<Vec<&'static Client>, String> {
    let mut found = Vec::new();
    for word in line.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let by_number = word.parse::<usize>().ok().and_then(|number| list.get(number.checked_sub(1)?)).map(|(client, _)| *client);
        let client = by_number.or_else(|| of_preset(word));
        add(&mut found, client.ok_or_else(|| format!("there is no `{}` in the list", word.escape_debug()))?);
    }
    match (found.is_empty(), proposed.is_empty()) {
        (false, _) => Ok(found),
        (true, false) => Ok(proposed.to_vec()),
        (true, true) => named(&[config::DEFAULT_POLICY.to_owned()]).map_err(|failure| failure.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str, proposed: &[&'static Client]) -> (Result<Vec<&'static str>, String>, String) {
        let mut shown = Vec::new();
        let clients = ask(proposed, &mut answers.as_bytes(), &mut shown);
        let names =
            clients.map(|clients| clients.iter().map(|client| client.preset).collect()).map_err(|failure| failure.message().to_owned());
        (names, String::from_utf8(shown).unwrap())
    }

    fn client(name: &str) -> &'static Client {
        named(&[name.to_owned()]).unwrap()[0]
    }

    #[test]
    fn an_answer_is_numbers_names_or_nothing() {
        let at = |name: &str| list().iter().position(|(client, _)| client.preset == name).unwrap() + 1;
        let (names, shown) = asked(&format!("{}, dozzle\t{}\n", at("traefik"), at("dozzle")), &[]);
        assert_eq!(names.unwrap(), ["traefik", "dozzle"]);
        assert!(shown.contains("  traefik ") && !shown.contains("unrestricted"), "{shown}");
        assert_eq!(asked("\n", &[]).0.unwrap(), ["read-only"]);
        let (names, shown) = asked("\n", &[client("portainer")]);
        assert_eq!(names.unwrap(), ["portainer"]);
        assert!(shown.lines().any(|line| line.starts_with('*') && line.contains("portainer ")), "{shown}");
    }

    #[test]
    fn a_wrong_answer_is_asked_for_again_and_no_answer_is_a_failure() {
        let (names, shown) = asked("0\n99\ntraefik\n", &[]);
        assert_eq!(names.unwrap(), ["traefik"]);
        assert!(shown.contains("there is no `99` in the list"), "{shown}");
        assert!(asked("", &[]).0.is_err() && asked("x\nx\nx\ntraefik\n", &[]).0.is_err());
    }

    #[test]
    fn a_name_that_is_no_preset_is_an_error() {
        assert!(named(&["traefik".to_owned(), "trafik".to_owned()]).is_err());
        assert_eq!(named(&["traefik".to_owned(), "traefik".to_owned()]).unwrap().len(), 1);
    }
}
