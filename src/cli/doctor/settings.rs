//! Settings of the engine that the hardening guides warn of, as far as `/info` and its default network tell them.
//! Knows nothing of how the engine was asked.

use crate::docker::Value;

use super::line::{Level, Line};

/// Registries of this machine need no TLS.
const LOCAL: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// A line for each setting that is wrong, one for all that could be better, and one for who the engine is.
pub fn lines(info: &Value, bridge: &Value) -> Vec<Line> {
    let options = Options::of(info);
    let mut lines = vec![options.user()];
    lines.extend(api(info));
    lines.extend(registries(info));
    lines.extend(options.seccomp());
    lines.extend(limits(info));
    if info.get("Debug").is_some_and(Value::is_true) {
        lines.push(
            Line::new(Level::Warn, "settings", "the engine runs with debug messages, which show requests")
                .todo("take `\"debug\": true` out of daemon.json"),
        );
    }
    let could = could_be_better(info, bridge, &options);
    if !could.is_empty() {
        let known = "`inject` in a policy sets these for new containers; daemon.json sets them for all (docs/hardening.md)";
        lines.push(Line::new(Level::Note, "settings", format!("not set: {}", could.join(", "))).todo(known));
    }
    lines
}

/// `SecurityOptions`: `name=seccomp,profile=builtin`, and in old engines `seccomp`.
struct Options(Vec<String>);

impl Options {
    fn of(info: &Value) -> Self {
        Self(info.get("SecurityOptions").map(|options| options.texts().map(str::to_owned).collect()).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let named = |option: &&String| option.trim_start_matches("name=").split(',').next() == Some(name);
        self.0.iter().find(named).map(String::as_str)
    }

    /// Whose rights are at stake.
    fn user(&self) -> Line {
        if self.get("rootless").is_some() {
            return Line::new(Level::Ok, "rootless", "the engine runs without root: its socket is as good as its user, not root")
                .todo("in its containers that user's group is 0: `group_add: [\"0\"]` for dockgate");
        }
        if self.get("userns").is_some() {
            return Line::new(Level::Ok, "rootless", "no, but containers have user ids of their own (userns-remap)")
                .todo("dockgate's container needs `userns_mode: \"host\"` to reach the socket");
        }
        Line::new(Level::Note, "rootless", "no: who has the engine's socket is root on the host")
    }

    fn seccomp(&self) -> Option<Line> {
        let off = self.get("seccomp").is_none_or(|option| option.contains("profile=unconfined"));
        off.then(|| {
            Line::new(Level::Warn, "settings", "seccomp is off: containers may make every system call")
                .todo("take `seccomp-profile` out of daemon.json, and use a kernel with seccomp")
        })
    }
}

/// The engine warns by itself of an API that is open to the network.
fn api(info: &Value) -> Vec<Line> {
    let warnings = info.get("Warnings").map(|warnings| warnings.texts().collect::<Vec<_>>()).unwrap_or_default();
    let open = warnings.into_iter().filter(|warning| warning.contains("API is accessible on"));
    let line = |warning: &str| {
        let place = warning.split_whitespace().find(|word| word.contains("://")).unwrap_or("the network");
        let how = if warning.contains("without encryption") { " without TLS" } else { "" };
        Line::new(Level::Fail, "settings", format!("the engine's API is open at {place}{how}"))
            .todo("who reaches it is root on this host: take `-H tcp://…` or `hosts` away, or use TLS with client certificates")
    };
    open.map(line).collect()
}

fn registries(info: &Value) -> Option<Line> {
    let config = info.get("RegistryConfig")?;
    let ranges = config.get("InsecureRegistryCIDRs").into_iter().flat_map(Value::texts).filter(|range| !LOCAL.contains(range));
    let indexes = config.get("IndexConfigs").map(Value::members).unwrap_or_default();
    let named =
        indexes.iter().filter(|(_, index)| index.get("Secure").is_some_and(|secure| !secure.is_true())).map(|(name, _)| name.as_ref());
    let insecure: Vec<&str> = ranges.chain(named).collect();
    (!insecure.is_empty()).then(|| {
        Line::new(Level::Warn, "settings", format!("images come without TLS from {}", insecure.join(", ")))
            .todo("take them out of `insecure-registries` in daemon.json")
    })
}

/// What `inject` and checks ask for, and the kernel does not do.
fn limits(info: &Value) -> Option<Line> {
    let off = |key: &str| info.get(key).is_some_and(|value| !value.is_true());
    let missing: Vec<&str> = [("MemoryLimit", "memory"), ("PidsLimit", "processes"), ("CpuCfsQuota", "CPUs")]
        .iter()
        .filter(|(key, _)| off(key))
        .map(|(_, word)| *word)
        .collect();
    (!missing.is_empty()).then(|| {
        Line::new(Level::Warn, "settings", format!("limits of {} do nothing: the kernel has them switched off", missing.join(", ")))
            .todo("switch the control groups of these on (`cgroup_enable=memory` on some kernels)")
    })
}

fn could_be_better(info: &Value, bridge: &Value, options: &Options) -> Vec<&'static str> {
    let mut could = Vec::new();
    if options.get("no-new-privileges").is_none() {
        could.push("no-new-privileges");
    }
    if options.get("apparmor").is_none() && options.get("selinux").is_none() {
        could.push("AppArmor or SELinux");
    }
    let icc = bridge.get("Options").map(|options| options.text("com.docker.network.bridge.enable_icc"));
    if icc == Some("true") {
        could.push("icc=false");
    }
    if info.get("LiveRestoreEnabled").is_some_and(|on| !on.is_true()) {
        could.push("live-restore");
    }
    if info.text("LoggingDriver") == "json-file" {
        could.push("a bound on logs (json-file has none unless `log-opts` in daemon.json say so)");
    }
    if info.get("ExperimentalBuild").is_some_and(Value::is_true) {
        could.push("experimental=false");
    }
    if info.text("CgroupVersion") == "1" {
        could.push("control groups v2");
    }
    could
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::json;

