//! `docker cp`, where a policy opens archives.

use std::fs;

use crate::bed::{denial, on_every_engine};

#[test]
fn cp_brings_files_in_and_out_unchanged() {
    on_every_engine(|bed| {
        let name = bed.name("cp");
        bed.plain_container(&name);
        let at = |file: &str| bed.folder.path().join(file);
        let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(at("there"), &bytes).unwrap();
        bed.run("everything", &format!("cp {} {name}:/tmp/file", at("there").display())).ok();
        bed.run("everything", &format!("cp {name}:/tmp/file {}", at("back").display())).ok();
        assert!(fs::read(at("back")).unwrap() == bytes, "4 MB came back changed");
    });
}

#[test]
fn cp_of_what_is_not_there_gives_the_engines_own_error() {
    on_every_engine(|bed| {
        let name = bed.name("cp");
        bed.plain_container(&name);
        bed.run("everything", &format!("cp {name}:/nosuch -")).fails(1, &["Could not find the file /nosuch"]);
    });
}

#[test]
fn cp_is_refused_where_archives_are_not_allowed() {
    on_every_engine(|bed| {
        let name = bed.name("cp");
        bed.plain_container(&name);
        for door in ["ci", "read-only"] {
            bed.run(door, &format!("cp {name}:/etc/passwd -")).fails(1, &[&denial(door, "[not-allowed]: ContainerArchive: ")]);
            bed.run(door, &format!("cp {} {name}:/tmp/x", bed.gate.config().display())).fails(1, &["denied by policy"]);
            assert_ne!(bed.run("everything", &format!("exec {name} test -e /tmp/x")).code, 0);
            bed.gate.record("the refused archive", |record| {
                record["operation"] == "ContainerArchiveInfo"
                    && record["policy"] == *door
                    && record["verdict"] == "deny"
                    && record["status"] == 403
            });
        }
    });
}
