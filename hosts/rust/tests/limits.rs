//! What a host may rely on: limits are kept, a job that meets one leaves a store that is whole, and the next one goes on.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use pagemark_host::{Backups, Error, FileDatabase, FolderStore, Kind, Limits, Pagemark, Progress};
use rusqlite::Connection;

static UNBOUNDED: LazyLock<Pagemark> = LazyLock::new(|| Pagemark::new(Limits::default()).unwrap());
static FUELED: LazyLock<Pagemark> =
    LazyLock::new(|| Pagemark::new(Limits { fuel: Some(u64::MAX), ..Limits::default() }).unwrap());

/// A folder with a database of some 2 MB in it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pagemark-host-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let place = Self(path);
        place.sql(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO t SELECT i, printf('%099d', i * 7919) FROM n",
        );
        place
    }

    fn database(&self) -> PathBuf {
        self.0.join("app.db")
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.database()).unwrap().execute_batch(sql).unwrap();
    }

    fn backups(&self, pagemark: &Pagemark) -> Backups {
        pagemark.backups("app", Arc::new(FolderStore::new(self.0.join("backups"))))
    }

    fn create(&self, pagemark: &Pagemark) -> Result<Kind, Error> {
        let made = self.backups(pagemark).create(FileDatabase::new(self.database()), &Default::default(), |_| true)?;
        Ok(made.backup.kind)
    }

    /// All that is listed is whole, and the newest is the database as it is.
    fn check(&self) {
        let backups = self.backups(&UNBOUNDED);
        assert!(backups.verify(None, |_| true).unwrap().problems.is_empty());
        let restored = self.0.join("restored.db");
        backups.restore(&restored, "", |_| true).unwrap();
        assert_eq!(fs::read(&restored).unwrap(), fs::read(self.database()).unwrap());
        fs::remove_file(restored).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_backup_is_restored_and_gone_on_with() {
    let place = Place::new();
    assert_eq!(place.create(&UNBOUNDED).unwrap(), Kind::Full);
    place.sql("UPDATE t SET text = 'changed' WHERE id = 77");
    assert_eq!(place.create(&UNBOUNDED).unwrap(), Kind::Incremental);
    place.check();
    assert_eq!(UNBOUNDED.databases(Arc::new(FolderStore::new(place.0.join("backups")))).unwrap()[0].backups, 2);
}

#[test]
fn a_database_in_wal_mode_is_backed_up_while_a_connection_has_it_open() {
    let place = Place::new();
    let writer = Connection::open(place.database()).unwrap();
    writer.pragma_update(None, "journal_mode", "wal").unwrap();
    writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    for id in 1..5 {
        writer.execute("UPDATE t SET text = 'in the log' WHERE id = ?", [id]).unwrap();
        place.create(&UNBOUNDED).unwrap();
    }
    let restored = place.0.join("restored.db");
    place.backups(&UNBOUNDED).restore(&restored, "", |_| true).unwrap();
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM t WHERE text = 'in the log'", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&Connection::open(restored).unwrap()), 4);
    // The lock of the writer's own connection still holds.
    assert_eq!(count(&writer), 4);
}

#[test]
fn out_of_fuel_is_an_error_wherever_it_comes_and_leaves_the_store_whole() {
    let place = Place::new();
    place.create(&UNBOUNDED).unwrap();
    place.sql("UPDATE t SET text = text || 'x' WHERE id % 3 = 0");
    let mut fuel = 20_000;
    let mut refused = 0;
    while fuel < 10_000_000_000 {
        match place.create(&FUELED.with_limits(Limits { fuel: Some(fuel), ..Limits::default() }).unwrap()) {
            Err(error) => assert_eq!(error.code(), "OUT_OF_FUEL"),
            Ok(_) => break,
        }
        refused += 1;
        let listed = place.backups(&UNBOUNDED).list().unwrap();
        assert!(listed.len() <= 2 && listed.iter().all(|backup| backup.damage.is_none()));
        assert!(place.backups(&UNBOUNDED).verify(None, |_| true).unwrap().problems.is_empty());
        fuel = fuel * 3 / 2;
    }
    assert!(refused > 10, "{refused}");
    place.check();
}

#[test]
fn a_backup_in_pieces_goes_on_whenever_its_fuel_is_used_up_and_in_another_process() {
    let place = Place::new();
    place.create(&UNBOUNDED).unwrap();
    place.sql("UPDATE t SET text = text || 'x' WHERE id % 3 = 0");
    let fueled = FUELED.with_limits(Limits { fuel: Some(40_000_000), ..Limits::default() }).unwrap();
    let backups = place.backups(&fueled);
    let mut steps = backups.begin(FileDatabase::new(place.database()), &Default::default(), |_| true);
    let mut pieces = 1;
    let made = loop {
        match steps.step().unwrap() {
            Some(made) => break made,
            None => pieces += 1,
        }
        assert_eq!(place.backups(&UNBOUNDED).list().unwrap().len(), 1);
        // As another process does, every other time.
        if pieces % 2 == 0 {
            let saved = steps.save().unwrap();
            drop(steps);
            steps = backups.resume(&saved, FileDatabase::new(place.database()), |_| true).unwrap();
        }
    };
    assert!(pieces > 2, "{pieces}");
    assert_eq!(made.backup.kind, Kind::Incremental);
    assert!(fs::read_dir(place.0.join("backups/.pagemark/tmp")).unwrap().next().is_none());
    place.check();
}

#[test]
fn a_saved_state_of_a_database_that_has_changed_since_is_refused() {
    let place = Place::new();
    let fueled = FUELED.with_limits(Limits { fuel: Some(40_000_000), ..Limits::default() }).unwrap();
    let backups = place.backups(&fueled);
    let mut steps = backups.begin(FileDatabase::new(place.database()), &Default::default(), |_| true);
    assert!(steps.step().unwrap().is_none());
    let saved = steps.save().unwrap();
    drop(steps);
    place.sql("DELETE FROM t WHERE id = 5");
    let refused = backups.resume(&saved, FileDatabase::new(place.database()), |_| true).unwrap().step();
    assert!(matches!(&refused, Err(error) if error.code() == "SOURCE_OTHER_STATE"), "{refused:?}");
    for damaged in [&saved[..3], &saved[..saved.len() - 1]] {
        let resumed = backups.resume(damaged, FileDatabase::new(place.database()), |_| true);
        assert_eq!(resumed.and_then(|mut steps| steps.step()).unwrap_err().code(), "SAVED_STATE");
    }
    place.create(&UNBOUNDED).unwrap();
    place.check();
}

#[test]
fn out_of_memory_is_an_error_and_leaves_the_store_whole() {
    let place = Place::new();
    for kibibytes in [1100, 1200, 1400, 1600, 2000, 3000] {
        match place.create(&UNBOUNDED.with_limits(Limits { memory: kibibytes << 10, fuel: None }).unwrap()) {
            Err(error) => assert!(["OUT_OF_MEMORY", "WASM_STOPPED"].contains(&error.code()), "{error}"),
            Ok(_) => break,
        }
        assert!(place.backups(&UNBOUNDED).list().unwrap().is_empty());
    }
    place.create(&UNBOUNDED).unwrap();
    place.check();
}

#[test]
fn a_canceled_job_leaves_nothing() {
    let place = Place::new();
    let backups = place.backups(&UNBOUNDED);
    let cancel = |progress: Progress| progress.done < progress.total / 2;
    let canceled = backups.create(FileDatabase::new(place.database()), &Default::default(), cancel);
    assert!(matches!(canceled, Err(Error::Canceled)));
    assert!(fs::read_dir(place.0.join("backups/.pagemark/tmp")).unwrap().next().is_none());
    assert!(backups.list().unwrap().is_empty());
    place.create(&UNBOUNDED).unwrap();
    let restored = place.0.join("restored.db");
    assert!(matches!(backups.restore(&restored, "", cancel), Err(Error::Canceled)));
    assert!(!restored.exists());
    place.check();
}

#[test]
fn errors_have_a_code_and_say_what_to_do() {
    let place = Place::new();
    let backups = place.backups(&UNBOUNDED);
    let code = |error: Error| error.code().to_owned();
    assert_eq!(code(backups.find("").unwrap_err()), "BACKUP_NONE");
    let gone = FileDatabase::new(place.0.join("gone.db"));
    assert_eq!(code(backups.create(gone, &Default::default(), |_| true).unwrap_err()), "SOURCE_MISSING");
    let text = place.0.join("text.db");
    fs::write(&text, "This is text, and no database at all. ".repeat(100)).unwrap();
    let refused = backups.create(FileDatabase::new(text), &Default::default(), |_| true);
    assert!(matches!(&refused, Err(Error::Input(fault)) if fault.code == "DATABASE_NOT_SQLITE"), "{refused:?}");
    place.create(&UNBOUNDED).unwrap();
    let [ltx] = fs::read_dir(place.0.join("backups/app/ltx/9")).unwrap().collect::<Vec<_>>().try_into().unwrap();
    let ltx = ltx.unwrap().path();
    let mut bytes = fs::read(&ltx).unwrap();
    bytes[100_000] ^= 1;
    fs::write(&ltx, bytes).unwrap();
    assert!(matches!(backups.restore(place.0.join("r.db"), "", |_| true), Err(Error::Damage(_))));
    assert_eq!(backups.verify(None, |_| true).unwrap().problems[0].code, "OBJECT_DAMAGED");
    let full = backups.restore_to(|_| Err(std::io::Error::other("no room")), "", |_| true);
    assert!(matches!(full, Err(Error::Io(error)) if error.to_string() == "no room"));
}
