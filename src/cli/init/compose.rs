//! The compose file that init writes: dockgate's service, and what changes in each client's own.
//! Knows nothing of how the clients were chosen and the engine was found.

use std::fmt::Write as _;

use crate::rewrite::clients::{Client, Told};
use crate::rewrite::sidecar::{Door, GROUP, NAME, Sidecar};

/// `compose.yml`; the doors are the clients'.
pub fn file(sidecar: &Sidecar, clients: &[&Client]) -> String {
    let mut out =
        String::from("# dockgate in front of the engine's socket, with a door for each client. Written by `dockgate init`.\n\nservices:\n");
    out.push_str(&sidecar.service(2, 2));
    sidecar.doors.iter().zip(clients).for_each(|(door, client)| service(door, client.told, &mut out));
    let _ = write!(out, "volumes:\n{}", sidecar.volumes(2, 2));
    out
}

/// What changes in a client's own service, as a comment: its file is somebody else's.
fn service(door: &Door, told: &[Told], out: &mut String) {
    let name = &door.name;
    let _ = writeln!(out, "# In the service of {name}, instead of its mount of the engine's socket:\n#   {name}:");
    for told in told {
        let _ = match told {
            Told::Variable(variable, value) => writeln!(out, "#     environment: {{ {variable}: \"{value}\" }}"),
            Told::Words(words, _) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                writeln!(out, "#     command: [{}]  # beside the words that it has", words.join(", "))
            }
            Told::File(file, line) => writeln!(out, "#     # and in its {file}: {line}"),
            Told::Page(what) => writeln!(out, "#     # and on its page {what}"),
        };
    }
    let _ = writeln!(out, "#     volumes: [\"{}\"]\n#     group_add: [\"{GROUP}\"]", door.mount());
    let _ = writeln!(out, "#     depends_on: {{ {NAME}: {{ condition: service_healthy }} }}\n");
}
