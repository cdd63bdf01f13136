//! The places of a compose file at which dockgate's service and its volumes go in.
//! Knows nothing of what is written there, and of how the clients change.

use super::Problem;
use super::edit::Edits;
use super::sidecar::{Sidecar, TMPFS, TRAIL};
use super::stack::Stack;
use super::yaml::{Kind, Node};

/// Adds the service and the volumes.
pub(super) fn edit(stack: &Stack<'_>, sidecar: &Sidecar, edits: &mut Edits<'_>) -> Result<(), Problem> {
    if let Some((key, services)) = stack.top("services") {
        let column = services.entries().first().map_or(2, |(name, _)| name.column);
        let depth = stack.services.first().and_then(|service| service.body.entries().first()).map_or(column + 2, |(name, _)| name.column);
        edits.below(key.end, &sidecar.service(column, depth.saturating_sub(column).max(1)));
    }
    match stack.top("volumes") {
        None => edits.at_end(&format!("\nvolumes:\n{}", sidecar.volumes(2, 2))),
        Some((key, node)) => volumes(key, node, sidecar, edits)?,
    }
    Ok(())
}

fn volumes(key: &Node, node: &Node, sidecar: &Sidecar, edits: &mut Edits<'_>) -> Result<(), Problem> {
    let is_ours = |name: &str| name == TRAIL || sidecar.doors.iter().any(|door| door.volume() == name);
    if let Some((name, _)) = node.entries().iter().find(|(name, _)| is_ours(name.text())) {
        let message = format!("there is a volume `{}` already", name.text());
        return Err(Problem::new(name.line, message, "give it another name, then rewrite again"));
    }
    match &node.kind {
        Kind::Map(entries) if node.enclosed => {
            let comma = if entries.is_empty() { "" } else { ", " };
            let doors: String = sidecar.doors.iter().map(|door| format!("{}: {{{TMPFS}}}, ", door.volume())).collect();
            edits.insert(node.end.saturating_sub(1), format!("{comma}{doors}{TRAIL}: {{}}"));
        }
        Kind::Map(entries) => {
            let column = entries.first().map_or(2, |(name, _)| name.column);
            edits.below(node.end, &sidecar.volumes(column, column.saturating_sub(key.column).max(1)));
        }
        Kind::Nothing => edits.below(key.end, &sidecar.volumes(2, 2)),
        Kind::Text(_) | Kind::Block(_) | Kind::List(_) | Kind::Alias(_) => {
            return Err(Problem::new(key.line, "this `volumes` cannot be changed in its place", "write it as a block, then rewrite again"));
        }
    }
    Ok(())
}
