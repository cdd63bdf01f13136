//! The published schema against the parser: the same keys in every table, and every file that loads fits it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::said;
use crate::json_schema as schema;

fn published() -> Value {
    serde_json::from_str(include_str!("../../../docs/config.schema.json")).unwrap()
}

/// Each table: the text that opens it and, after it, an unknown key; and where the schema describes it.
const TABLES: [(&str, &str); 17] = [
    ("zzqq = 1\n", ""),
    ("[upstream]\nzzqq = 1\n", "/properties/upstream"),
    ("[[door]]\nzzqq = 1\n", "/properties/door/items"),
    ("[[door]]\nlisten = \"unix:///run/a/a.sock\"\n[[door.client]]\nzzqq = 1\n", "/properties/door/items/properties/client/items"),
    ("[[door]]\nlisten = \"unix:///run/a/a.sock\"\n[door.limits]\nzzqq = 1\n", "/properties/door/items/properties/limits"),
    ("[[door]]\nlisten = \"tcp://127.0.0.1:2376\"\npolicy = \"ping\"\n[door.tls]\nzzqq = 1\n", "/properties/door/items/properties/tls"),
    ("[policy.p]\nzzqq = 1\n", "/properties/policy/additionalProperties"),
    ("[policy.p.create]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create"),
    ("[policy.p.create.inject]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/inject"),
    ("[policy.p.create.approved]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/approved"),
    ("[[policy.p.create.binds]]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/binds/items"),
    ("[policy.p.create.env]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/env"),
    ("[policy.p.create.labels]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/labels"),
    ("[policy.p.create.exec]\nzzqq = 1\n", "/properties/policy/additionalProperties/properties/create/properties/exec"),
    ("[audit]\nzzqq = 1\n", "/properties/audit"),
    ("[[audit.sink]]\nzzqq = 1\n", "/properties/audit/properties/sink/items"),
    ("[limits]\nzzqq = 1\n", "/properties/limits"),
];

#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let schema = published();
    for (text, pointer) in TABLES {
        let said = said(text);
        let hint = said.lines().skip_while(|line| !line.contains("`zzqq`")).find(|line| line.contains("known keys are"));
        let hint = hint.unwrap_or_else(|| panic!("{text}\n{said}")).split_once("known keys are").unwrap().1;
        let known: BTreeSet<&str> = hint.split('`').skip(1).step_by(2).collect();
        let described = schema.pointer(pointer).unwrap()["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(known, described, "{pointer}");
    }
}

#[test]
fn the_commented_file_and_every_preset_fit_the_schema() {
    let schema = published();
    let presets = crate::config::presets().iter().map(|preset| preset.text.to_owned());
    let files: Vec<String> = presets.chain([include_str!("../../../config/dockgate.toml").to_owned()]).collect();
    assert!(files.len() > 5);
    for file in files {
        let value: Value = toml::from_str(&file).unwrap();
        assert_eq!(schema::unlike(&schema, &value), [""; 0], "{file}");
    }
    let wrong: Value = toml::from_str("version = 1\n[audit]\nsync = 'sometimes'\nfle = 'x'\n").unwrap();
    assert_eq!(schema::unlike(&schema, &wrong).len(), 2);
}
