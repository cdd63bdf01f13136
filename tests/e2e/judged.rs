//! What comes out of an allowed create is what was judged, field by field.

use serde_json::{Value, json};

use crate::bed::{RAW, on_every_engine};

#[test]
fn the_container_of_an_allowed_run_holds_exactly_what_was_judged() {
    on_every_engine(|bed| {
        let volume = bed.name("x");
        let options = format!(
            "--network none --hostname inside -e WORD=deed -e EMPTY= -l key=value -l com.example/{{}}='a b' --user 1000:1000 \
             --memory 64m --cpus 0.5 --pids-limit 50 --cap-drop ALL --cap-add CHOWN -v {volume}:/data --tmpfs /scratch:size=1m,noexec --read-only \
             -w /data --init --shm-size 8m --ulimit nofile=64:128 --stop-signal INT --restart on-failure:2 --log-opt max-size=1m \
             --security-opt no-new-privileges --health-cmd true --health-interval 1h --add-host far:192.0.2.1"
        );
        let made = |door: &str| {
            let name = bed.name(door);
            bed.run(door, &format!("run -d -i --name {name} {options} busybox sh -c 'cat; exit 0'")).ok();
            let mut container = bed.inspect(&name);
            // old engines put variables in any order
            container["Config"]["Env"].as_array_mut().unwrap().sort_by_key(Value::to_string);
            container
        };
        let (direct, judged) = (made(RAW), made("ci"));
        for part in ["Config", "HostConfig", "Mounts", "Path", "Args", "Image"] {
            assert_eq!(judged[part], direct[part], "{part}");
        }
        let (config, host) = (&judged["Config"], &judged["HostConfig"]);
        for (found, expected) in [
            (&config["Hostname"], json!("inside")),
            (&config["User"], json!("1000:1000")),
            (&config["WorkingDir"], json!("/data")),
            (&config["Labels"]["key"], json!("value")),
            (&config["Labels"]["com.example/{}"], json!("a b")),
            (&config["StopSignal"], json!("INT")),
            (&config["Cmd"], json!(["sh", "-c", "cat; exit 0"])),
            (&host["Memory"], json!(64 << 20)),
            (&host["NanoCpus"], json!(500_000_000)),
            (&host["PidsLimit"], json!(50)),
            (&host["CapDrop"], json!(["ALL"])),
            (&host["Privileged"], json!(false)),
            (&host["ReadonlyRootfs"], json!(true)),
            (&host["Init"], json!(true)),
            (&host["Binds"], json!([format!("{volume}:/data")])),
            (&host["Tmpfs"], json!({ "/scratch": "size=1m,noexec" })),
            (&host["NetworkMode"], json!("none")),
        ] {
            assert_eq!(*found, expected);
        }
        let environment = config["Env"].as_array().unwrap();
        assert!(["WORD=deed", "EMPTY="].iter().all(|word| environment.contains(&json!(word))), "{environment:?}");
        assert_eq!(networks(&judged), ["none"]);
        assert_eq!(networks(&judged), networks(&direct));
    });
}

fn networks(container: &Value) -> Vec<&String> {
    container["NetworkSettings"]["Networks"].as_object().unwrap().keys().collect()
}
