//! Rules about objects are held against what the object is, however the client names it.

use crate::bed::{Bed, RAW, denial, with_policies};

const STOPPER: &str = r#"
[policy.stopper]
extends = ["read-only"]
allow = [{ operation = "ContainerStop", id = "ci-.*" }]
"#;

fn known_as(name: &str, id: &str) -> [String; 3] {
    [name.to_owned(), id.to_owned(), id[..12].to_owned()]
}

fn status(bed: &Bed, id: &str) -> String {
    bed.inspect(id)["State"]["Status"].as_str().unwrap().to_owned()
}

#[test]
fn a_rule_on_names_stops_what_it_names_and_nothing_else() {
    with_policies(STOPPER, &["stopper"], |bed| {
        let name = bed.name("a");
        let id = bed.plain_container(&name);
        for known in known_as(&name, &id) {
            bed.run(RAW, &format!("start {name}")).ok();
            bed.run("stopper", &format!("stop -t 0 {known}")).ok();
            assert_eq!(status(bed, &id), "exited", "as {known}");
            // the engine was asked by the full id
            bed.gate.record("the stop by its full id", |record| record["operation"] == "ContainerStop" && record["names"][0] == *id);
        }
        for name in [format!("other-{}", bed.tag), format!("x-{name}"), format!("cy-{}", bed.tag)] {
            let id = bed.plain_container(&name);
            for known in known_as(&name, &id) {
                bed.run("stopper", &format!("stop -t 0 {known}")).fails(1, &[&denial("stopper", "[not-allowed]: ContainerStop")]);
            }
            assert_eq!(status(bed, &id), "running");
        }
        // an object that is not there is the engine's to tell
        bed.run("stopper", "stop ci-nosuch").fails(1, &["No such container: ci-nosuch"]);
    });
}
