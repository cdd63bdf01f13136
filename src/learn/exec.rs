//! Commands that are run in containers, as patterns; and the users of containers and execs.
//! Knows nothing of how a pattern is matched.

use std::collections::BTreeSet;

use crate::docker::{Operation, Value};

use super::needs::{Addition, Danger};
use super::{Draft, Seen, Shape};

/// Programs that run whatever they are told.
const SHELLS: [&str; 12] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "fish", "busybox", "python", "python3", "perl", "node"];

/// The pattern of exactly this command, or why there is none.
pub(super) fn pattern(call: &Seen) -> Result<String, Danger> {
    let words: Vec<&str> = call.body.as_ref().and_then(|body| body.get("Cmd")).map(|cmd| cmd.texts().collect()).unwrap_or_default();
    let danger = |why: String, pattern: Option<String>| {
        Err(Danger { code: "exec-command".to_owned(), at: "Cmd".to_owned(), why, addition: pattern.map(Addition::Command) })
    };
    let Some(program) = words.first() else { return danger("the record shows no command".to_owned(), None) };
    let name = program.rsplit('/').next().unwrap_or(program);
    let option = words.get(1).is_none_or(|word| word.starts_with('-'));
    if SHELLS.contains(&name) && option && plain(program) {
        let pattern = if words.len() == 1 { (*program).to_owned() } else { format!("{program} **") };
        return danger(format!("`{program}` runs any command that it is told"), Some(pattern));
    }
    if let Some(odd) = words.iter().find(|word| !plain(word)) {
        let hidden = odd.contains("hmac:") || odd.contains("…(+");
        let why = if hidden {
            "a word of the command is not in the record".to_owned()
        } else {
            format!("the word `{odd}` cannot be written exactly in a pattern")
        };
        let first = words.iter().take_while(|word| plain(word)).copied().collect::<Vec<_>>().join(" ");
        return danger(why, (!first.is_empty()).then(|| format!("{first} **")));
    }
    Ok(words.join(" "))
}

/// A word that stands for itself alone in a pattern.
fn plain(word: &str) -> bool {
    let odd = |letter: char| letter == '*' || letter.is_whitespace() || letter.is_control();
    !word.is_empty()
        && !word.contains(odd)
        && !word.starts_with(['\'', '"'])
        && !word.ends_with(['\'', '"'])
        && !word.contains("hmac:")
        && !word.contains("…(+")
}

/// Users are held to what was seen where every container, or every exec, named one.
pub(super) fn users(taken: &[Shape], draft: &mut Draft) {
    let of = |operations: &[Operation]| -> Option<BTreeSet<String>> {
        let shapes: Vec<&Shape> = taken.iter().filter(|shape| operations.contains(&shape.call.operation)).collect();
        let user = |shape: &&Shape| shape.call.body.as_ref().and_then(user).filter(|user| !user.contains(['*', '/', ' ']));
        let users: Option<BTreeSet<String>> = shapes.iter().map(user).collect();
        users.filter(|users| !users.is_empty())
    };
    let execs = of(&[Operation::ContainerExec]);
    let any_exec = taken.iter().any(|shape| shape.call.operation == Operation::ContainerExec);
    if let Some(users) =
        of(&[Operation::ContainerCreate, Operation::ServiceCreate, Operation::ServiceUpdate]).filter(|_| !any_exec || execs.is_some())
    {
        draft.users = users;
    }
    draft.exec_users = execs.unwrap_or_default();
}

/// The user of a container, exec or service that names one.
fn user(body: &Value) -> Option<String> {
    let service = body.get("TaskTemplate").and_then(|task| task.get("ContainerSpec"));
    let user = service.unwrap_or(body).text("User");
    (!user.is_empty()).then(|| user.to_owned())
}