    fn found(info: &str, bridge: &str) -> Vec<(Level, String)> {
        let read = |text: &str| json::read(text.as_bytes()).unwrap();
        lines(&read(info), &read(bridge)).into_iter().map(|line| (line.level, line.found)).collect()
    }

    #[test]
    fn what_the_guides_warn_of_is_found() {
        let info = r#"{"SecurityOptions":["name=cgroupns"],"Warnings":["[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption.","other"],
            "RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8","10.0.0.0/8"],"IndexConfigs":{"docker.io":{"Secure":true},"old.example":{"Secure":false}}},
            "MemoryLimit":false,"PidsLimit":true,"Debug":true,"LiveRestoreEnabled":false,"LoggingDriver":"json-file","ExperimentalBuild":true,"CgroupVersion":"1"}"#;
        let found = found(info, r#"{"Options":{"com.docker.network.bridge.enable_icc":"true"}}"#);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "no: who has the engine's socket is root on the host",
                "the engine's API is open at http://0.0.0.0:2375 without TLS",
                "images come without TLS from 10.0.0.0/8, old.example",
                "seccomp is off: containers may make every system call",
                "limits of memory do nothing: the kernel has them switched off",
                "the engine runs with debug messages, which show requests",
                "not set: no-new-privileges, AppArmor or SELinux, icc=false, live-restore, a bound on logs (json-file has none unless `log-opts` in daemon.json say so), experimental=false, control groups v2",
            ]
        );
        assert_eq!(found.iter().filter(|(level, _)| *level == Level::Fail).count(), 1);
    }

    #[test]
    fn a_hardened_engine_has_nothing_to_be_said_about() {
        let info = r#"{"SecurityOptions":["name=apparmor","name=seccomp,profile=builtin","name=rootless","name=no-new-privileges"],"Warnings":null,
            "RegistryConfig":{"InsecureRegistryCIDRs":["::1/128","127.0.0.0/8"],"IndexConfigs":{}},"MemoryLimit":true,"PidsLimit":true,"CpuCfsQuota":true,
            "LiveRestoreEnabled":true,"LoggingDriver":"local","CgroupVersion":"2"}"#;
        let found = found(info, r#"{"Options":{"com.docker.network.bridge.enable_icc":"false"}}"#);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Level::Ok);
    }

    #[test]
    fn a_seccomp_profile_that_is_none_counts_as_off() {
        let found = found(r#"{"SecurityOptions":["name=seccomp,profile=unconfined","name=userns"],"LoggingDriver":"local"}"#, "{}");
        assert!(found[0].1.contains("userns-remap") && found[1].1.contains("seccomp is off"), "{found:?}");
    }
}
