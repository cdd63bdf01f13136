//! What is not there: the engine's own answers pass, so that clients do what they always do.

use crate::bed::{RAW, denial, on_every_engine};

#[test]
fn an_unknown_image_is_pulled_and_fails_with_the_engines_own_error() {
    on_every_engine(|bed| {
        let image = format!("127.0.0.1:1/{}", bed.name("nosuch"));
        let line = format!("run --rm --network none --name {} {image}", bed.name("x"));
        let (direct, through) = (bed.run(RAW, &line), bed.run("everything", &line));
        through.fails(125, &["Unable to find image", "connection refused"]);
        assert_eq!((through.code, through.err), (direct.code, direct.err));
        assert!(bed.objects().is_empty());
    });
}

#[test]
fn an_unknown_image_is_not_pulled_where_pulls_are_not_allowed() {
    on_every_engine(|bed| {
        let image = format!("127.0.0.1:1/{}", bed.name("nosuch"));
        let line = format!("run --rm --network none --name {} {image}", bed.name("x"));
        bed.refuses("ci", &line, 125, &["Unable to find image", &denial("ci", "[not-allowed]: ImageCreate")]);
    });
}

#[test]
fn an_unknown_object_gets_the_engines_own_404() {
    on_every_engine(|bed| {
        let name = bed.name("nosuch");
        for (doors, line) in [
            (&["everything", "ci", "read-only"][..], format!("container inspect {name}")),
            (&["everything", "ci", "read-only"], format!("image inspect {name}")),
            (&["everything", "ci", "read-only"], format!("stats --no-stream {name}")),
            (&["everything", "ci"], format!("logs {name}")),
            (&["everything", "ci"], format!("start {name}")),
            (&["everything", "ci"], format!("exec {name} true")),
            (&["everything", "ci"], format!("attach {name}")),
            (&["everything", "ci"], format!("stop {name}")),
            (&["everything"], format!("inspect {name}")),
            (&["everything"], format!("cp {name}:/x -")),
        ] {
            let direct = bed.run(RAW, &line);
            for door in doors {
                let through = bed.run(door, &line);
                assert_eq!((through.code, &through.out, &through.err), (direct.code, &direct.out, &direct.err), "{door}: {line}");
            }
        }
    });
}
