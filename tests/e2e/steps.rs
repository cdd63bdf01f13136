//! First steps in front of a real engine: `doctor` names who has the raw socket, and what `init` writes works as it is written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Bed, RAW, in_path, on_every_engine};
use crate::engine::{programs, skipped};
use crate::gate::Gate;
use crate::process::{Output, run, until};

fn url(bed: &Bed) -> String {
    format!("unix://{}", bed.engine.socket.display())
}

#[test]
fn doctor_names_the_containers_that_have_the_engines_socket() {
    on_every_engine(|bed| {
        let image = format!("traefik:{}", bed.tag);
        bed.run(RAW, &format!("tag busybox {image}")).ok();
        let (socket, folder) = (bed.engine.socket.display(), bed.engine.socket.parent().unwrap().display());
        let (proxy, tool, web) = (bed.name("proxy"), bed.name("tool"), bed.name("web"));
        bed.run(RAW, &format!("run -d -i --network none --name {proxy} -v {socket}:/var/run/docker.sock {image} cat")).ok();
        bed.run(RAW, &format!("create --network none --name {tool} -v {folder}:/host:ro busybox cat")).ok();
        bed.plain_container(&web);
        let said = run(Gate::command(&["doctor", "--upstream", &url(bed)]));
        for text in [
            format!("`{proxy}` ({image}) is root on the host: it mounts `{socket}`"),
            format!("`{tool}` (busybox) is root on the host: it mounts `{folder}`"),
            "`dockgate init --client traefik`".to_owned(),
            "ok    clock".to_owned(),
            "Docker Engine".to_owned(),
        ] {
            assert!(said.out.contains(&text), "`{text}` is not in {}", said.shown());
        }
        assert!(!said.out.contains(&format!("`{web}`")), "{}", said.shown());
    });
}

fn compose_program() -> Option<PathBuf> {
    in_path("docker-compose").or_else(|| programs("28").map(|folder| folder.join("docker-compose")).filter(|file| file.is_file()))
}

/// The image as deploy/image.sh makes it, around a binary that is not static: with the libraries that it asks for.
fn image(bed: &Bed, name: &str) {
    let root = bed.folder.path().join("root");
    let binary = env!("CARGO_BIN_EXE_dockgate");
    let script = format!(
        r#"set -e
        mkdir -p {root}/run/dockgate {root}/var/log/dockgate {root}/etc; cd {root}
        install -m 0755 {binary} dockgate; strip dockgate || true
        for library in $(ldd {binary} | grep -o '/[^ ]*'); do mkdir -p .$(dirname $library); cp -L $library .$library; done
        tar --create --file {root}.tar --numeric-owner --owner=0 --group=0 --exclude=./run/dockgate --exclude=./var/log/dockgate .
        tar --append --file {root}.tar --numeric-owner --owner=65532 --group=65532 --mode=0750 ./run/dockgate ./var/log/dockgate"#,
        root = root.display()
    );
    run({
        let mut sh = Command::new("sh");
        sh.args(["-c", &script]);
        sh
    })
    .ok();
    bed.run(RAW, &format!("import --change 'ENTRYPOINT [\"/dockgate\"]' --change 'USER 65532:65532' {}.tar {name}", root.display())).ok();
}

/// The image writes the files too, and knows the socket's path on the host although it sees another one.
fn from_the_image(bed: &Bed, name: &str) {
    let here = bed.folder.path().join("here");
    std::fs::create_dir(&here).unwrap();
    std::os::unix::fs::chown(&here, Some(1000), None).unwrap();
    let (socket, gid) = (bed.engine.socket.display(), std::fs::metadata(&bed.engine.socket).unwrap().gid());
    let mounts = format!("-v {socket}:/var/run/docker.sock -v {}:/here", here.display());
    bed.run(RAW, &format!("run --rm --network none {mounts} --user 1000:{gid} {name} init --client ping --dir /here")).ok();
    let text = std::fs::read_to_string(here.join("compose.yml")).unwrap();
    for part in [format!("source: \"{socket}\""), format!("group_add: [\"{gid}\"]")] {
        assert!(text.contains(&part), "`{part}` is not in\n{text}");
    }
}

fn compose(bed: &Bed, program: &Path, folder: &Path, line: &str) -> Output {
    let mut command = bed.client(program, RAW);
    command.args(["-p", &bed.tag, "-f"]).arg(folder.join("compose.yml")).args(line.split(' '));
    run(command)
}

#[test]
fn what_init_writes_puts_a_client_behind_a_door_as_it_is_written() {
    let Some(program) = compose_program() else {
        return skipped("no docker-compose: run `tests/e2e/engine.sh install 28`");
    };
    on_every_engine(|bed| {
        let folder = bed.folder.path().join("init");
        let dir = folder.display().to_string();
        let made =
            run(Gate::command(&["init", "--upstream", &url(bed), "--client", "docker-cli-read", "--client", "ping", "--dir", &dir])).ok();
        assert!(made.contains("engine: unix://") && made.contains("next:"), "{made}");
        let name = format!("dockgate:{}", bed.tag);
        image(bed, &name);
        from_the_image(bed, &name);
        let file = folder.join("compose.yml");
        let text = std::fs::read_to_string(&file).unwrap().replace("image: dockgate:latest", &format!("image: {name}"));
        std::fs::write(&file, text).unwrap();
        let up = compose(bed, &program, &folder, "up -d");
        let logs = || compose(bed, &program, &folder, "logs").shown();
        assert_eq!(up.code, 0, "{}", up.shown());
        until("dockgate to be healthy", || {
            let container = bed.inspect(&format!("{}-dockgate-1", bed.tag));
            assert_eq!(container["State"]["Running"], true, "{}", logs());
            (container["State"]["Health"]["Status"] == "healthy").then_some(())
        });
        // a door's volume, seen from the host
        let door = |client: &str| {
            let volume = bed.run(RAW, &format!("volume inspect --format '{{{{.Mountpoint}}}}' {}_dockgate-{client}", bed.tag)).ok();
            PathBuf::from(volume.trim()).join("docker.sock")
        };
        let docker = |client: &str, line: &str| {
            let mut command = bed.docker(RAW, line);
            command.env("DOCKER_HOST", format!("unix://{}", door(client).display()));
            run(command)
        };
        assert!(docker("docker-cli-read", "ps").ok().contains(&bed.tag), "{}", logs());
        docker("docker-cli-read", "run --rm busybox true").fails(125, &["denied by policy `docker-cli-read` [not-allowed]"]);
        docker("ping", "ps").fails(1, &["denied by policy `ping` [not-allowed]"]);
        let doctor = compose(bed, &program, &folder, "exec -T dockgate /dockgate doctor --config /etc/dockgate/dockgate.toml");
        for text in ["is served by a dockgate", "inside a container", "but dockgate's own", "ok    trail"] {
            assert!(doctor.out.contains(text), "`{text}` is not in {}", doctor.shown());
        }
        assert_eq!(doctor.code, 0, "{}", doctor.shown());
        let down = compose(bed, &program, &folder, "down -v -t 5");
        assert_eq!(down.code, 0, "{}", down.shown());
    });
}
