use super::scan::{ends, ends_run};
use super::*;
use crate::docker::fault::FaultKind;

#[test]
fn keeps_digits_order_and_repeats() {
    let text = r#"{"b":123456789012345678901234567890,"a":[1.50,-0],"b":null}"#;
    assert_eq!(read(text.as_bytes()).unwrap().encode(), text);
}

#[test]
fn refuses_what_rfc_8259_does_not_allow() {
    for bad in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "NaN",
        "tru",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\ue000\"",
        "\"\\u00g0\"",
        "{}{}",
        "{}}",
        "{}]x",
        "/**/{}",
        "\u{feff}{}",
        "{\"a\"}",
        "[1 2]",
    ] {
        assert_eq!(read(bad.as_bytes()), Err(FaultKind::BadJson), "{bad}");
    }
    assert_eq!(read(b"\"\xff\""), Err(FaultKind::BadJson));
    assert_eq!(read(b"{\x00\"\x00"), Err(FaultKind::BadJson));
}

#[test]
fn bounds_depth_and_size() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(read(deep(MAX_DEPTH + 1).as_bytes()), Err(FaultKind::JsonTooDeep));
    assert_eq!(read("[".repeat(1_000_000).as_bytes()), Err(FaultKind::JsonTooDeep));
    // the list itself counts too
    let fits = format!("[{}1]", "1,".repeat(MAX_NODES - 2));
    assert!(read(fits.as_bytes()).is_ok());
    assert_eq!(read(fits.replace("1]", "1,1]").as_bytes()), Err(FaultKind::JsonTooDeep));
    let wide = format!("[{}1]", "1,".repeat(MAX_NODES));
    assert_eq!(read(wide.as_bytes()), Err(FaultKind::JsonTooDeep));
}

#[test]
fn decodes_escapes_before_anything_is_compared() {
    let value = read(br#"{"\u0050rivileged":"\ud83d\ude00\/\b"}"#).unwrap();
    assert_eq!(value.get("Privileged").unwrap().as_text(), Some("😀/\u{8}"));
}

#[test]
fn finds_what_is_special_wherever_it_stands() {
    let plain = "0123456789abcdefghijklmnopqrstuvwxyz\u{e9}\u{10ffff}~ ";
    for special in ['"', '\\', '\u{1f}', '\0', '\n', '\u{7f}', '\u{2028}', '\u{2029}', '\u{2027}', '\u{80}', '\u{a2}', '#', '!', '\u{5b}'] {
        for (at, _) in plain.char_indices() {
            let text = format!("{}{special}{}", &plain[..at], &plain[at..]);
            let first = |is: fn(u8) -> bool| text.bytes().position(is).unwrap_or(text.len());
            assert_eq!(before(&text, ends_run, ends), first(ends), "{text:?}");
            assert_eq!(before(&text, may_escape, escapes), first(escapes), "{text:?}");
            assert_eq!(read(Value::Text(text.clone()).encode().as_bytes()), Ok(Value::Text(text)));
        }
    }
}

#[test]
fn reads_a_body_as_any_other_text() {
    use super::super::schema::CONTAINER_CREATE;
    for text in [
        include_str!("../../../benches/create.json"),
        r#"{"HostConfig":{"Binds":[],"binds":null,"PortBindings":{"Image":[{"HostIp":"a","x":{"HostIp":1}}]}},"Image":{"Image":[]},"Image":1}"#,
        r#"{"H\u006fstConfig":[{"Binds":1}],"Healthcheck":7,"Env":{"Env":"a"},"Mounts":{}}"#,
        "[{\"Image\":1}]",
        "null",
        "{\"Image\":}",
        "{\"HostConfig\":{\"Binds\":[1,}}",
        "",
    ] {
        assert_eq!(read_body(text.as_bytes(), &CONTAINER_CREATE), read(text.as_bytes()), "{text}");
    }
}

#[test]
fn copies_no_key_of_a_body_that_is_spelled_as_in_the_schema() {
    use super::super::schema::CONTAINER_CREATE;
    let body = read_body(br#"{"image":"a","Image":"a","HostConfig":{"Binds":[]},"Labels":{"Image":"a"}}"#, &CONTAINER_CREATE).unwrap();
    let borrowed = |value: &Value| value.members().iter().map(|(key, _)| matches!(key, Cow::Borrowed(_))).collect::<Vec<_>>();
    assert_eq!(borrowed(&body), [false, true, true, true]);
    assert_eq!((borrowed(body.get("HostConfig").unwrap()), borrowed(body.get("Labels").unwrap())), (vec![true], vec![false]));
}

#[test]
fn reads_integers_of_any_length() {
    for digits in ["0", "-1", "9223372036854775807", "9223372036854775808", "-170141183460469231731687303715884105728"] {
        assert_eq!(Value::Number(digits.to_owned()).as_int(), digits.parse().ok());
    }
    for none in ["1.0", "1e3", "170141183460469231731687303715884105728"] {
        assert_eq!(Value::Number(none.to_owned()).as_int(), None);
    }
}

#[test]
fn zero_in_every_spelling_is_empty() {
    for zero in ["0", "-0", "0.0", "0e9", "null", "false", "\"\"", "[]", "{}"] {
        assert!(read(zero.as_bytes()).unwrap().is_empty(), "{zero}");
    }
    for other in ["1", "10", "-1", "0.1", "5e-324", "true", "\"0\"", "[0]"] {
        assert!(!read(other.as_bytes()).unwrap().is_empty(), "{other}");
    }
}
