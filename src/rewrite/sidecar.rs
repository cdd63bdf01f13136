//! dockgate beside its clients: its service, the volumes of its doors, and its configuration.
//! Knows nothing of how the clients change.

use crate::config::presets;

use super::client::{Client, blanks};
use super::edit::Edits;
use super::stack::Stack;
use super::yaml::Kind;
use super::{FOLDER, GROUP, Problem, SIDECAR};

/// A small memory file system that belongs to dockgate: an empty named volume would belong to root.
const TMPFS: &str = r#"driver_opts: {type: tmpfs, device: tmpfs, o: "uid=65532,gid=65532,mode=0750,size=1m"}"#;

/// Where the trail is kept.
const TRAIL: &str = "dockgate-trail";

/// Adds the service and the volumes.
pub(super) fn edit(stack: &Stack<'_>, clients: &[Client<'_>], config: &str, edits: &mut Edits<'_>) -> Result<(), Problem> {
    if let Some((key, services)) = stack.top("services") {
        let column = services.entries().first().map_or(2, |(name, _)| name.column);
        let depth = stack.services.first().and_then(|service| service.body.entries().first()).map_or(column + 2, |(name, _)| name.column);
        edits.below(key.end, &service(clients, config, column, depth.saturating_sub(column).max(1)));
    }
    volumes(stack, clients, edits)
}

fn service(clients: &[Client<'_>], config: &str, column: usize, step: usize) -> String {
    let source = clients.first().map_or("/var/run/docker.sock", |client| client.used.mount.source.as_str());
    let doors: Vec<String> = clients.iter().map(|client| format!("    - {}:{FOLDER}/{}", client.volume(), client.name())).collect();
    let text = format!(
        r#"# asks the engine for the others; its policies stand in {config}
{SIDECAR}:
  image: dockgate:latest
  command: [serve, --config, /etc/dockgate/dockgate.toml]
  user: "{GROUP}:{GROUP}"
  group_add: ["${{DOCKER_GID:?the group of the engine's socket, see stat -c %g {path}}}"]
  network_mode: none
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 64
  mem_limit: 64m
  restart: unless-stopped
  volumes:
    - {{type: bind, source: "{source}", target: /var/run/docker.sock, read_only: true, bind: {{create_host_path: false}}}}
    - {config}:/etc/dockgate/dockgate.toml:ro
    - {TRAIL}:/var/log/dockgate
{doors}
  healthcheck:
    test: [CMD, /dockgate, healthcheck]
    interval: 5s
    timeout: 3s
    retries: 5
    start_period: 5s

"#,
        path = clients.first().map_or("", |client| client.used.mount.filled.as_str()),
        doors = doors.join("\n"),
    );
    text.lines().map(|line| indented(line, column, step)).collect()
}

/// A line that is written with two blanks a level, in the file's own width.
fn indented(line: &str, column: usize, step: usize) -> String {
    let bare = line.trim_start();
    if bare.is_empty() {
        return "\n".to_owned();
    }
    let level = (line.len() - bare.len()) / 2;
    format!("{}{bare}\n", blanks(column + level * step))
}

fn volumes(stack: &Stack<'_>, clients: &[Client<'_>], edits: &mut Edits<'_>) -> Result<(), Problem> {
    let names: Vec<String> = clients.iter().map(Client::volume).collect();
    let lines = |column: usize, step: usize| -> String {
        let doors: String = names.iter().map(|name| format!("{}{name}:\n{}{TMPFS}\n", blanks(column), blanks(column + step))).collect();
        format!(
            "{}# one volume for one door: whoever mounts it is that client for dockgate\n{doors}{}{TRAIL}:\n",
            blanks(column),
            blanks(column)
        )
    };
    let Some((key, node)) = stack.top("volumes") else {
        edits.at_end(&format!("\nvolumes:\n{}", lines(2, 2)));
        return Ok(());
    };
    let taken = node.entries().iter().find(|(name, _)| names.iter().any(|own| own == name.text()) || name.text() == TRAIL);
    if let Some((name, _)) = taken {
        return Err(Problem::new(
            name.line,
            format!("there is a volume `{}` already", name.text()),
            "give it another name, then rewrite again",
        ));
    }
    match &node.kind {
        Kind::Map(entries) if node.enclosed => {
            let comma = if entries.is_empty() { "" } else { ", " };
            let doors: Vec<String> = names.iter().map(|name| format!("{name}: {{{TMPFS}}}")).chain([format!("{TRAIL}: {{}}")]).collect();
            edits.insert(node.end.saturating_sub(1), format!("{comma}{}", doors.join(", ")));
        }
        Kind::Map(entries) => {
            let column = entries.first().map_or(2, |(name, _)| name.column);
            edits.below(node.end, &lines(column, column.saturating_sub(key.column).max(1)));
        }
        Kind::Nothing => edits.below(key.end, &lines(2, 2)),
        Kind::Text(_) | Kind::Block(_) | Kind::List(_) | Kind::Alias(_) => {
            return Err(Problem::new(key.line, "this `volumes` cannot be changed in its place", "write it as a block, then rewrite again"));
        }
    }
    Ok(())
}

/// The configuration: a door for each client, with its preset or a policy to begin with.
pub(super) fn config(clients: &[Client<'_>]) -> String {
    let mut out = String::from(
        "version = 1\n\n[upstream]\nurl = \"unix:///var/run/docker.sock\"\n\n[audit]\nfile = \"/var/log/dockgate/audit.jsonl\"\n",
    );
    for client in clients {
        let (name, text) = policy(client, clients);
        out += &format!("\n[[door]]\nlisten = \"unix://{FOLDER}/{}/docker.sock\"\npolicy = \"{name}\"\n{text}", client.name());
    }
    out
}

/// The name of a client's policy, and what is to be written for it.
fn policy(client: &Client<'_>, clients: &[Client<'_>]) -> (String, String) {
    let mut own = client.name().replace('.', "-");
    // a policy of the file hides the preset of its name
    if clients.iter().any(|other| other.preset.as_ref() == Some(&own) && other.name() != client.name()) {
        own.push_str("-service");
    }
    let Some(name) = &client.preset else {
        let text = format!(
            "\n# TODO: no preset is known for this client. Set `mode = \"observe\"` for a while, let it do its work, then put here what\n\
             # `dockgate learn /var/log/dockgate/audit.jsonl --policy {own}` prints, and take the mode out.\n\
             [policy.{own}]\nextends = [\"read-only\"]\n"
        );
        return (own, text);
    };
    let grants = preset_text(name).contains("\n# grants:");
    if !grants {
        return (name.clone(), String::new());
    }
    let text = format!(
        "\n[policy.{own}]\nextends = [\"{name}\"]\n\n# What its containers may have, such as `images`, `binds`, `volumes`, `networks` and `ports`: see `dockgate preset show {name}`.\n\
         [policy.{own}.create]\n"
    );
    (own, text)
}

fn preset_text(name: &str) -> &'static str {
    presets().iter().find(|preset| preset.name == name).map_or("", |preset| preset.text)
}
