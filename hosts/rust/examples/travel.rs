//! SQL with a memory: `cargo run --release --example travel app.pages "CREATE TABLE notes (text)"` runs SQL and prints its rows and
//! the bookmark after it; `… app.pages --states` lists what can be gone back to, `… app.pages --back -1m` (or a bookmark, or a
//! time) goes back, and `… app.pages --file new.db` writes what is there now as a database file.

use std::error::Error as StdError;
use std::fs::OpenOptions;
use std::time::Duration;

use pagemark_host::Limits;
use pagemark_host::engine::{FilePages, Options, Sqlite, Value};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> Result<(), Box<dyn StdError>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [path, rest @ ..] = args.as_slice() else {
        return Err("usage: travel <file> <sql>|--states|--back <at>|--file <new file>".into());
    };
    let options = Options { history: DAY, ..Options::default() };
    let mut database = Sqlite::new(Limits::default())?.open(FilePages::new(path)?, &options)?;
    match rest {
        ["--states"] => {
            for state in database.states()? {
                println!("{} {} pages", state.bookmark, state.page_count);
            }
        }
        ["--back", at] => println!("to undo that: --back {}", database.restore(at, DAY)?),
        ["--file", new] => {
            let file = OpenOptions::new().write(true).create_new(true).open(new)?;
            database.write_file("latest", &file)?;
            file.sync_all()?;
        }
        [sql] => {
            for row in database.query(sql, &[])?.rows {
                println!("{}", row.iter().map(shown).collect::<Vec<_>>().join("|"));
            }
            println!("{}", database.bookmark()?);
        }
        _ => return Err("usage: travel <file> <sql>|--states|--back <at>|--file <new file>".into()),
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::TextBytes(bytes) | Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
