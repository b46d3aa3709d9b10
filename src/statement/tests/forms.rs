use crate::statement::{Statement, parse};

/// Statements as they are documented and typed, and how each is printed: a row says the same thing in all of its forms.
const FORMS: &[(&str, &[&str])] = &[
    (
        "BACKUP DATABASE",
        &[
            "BACKUP database;",
            "backup\tDatabase ; -- nightly",
            "/* all */ BACKUP DATABASE;; ;",
            "/* a /* b */ /**/ c */BACKUP/**/DATABASE",
        ],
    ),
    ("BACKUP TABLE my_table", &["BACKUP table my_table;", "BACKUP TABLE 'my_table'"]),
    (
        "BACKUP TABLE app.orders, \"app-2\".*, t",
        &["BACKUP TABLE app.public.orders, app-2.*, t", "BACKUP app.orders, app-2.*, t"],
    ),
    ("BACKUP DATABASE TO 's3://b/full'", &["BACKUP TO 's3://b/full'", "BACKUP INTO 's3://b/full';"]),
    ("BACKUP DATABASE INTO LATEST IN './b'", &["BACKUP INTO LATEST IN './b'"]),
    ("BACKUP DATABASE app INTO '0123abcd' IN ('./a', './b')", &["BACKUP DATABASE app INTO 0123abcd IN ('./a', './b')"]),
    ("BACKUP DATABASE bank TO 's3://b/full'", &["BACKUP DATABASE bank TO 's3://b/full'"]),
    (
        "BACKUP DATABASE bank TO 's3://b/2' AS OF SYSTEM TIME '-1m' INCREMENTAL FROM 's3://b/0', 's3://b/1' WITH revision_history",
        &[
            "BACKUP DATABASE bank TO 's3://b/2' INCREMENTAL FROM 's3://b/0', 's3://b/1' AS OF SYSTEM TIME '-1m' WITH revision_history",
            "BACKUP DATABASE bank TO 's3://b/2' AS OF SYSTEM TIME '-1m' INCREMENTAL FROM 's3://b/0','s3://b/1' WITH OPTIONS (REVISION_HISTORY)",
        ],
    ),
    (
        "BACKUP DATABASE bank TO ('s3://a?COCKROACH_LOCALITY=default', 's3://b?COCKROACH_LOCALITY=region%3Dus-west')",
        &[
            "BACKUP DATABASE bank INTO ('s3://a?COCKROACH_LOCALITY=default', 's3://b?COCKROACH_LOCALITY=region%3Dus-west')",
        ],
    ),
    ("BACKUP DATABASE app WITH tag = 'it''s', note = 'n'", &["backup database app with note=n, tag='it''s'"]),
    (
        "BACKUP DATABASE \"shop.eu-1\", \"a b\"",
        &["BACKUP DATABASE shop.eu-1, \"a b\"", "BACKUP DATABASE 'shop.eu-1',\"a b\""],
    ),
    (
        "RESTORE DATABASE bank FROM 's3://b'",
        &["RESTORE DATABASE bank FROM 's3://b';", "RESTORE DATABASE bank FROM LATEST IN 's3://b'"],
    ),
    ("RESTORE DATABASE FROM './b'", &["RESTORE FROM './b'"]),
    (
        "RESTORE DATABASE bank FROM './b' AS OF SYSTEM TIME '2026-11-20 10:00:00'",
        &[
            "RESTORE DATABASE bank FROM './b' AS OF SYSTEM TIME '2026-11-20 10:00:00'",
            "RESTORE DATABASE bank FROM '2026-11-20 10:00:00' IN './b'",
        ],
    ),
    (
        "RESTORE DATABASE bank FROM 'full', 'inc1', ('a', 'b') WITH new_db_name = 'bank2', no_safety_backup",
        &["RESTORE DATABASE bank FROM 'full', 'inc1', ('a', 'b') WITH no_safety_backup, new_db_name = 'bank2'"],
    ),
    (
        "RESTORE TABLE bank.customers AS OF SYSTEM TIME '-90s' WITH into_db = 'other'",
        &[
            "RESTORE TABLE bank.customers WITH into_db='other' AS OF SYSTEM TIME '-90s'",
            "RESTORE bank.customers AS OF SYSTEM TIME '-90s' WITH into_db = 'other'",
        ],
    ),
    ("SHOW DATABASES", &["show databases"]),
    ("SHOW ORPHANED BACKUPS", &["SHOW ORPHANED BACKUPS;"]),
    ("SHOW BACKUPS", &["SHOW BACKUPS"]),
    ("SHOW BACKUPS FROM app", &["SHOW BACKUPS app;", "SHOW BACKUPS FROM app"]),
    ("SHOW BACKUPS IN './b'", &["SHOW BACKUPS IN './b'"]),
    ("SHOW BACKUPS FROM app IN './b'", &["SHOW BACKUPS FROM app IN './b'"]),
    ("SHOW BACKUP", &["SHOW BACKUP LATEST", "SHOW BACKUP"]),
    (
        "SHOW BACKUP IN 's3://b/full'",
        &[
            "SHOW BACKUP 's3://b/full'",
            "SHOW BACKUP LATEST IN 's3://b/full'",
            "SHOW BACKUP FROM LATEST IN 's3://b/full'",
        ],
    ),
    ("SHOW BACKUP FROM \"latest\"", &["SHOW BACKUP FROM 'latest'"]),
    ("SHOW BACKUP '0123abcd' FROM app IN 'b'", &["SHOW BACKUP 0123abcd FROM app IN 'b'"]),
    (
        "CREATE SCHEDULE nightly FOR BACKUP DATABASE bank INTO './b' WITH revision_history RECURRING '@daily' FULL BACKUP '@weekly' WITH SCHEDULE OPTIONS timezone = 'Europe/Berlin'",
        &[
            "CREATE SCHEDULE nightly FOR BACKUP DATABASE bank INTO './b' WITH revision_history RECURRING '@daily' FULL BACKUP '@weekly' WITH SCHEDULE OPTIONS first_run = 'now', timezone = 'Europe/Berlin'",
        ],
    ),
    (
        "CREATE SCHEDULE IF NOT EXISTS FOR BACKUP DATABASE RECURRING '0 1 * * *' FULL BACKUP 'Sunday'",
        &["CREATE SCHEDULE IF NOT EXISTS FOR BACKUP RECURRING '0 1 * * *' FULL BACKUP 'Sunday'"],
    ),
    (
        "CREATE SCHEDULE x FOR BACKUP DATABASE a, b RECURRING '@hourly' FULL BACKUP ALWAYS",
        &["CREATE SCHEDULE 'x' FOR BACKUP DATABASE a, b RECURRING '@hourly' FULL BACKUP ALWAYS"],
    ),
    ("SHOW SCHEDULES", &["SHOW SCHEDULES"]),
    ("PAUSE SCHEDULE nightly", &["PAUSE SCHEDULE nightly", "PAUSE SCHEDULES 'nightly'"]),
    ("RESUME SCHEDULE 588796190000218113", &["RESUME SCHEDULE 588796190000218113"]),
    ("DROP SCHEDULE nightly", &["DROP SCHEDULE nightly;"]),
    ("CHECKPOINT CREATE", &["CHECKPOINT CREATE", "SNAPSHOT PREPARE;"]),
    ("CHECKPOINT RELEASE app", &["CHECKPOINT RELEASE app", "snapshot complete app"]),
    ("SHOW CHECKPOINTS", &["SELECT * FROM checkpoint_status();", "SHOW CHECKPOINTS", "SHOW CHECKPOINT"]),
];

