use std::io::Write;
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::*;

/// A statement and its line.
type Split = (String, u64);

/// Statements, fed in pieces of `size` bytes, and what is left.
fn split(text: &[u8], size: usize) -> (Vec<Split>, Option<Split>) {
    let owned = |statement: Statement<'_>| (String::from_utf8(statement.sql.to_vec()).unwrap(), statement.line);
    let mut statements = Statements::default();
    let mut all = Vec::new();
    for piece in text.chunks(size) {
        statements.push(piece);
        while let Some(statement) = statements.next_whole() {
            all.push(owned(statement));
        }
    }
    (all, statements.rest().map(owned))
}

#[test]
fn statements_end_where_sqlite_ends_them() {
    let text = "-- first;\nSELECT 1;;\n /* two; */ SELECT ';', \"a;\", [b;], `c;`;\n\
        CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 'END;'; END;SELECT 5-2/1;\n\nSELECT\n6";
    for size in [1, 2, 7, 1000] {
        let (all, rest) = split(text.as_bytes(), size);
        let expected = [
            ("-- first;\nSELECT 1;", 2),
            ("\n /* two; */ SELECT ';', \"a;\", [b;], `c;`;", 3),
            ("\nCREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 'END;'; END;", 4),
            ("SELECT 5-2/1;", 4),
        ];
        assert_eq!(all, expected.map(|(sql, line)| (sql.to_owned(), line)));
        assert_eq!(rest, Some(("\n\nSELECT\n6".to_owned(), 6)));
    }
    assert_eq!(split(b" -- nothing\n ; /* at all", 3), (Vec::new(), None));
}

#[test]
fn a_byte_order_mark_is_space_where_a_word_may_begin() {
    let trigger = "\u{feff}CREATE /**/\u{feff}\u{feff}TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;\u{feff} END;";
    let text = format!("\u{feff}\n\u{feff}-- x\n{trigger}\u{feff};SELECT a\u{feff}; x\u{feff}\u{fefe}");
    for size in [1, 2, 7, 1000] {
        let (all, rest) = split(text.as_bytes(), size);
        let expected = [(format!("\u{feff}\n\u{feff}-- x\n{trigger}"), 3), ("SELECT a\u{feff};".to_owned(), 3)];
        assert_eq!(all, expected);
        assert_eq!(rest, Some((" x\u{feff}\u{fefe}".to_owned(), 3)));
        assert_eq!(split("\u{feff} ".as_bytes(), size), (Vec::new(), None));
        // Only the beginning of one is a word.
        assert_eq!(split("\u{f000};".as_bytes(), size).0, [("\u{f000};".to_owned(), 1)]);
        assert_eq!(split("\u{fef0}".as_bytes(), size).1, Some(("\u{fef0}".to_owned(), 1)));
    }
}

#[test]
fn a_line_that_begins_with_a_dot_is_the_shells_and_ends_with_the_line() {
    let (all, rest) = split(b"SELECT 1;\n.print don't;\n SELECT .5;\n.read x", 3);
    let lines: Vec<(&str, u64)> = all.iter().map(|(sql, line)| (sql.trim(), *line)).collect();
    assert_eq!(lines, [("SELECT 1;", 1), (".print don't;", 2), ("SELECT .5;", 3)]);
    assert_eq!(rest.map(|(sql, line)| (sql.trim().to_owned(), line)), Some((".read x".to_owned(), 4)));
}

/// Asks SQLite itself, through Python, whether each text is complete.
fn sqlite_says(texts: &[String]) -> Vec<bool> {
    const ASK: &str = "import sys, sqlite3\nfor line in sys.stdin: print(int(sqlite3.complete_statement(bytes.fromhex(line).decode())))";
    let mut python = Command::new("python3");
    let mut child = python.args(["-c", ASK]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: String =
        texts.iter().map(|text| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "1").collect()
}

#[test]
fn random_text_is_complete_when_sqlite_says_so() {
    const PARTS: [&str; 24] = [
        ";",
        ";",
        " ",
        "\n",
        "'",
        "\"",
        "`",
        "[",
        "]",
        "--",
        "-",
        "/*",
        "*/",
        "/",
        "*",
        "CREATE ",
        "temp ",
        "TEMPORARY ",
        "Trigger ",
        "END",
        "EXPLAIN ",
        "x",
        "temporaryx ",
        "ü",
    ];
    // Text without a semicolon is incomplete to SQLite; to us there is nothing to complete.
    let text = vec(select(&PARTS), 1..15).prop_map(|parts| format!("SELECT 1;{}", parts.concat()));
    let mut runner = TestRunner::deterministic();
    let texts: Vec<String> = (0..20_000).map(|_| text.new_tree(&mut runner).unwrap().current()).collect();
    let theirs = sqlite_says(&texts);
    assert_eq!(theirs.len(), texts.len());
    assert!(theirs.iter().filter(|complete| **complete).count() > 1000);
    for (text, theirs) in texts.iter().zip(theirs) {
        assert_eq!(is_complete(text), theirs, "{text:?}");
        let mut statements = Statements::default();
        statements.push(text.as_bytes());
        while statements.next_whole().is_some() {}
        assert_eq!(statements.rest().is_none(), theirs || is_space(statements.held(), text), "{text:?}");
    }
}

/// Whether the end of `text` is only space and comments, of which one may be open.
fn is_space(held: usize, text: &str) -> bool {
    let end = &text[text.len() - held..];
    let mut scanner = Scanner::default();
    for byte in end.bytes() {
        scanner.scan(byte);
    }
    !scanner.has_begun()
}
