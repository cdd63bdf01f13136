//! One door with TLS, clients with different rights: by the names and keys in their certificates.

use rustls::version::TLS13;
use sha2::{Digest, Sha256};

use super::{POLICY, address, asked, door_file, put, trusting};
use crate::support::engine::Recorder;
use crate::support::folder;
use crate::support::gate::Gate;
use crate::support::pki::{Authority, Issued, Wanted, write};

fn pin(issued: &Issued) -> String {
    let hex: String = Sha256::digest(issued.public_key()).iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha256:{hex}")
}

#[test]
fn names_and_keys_of_certificates_choose_the_policy() {
    let (folder, ca) = (folder(), Authority::new("ours"));
    put(folder.path(), &ca.issue(Wanted::SERVER));
    write(folder.path(), "ca.pem", &ca.pem());
    let of = |names: &'static [&'static str]| ca.issue(Wanted { names, ..Wanted::CLIENT });
    let (pinned, web, deep, agent) = (of(&[]), of(&["web.ci.internal"]), of(&["a.web.ci.internal"]), of(&["other", "spiffe://acme/agent"]));
    let text = format!(
        "version = 1\n[upstream]\nurl = \"unix://FOLDER/engine.sock\"\n{POLICY}\
         [[door]]\nlisten = \"unix://FOLDER/doors/door.sock\"\npolicy = \"all\"\n\
         [[door]]\nlisten = \"tcp://127.0.0.1:0\"\n\
         [[door.client]]\ntls-pin = \"{}\"\npolicy = \"read-only\"\n\
         [[door.client]]\ntls-name = \"*.ci.internal\"\nfrom = \"127.0.0.1\"\npolicy = \"all\"\n\
         [[door.client]]\ntls-name = \"spiffe://acme/agent\"\npolicy = \"ping\"\n\
         [door.tls]\ncertificate = \"FOLDER/cert.pem\"\nkey = \"FOLDER/key.pem\"\nclient-ca = \"FOLDER/ca.pem\"\n",
        pin(&pinned)
    );
    let text = text.replace("FOLDER", &folder.path().display().to_string());
    let _engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(folder.path(), &text, &[door_file(folder.path())]);
    let address = address(&gate);
    for (own, status, policy, reason) in [
        (&pinned, 200, "read-only", None),
        (&web, 200, "all", None),
        (&agent, 403, "ping", Some("not-allowed")),
        (&deep, 403, "(none)", Some("unknown-client")),
    ] {
        assert_eq!(asked(&trusting(&ca, Some(own), &[&TLS13]), address).unwrap().status, status, "{policy}");
        let record = gate.line(policy, |line| line["policy"] == policy && line["address"].is_string());
        assert_eq!(record["reason"].as_str(), reason, "{record}");
        assert_eq!(record["client"].is_string(), policy != "(none)", "{record}");
        assert_eq!(record["tls_subject"], "CN=ci-7", "the subject chooses nothing: {record}");
    }
}
