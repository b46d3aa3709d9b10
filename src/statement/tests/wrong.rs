use crate::statement::{LONGEST, parse};

/// A statement with a `^` before the word that is wrong, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "^",
        "the statement ends too early; expected BACKUP, RESTORE, SHOW, CREATE, PAUSE, RESUME, DROP, CHECKPOINT, SNAPSHOT or SELECT",
    ),
    (
        "^DELETE FROM t",
        "DELETE cannot stand here; expected BACKUP, RESTORE, SHOW, CREATE, PAUSE, RESUME, DROP, CHECKPOINT, SNAPSHOT or SELECT",
    ),
    ("BACKUP^", "the statement ends too early; expected DATABASE, TABLE, TO or INTO"),
    ("BACKUP ^DATABSE app", "DATABSE cannot stand here; expected DATABASE, TABLE, TO or INTO"),
    (
        "BACKUP DATABASE app ^TOO 'x'",
        "TOO cannot stand here; expected TO, INTO, AS OF SYSTEM TIME, WITH, the end, \",\" or \";\"",
    ),
    (
        "BACKUP DATABASE app TO ^s3://key:secret@b",
        "s3 cannot stand here; expected a URL or a folder in single quotes or \"(\"",
    ),
    ("BACKUP DATABASE app TO 'x' AS ^OFF", "OFF cannot stand here; expected OF"),
    (
        "BACKUP DATABASE app ^INCREMENTAL FROM 'x'",
        "INCREMENTAL cannot stand here; expected TO, INTO, AS OF SYSTEM TIME, WITH, the end, \",\" or \";\"",
    ),
    (
        "BACKUP DATABASE app TO 'x' AS OF SYSTEM TIME ^'tomorrow'",
        "give a backup id, a bookmark, a TXID of 16 hex digits, a time such as 2026-11-20T10:00:00Z or 1795168800 (seconds since 1970; 13 digits are milliseconds), or an age such as -1h",
    ),
    (
        "BACKUP DATABASE app TO 'x' AS OF SYSTEM TIME '-1m' ^AS OF SYSTEM TIME '-1m'",
        "AS cannot stand here; expected INCREMENTAL FROM, WITH, the end or \";\"",
    ),
    (
        "BACKUP DATABASE app TO 'x' WITH ^revision_histroy",
        "revision_histroy cannot stand here; expected OPTIONS, revision_history, tag, note or \"(\"",
    ),
    ("BACKUP DATABASE app WITH ^detached", "DETACHED cannot be: a backup is done when its statement ends"),
    ("BACKUP DATABASE app WITH tag = 'a', ^tag = 'b'", "tag was given already"),
    ("BACKUP DATABASE app; ^DROP TABLE t", "DROP cannot stand here; expected the end or \";\""),
    (
        "BACKUP DATABASE ^'' TO 'x'",
        "a text in quotes cannot stand here; expected the name of a database, TO, INTO, AS OF SYSTEM TIME, WITH, the end or \";\"",
    ),
    ("BACKUP TABLE ^TO 'x'", "TO cannot stand here; expected the name of a table"),
    ("RESTORE^", "the statement ends too early; expected DATABASE, TABLE or FROM"),
    ("RESTORE DATABASE^", "the statement ends too early; expected the name of a database or FROM"),
    ("RESTORE DATABASE app FROM 'x' WITH into_db = ^'y'", "into_db is for RESTORE TABLE"),
    ("RESTORE DATABASE a, b FROM 'x' WITH new_db_name = ^'y'", "new_db_name is for RESTORE DATABASE of one database"),
    (
        "SHOW ^TABLES",
        "TABLES cannot stand here; expected DATABASES, ORPHANED BACKUPS, SCHEDULES, BACKUPS, BACKUP, CHECKPOINTS or CHECKPOINT",
    ),
    ("SELECT * FROM ^orders", "orders cannot stand here; expected checkpoint_status"),
    (
        "CREATE SCHEDULE n FOR BACKUP INTO 'x' RECURRING ^'daily'",
        "this text cannot stand here; expected a cron expression such as '@daily' or '0 1 * * *'",
    ),
    (
        "CREATE SCHEDULE n FOR BACKUP INTO 'x' RECURRING '@daily' FULL BACKUP ^'Sonntag'",
        "this text cannot stand here; expected a weekday such as 'Sunday', or a cron expression such as '@weekly'",
    ),
    (
        "CREATE SCHEDULE n FOR BACKUP ^TABLE t RECURRING '@daily'",
        "TABLE cannot stand here; expected DATABASE, INTO, TO, WITH or RECURRING",
    ),
    ("DROP ^TABLE t", "TABLE cannot stand here; expected SCHEDULE or SCHEDULES"),
    ("BACKUP DATABASE app TO ^'never closed", "this quote is never closed"),
    ("BACKUP DATABASE app ^/* never closed", "this comment is never closed"),
    ("BACKUP DATABASE app ^/* never /* closed */", "this comment is never closed"),
    (
        "BACKUP DATABASE app INTO ^'2026/11/20-1' IN 'x'",
        "give a backup id, a bookmark, a TXID of 16 hex digits, a time such as 2026-11-20T10:00:00Z or 1795168800 (seconds since 1970; 13 digits are milliseconds), or an age such as -1h",
    ),
    ("/* 😀 */ BACKUP ^äpp", "äpp cannot stand here; expected DATABASE, TABLE, TO or INTO"),
];

#[test]
fn a_problem_is_at_its_word_and_says_what_could_be_there() {
    for (marked, message) in WRONG {
        let text = marked.replacen('^', "", 1);
        let problem = parse(&text).expect_err(marked);
        let before = marked.split('^').next().unwrap_or_default();
        assert_eq!(problem.position, before.encode_utf16().count(), "{marked}: {problem:?}");
        assert_eq!(problem.message, *message, "{marked}");
    }
}

#[test]
fn what_is_in_quotes_is_in_no_message() {
    for text in ["BACKUP 's3://key:SECRET@b'", "BACKUP DATABASE a TO \"s3://SECRET\"", "SHOW BACKUPS IN 'x' 'SECRET'"] {
        let problem = parse(text).expect_err(text);
        assert!(!problem.message.contains("SECRET"), "{problem:?}");
    }
}

#[test]
fn long_statements_take_no_longer_than_they_are_long() {
    let many = "a,".repeat(LONGEST / 2 - 20);
    for text in [
        format!("BACKUP DATABASE {many}a"),
        format!("BACKUP DATABASE {many}"),
        "'\"".repeat(LONGEST / 2),
        "/*".repeat(LONGEST / 2),
        "(".repeat(LONGEST),
        format!("BACKUP DATABASE a{}", ".a".repeat(LONGEST / 2 - 20)),
    ] {
        let _ = parse(&text);
    }
    let problem = parse(&" ".repeat(LONGEST + 1)).expect_err("it is too long");
    assert_eq!(problem.message, "a statement is at most 65536 bytes long");
}