#[test]
fn forms_are_read_and_printed_in_one_way() {
    for (printed, forms) in FORMS {
        for form in forms.iter().chain([printed]) {
            let statement = parse(form).unwrap_or_else(|problem| panic!("{form}: {problem:?}"));
            assert_eq!(statement.to_string(), *printed, "{form}");
        }
    }
}

#[test]
fn ages_count_from_now_and_what_is_no_time_has_none() {
    let time = |text: &str| parse(text).expect("it is a statement").time(1_000_000_000_000);
    assert_eq!(time("BACKUP DATABASE a AS OF SYSTEM TIME '-1m'"), Some(999_999_940_000));
    assert_eq!(time("BACKUP DATABASE a AS OF SYSTEM TIME '-500ms'"), Some(999_999_999_500));
    assert_eq!(time("RESTORE DATABASE a AS OF SYSTEM TIME 1795168800"), Some(1_795_168_800_000));
    assert_eq!(time("SHOW BACKUP '1970-01-01T00:00:01Z'"), Some(1000));
    for text in ["RESTORE DATABASE a AS OF SYSTEM TIME '0123abcd'", "BACKUP DATABASE a", "SHOW DATABASES"] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn what_crosses_to_javascript_names_its_kind() {
    let json = |text: &str| serde_json::to_value(parse(text).expect("it is a statement")).expect("it is JSON");
    assert_eq!(
        json("BACKUP DATABASE a TO 'x'"),
        serde_json::json!({
            "kind": "backup",
            "targets": { "kind": "databases", "names": ["a"] },
            "place": ["x"],
            "base": { "kind": "nothing" },
            "at": null,
            "revisionHistory": false,
            "tag": null,
            "note": null,
        })
    );
    assert_eq!(json("SNAPSHOT PREPARE"), serde_json::json!({ "kind": "create-checkpoint", "database": null }));
    assert!(matches!(parse("SHOW DATABASES"), Ok(Statement::ShowDatabases)));
}
