//! Against serde_json, which the reader must agree with.

use proptest::prelude::*;

use super::*;

/// Any JSON, read as serde_json reads it.
struct Any(serde_json::Value);

impl Read for Any {
    fn read(value: Value<'_>) -> Result<Self> {
        let read = match value.text.as_bytes()[0] {
            b'{' => {
                let members = value.members()?.members;
                let members = members.into_iter().map(|(key, value)| Ok((key.string()?, Self::read(value)?.0)));
                serde_json::Value::Object(members.collect::<Result<_>>()?)
            }
            b'[' => Vec::<Self>::read(value)?.into_iter().map(|item| item.0).collect(),
            b'"' => value.string()?.into(),
            b't' | b'f' => bool::read(value)?.into(),
            b'n' => Option::<bool>::read(value)?.into(),
            _ => match (i64::read(value), u64::read(value)) {
                (Ok(number), _) if value.text != "-0" => number.into(),
                (_, Ok(number)) => number.into(),
                _ => value.text.parse::<f64>().unwrap().into(),
            },
        };
        Ok(Self(read))
    }
}

fn same(text: &str) {
    let (ours, theirs) = (read::<Any>(text), serde_json::from_str::<serde_json::Value>(text));
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(&ours.0, theirs, "{text}"),
        // A number beyond the range of floating point is syntax all the same, and text to us.
        (Ok(_), Err(error)) => assert!(error.to_string().contains("out of range"), "{text}: {error}"),
        (Err(_), Err(_)) => {}
        (Err(fault), Ok(_)) => panic!("{text}: {fault:?}"),
    }
}

#[test]
fn what_is_json_and_what_is_not_is_as_serde_json_has_it() {
    let texts = [
        "",
        " ",
        "nul",
        "nulls",
        "null ",
        "\u{feff}1",
        "[",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "{",
        "{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        " { \"a\" : [ { } , null ] } \n",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83dx\\ude00\"",
        "\"\u{1}\"",
        "\"\u{7f}é🜁\"",
        "\"\\b\\f\\n\\r\\t\\/\\\\\\u0000\"",
        "0",
        "-0",
        "-",
        "01",
        "1.",
        "1.5e",
        "1e5",
        "-1E-5",
        ".5",
        "+1",
        "1e999",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "1,",
        "true false",
        "\u{a0}1",
        "[\"a\\\\\",\"b\"]",
        "NaN",
        "Infinity",
        "'a'",
    ];
    texts.into_iter().for_each(same);
}

#[test]
fn what_is_nested_too_deeply_is_refused_where_it_is() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read::<Any>(&nested(64)).is_ok());
    assert_eq!(read::<Any>(&nested(65)).err(), Some(Fault(64)));
    assert_eq!(read::<Any>(&"[".repeat(1_000_000)).err(), Some(Fault(64)));
}

#[test]
fn members_are_there_once_and_others_are_passed_over() {
    struct Two(u32, Option<String>);
    impl Read for Two {
        fn read(value: Value<'_>) -> Result<Self> {
            let members = value.members()?;
            Ok(Self(members.take("a")?, members.take("b")?))
        }
    }
    let read = |text: &str| read::<Two>(text).map(|two| (two.0, two.1));
    assert_eq!(read(r#"{"c":[{}],"\u0061":7,"b":null}"#), Ok((7, None)));
    assert_eq!(read(r#"{"a":7,"b":"x"}"#), Ok((7, Some("x".to_owned()))));
    assert_eq!(read(r#" {"b":"x"}"#), Err(Fault(1)));
    assert_eq!(read(r#"{"a":7,"a":7}"#), Err(Fault(7)));
    for wrong in ["-1", "1.0", "4294967296", "\"7\"", "null", "[]", "{}", "true"] {
        assert_eq!(read(&format!("{{\"a\":{wrong}}}")), Err(Fault(5)), "{wrong}");
    }
    assert_eq!(read("[7]"), Err(Fault(0)));
}

proptest! {
    #[test]
    fn damaged_text_is_read_as_serde_json_reads_it(place in 0usize..60, with in "[\\x20-\\x7e\n]{0,2}", gone in 0usize..3) {
        let text = r#"{"a":[1,-2.5e3,"x\u00e9\n",{}],"b":{"c":null,"d":true}, "e":""}"#;
        let (before, after) = text.split_at(place);
        same(&format!("{before}{with}{}", after.get(gone..).unwrap_or_default()));
    }
}
