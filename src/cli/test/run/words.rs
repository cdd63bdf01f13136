//! A command line as words, as a shell would split it.
//! Knows nothing of commands; it expands nothing.

/// The words of a line.
///
/// # Errors
/// Quotes without an end, and what a shell would expand.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => quoted(letter, &mut letters, word.get_or_insert_default())?,
            '\\' => match letters.next() {
                Some('\n') => {}
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("the line ends with a backslash".to_owned()),
            },
            letter if letter.is_whitespace() => words.extend(word.take()),
            '$' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')' => return Err(expands(letter)),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next() {
            None => return Err(format!("the quote {quote} has no end")),
            Some(letter) if letter == quote => return Ok(()),
            Some(letter @ ('$' | '`')) if quote == '"' => return Err(expands(letter)),
            Some('\\') if quote == '"' => match letters.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => word.push(next),
                Some('\n') | None => {}
                Some(next) => word.extend(['\\', next]),
            },
            Some(letter) => word.push(letter),
        }
    }
}

fn expands(letter: char) -> String {
    format!("`{letter}` means something to a shell, and no shell reads this line; put it in single quotes or write what it stands for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        assert_eq!(split("a  'b c' \"d \\\" e\" f\\ g ''\\\n h").unwrap(), ["a", "b c", "d \" e", "f g", "", "h"]);
    }

    #[test]
    fn refuses_what_a_shell_would_expand_and_open_quotes() {
        assert!(split("a $(pwd)").unwrap_err().contains("`$`"));
        assert!(split("a \"$HOME\"").is_err() && split("a 'b").is_err() && split("a; b").is_err() && split("a \\").is_err());
        assert_eq!(split("'$HOME'").unwrap(), ["$HOME"]);
    }
}
