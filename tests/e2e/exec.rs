//! `docker exec` and `docker attach` through the doors that allow them.

use crate::bed::on_every_engine;
use crate::process::{fed, until};

const DOORS: [&str; 2] = ["everything", "ci"];

#[test]
fn exec_gives_back_output_and_exit_code() {
    on_every_engine(|bed| {
        let name = bed.name("exec");
        bed.plain_container(&name);
        for door in DOORS {
            let ran = bed.run(door, &format!("exec -e WORD=deed -w /tmp {name} sh -c 'pwd; echo $WORD >&2; exit 5'"));
            assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (5, "/tmp\n", "deed\n"), "{}", ran.shown());
            bed.run(door, &format!("exec -d {name} touch /tmp/{door}")).ok();
            until("the file of a detached exec", || (bed.run(door, &format!("exec {name} test -e /tmp/{door}")).code == 0).then_some(()));
        }
    });
}

#[test]
fn exec_with_input_reads_it_to_its_end() {
    on_every_engine(|bed| {
        let name = bed.name("input");
        bed.plain_container(&name);
        for door in DOORS {
            assert_eq!(fed(bed.docker(door, &format!("exec -i {name} cat")), "hi\n").ok(), "hi\n");
            let big = "0123456789abcdef\n".repeat(40_000);
            assert_eq!(fed(bed.docker(door, &format!("exec -i {name} wc -c")), &big).ok().trim(), "680000");
        }
    });
}

#[test]
fn exec_on_a_terminal_has_its_size() {
    on_every_engine(|bed| {
        let name = bed.name("tty");
        bed.plain_container(&name);
        for door in DOORS {
            let mut session = bed.on_terminal(door, &format!("exec -it {name} sh"));
            session.expect("# ");
            until("the terminal's size", || {
                session.send("stty size; echo mark:$((6*7))\n");
                session.expect("mark:42");
                session.said().contains("33 77").then_some(())
            });
            session.send("exit 4\n");
            let ended = session.end();
            assert_eq!(ended.code, 4, "{}", ended.shown());
        }
    });
}

#[test]
fn attach_speaks_with_the_main_process_until_its_input_ends() {
    on_every_engine(|bed| {
        for door in DOORS {
            let name = bed.name(door);
            bed.listening_container(&name, "sh -c 'cat; echo end; exit 6'");
            let mut attached = bed.start(door, &format!("attach {name}"));
            attached.send("ping\n");
            attached.expect("ping\n");
            attached.close_input();
            let ended = attached.end();
            assert_eq!((ended.code, ended.out.as_str()), (6, "ping\nend\n"), "{}", ended.shown());
        }
    });
}
