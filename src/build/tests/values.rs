use super::*;

/// Batches of one row each.
fn rows<'a>(rows: impl IntoIterator<Item = (i64, Vec<Value<'a>>)>) -> impl FnOnce(&mut Builder) {
    let mut batch = Batch::default();
    for (rowid, values) in rows {
        batch.rowid(rowid);
        values.into_iter().for_each(|value| batch.value(value));
    }
    move |builder| builder.add(&batch.take()).unwrap()
}

/// What SQLite writes for the same rows, when it begins with them.
fn written_by_sqlite(sql: &str) -> Vec<u8> {
    Sample::of(4096, sql).bytes
}

/// The pages but the first are the same, byte for byte: records have the same types and lengths.
#[test]
fn integers_and_reals_are_stored_as_sqlite_does() {
    let edges = (0..63).flat_map(|bits| [(1i64 << bits) - 1, 1 << bits, -(1 << bits), -(1 << bits) - 1]);
    let integers: Vec<i64> = edges.chain([i64::MAX, i64::MIN]).collect();
    let reals: Vec<f64> = integers
        .iter()
        .map(|&integer| integer as f64)
        .chain([0.1, -2.5, 1e300, f64::INFINITY, 5e-324, 140_737_488_355_327.0, 140_737_488_355_328.0])
        .collect();
    let list = (1..).zip(integers.iter().map(|&integer| vec![Value::Integer(integer)]));
    let ours = build_table(4096, "CREATE TABLE t (a)", &[Column::Value], rows(list)).unwrap();
    let values: Vec<String> = integers.iter().map(|integer| format!("({integer})")).collect();
    let sqls = format!("CREATE TABLE t (a); INSERT INTO t VALUES {}", values.join(","));
    assert_eq!(ours[4096..], written_by_sqlite(&sqls)[4096..]);
    for (declared, column) in [("REAL", Column::Real), ("BLOB", Column::Value)] {
        let sql = format!("CREATE TABLE t (a {declared})");
        let list = (1..).zip(reals.iter().map(|&real| vec![Value::Real(real)]));
        let ours = build_table(4096, &sql, &[column], rows(list)).unwrap();
        let theirs = Sample::new(4096, 0, |db| {
            db.execute_batch(&format!("{sql}; BEGIN")).unwrap();
            reals.iter().for_each(|real| assert_eq!(db.execute("INSERT INTO t VALUES (?)", [real]), Ok(1)));
            db.execute_batch("COMMIT").unwrap();
        });
        assert_eq!(ours[4096..], theirs.bytes[4096..], "{declared}");
    }
}

#[test]
fn minus_zero_keeps_its_sign_and_nan_is_null() {
    let list = [(1, vec![Value::Real(-0.0)]), (2, vec![Value::Real(f64::NAN)])];
    let ours = build_table(512, "CREATE TABLE t (a REAL)", &[Column::Real], rows(list)).unwrap();
    let opened = Opened::new(&ours);
    let values = opened.db.query_row("SELECT max(a), count(a) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (zero, count): (f64, i64) = values.unwrap();
    assert_eq!((zero.to_bits(), count), ((-0.0f64).to_bits(), 1));
}

#[test]
fn the_column_that_is_the_rowid_is_not_given() {
    let list = [i64::MIN, -1, 0, 127, 128, i64::MAX].map(|rowid| (rowid, vec![Value::Text(b"x")]));
    let sql = "CREATE TABLE t (a, id INTEGER PRIMARY KEY)";
    let ours = build_table(512, sql, &[Column::Value, Column::Rowid], rows(list)).unwrap();
    let ids = Opened::new(&ours).ask("SELECT id FROM t WHERE a = 'x' AND rowid = id ORDER BY id");
    assert_eq!(ids.len(), 6);
    assert_eq!(ids[0], format!("Integer({})", i64::MIN));
}

#[test]
fn values_that_come_in_pieces_are_the_same_bytes_as_whole_ones() {
    let texts: Vec<Vec<u8>> = [0, 1, 30, 400, 477, 478, 1016, 5000, 70_000].map(|length| vec![b'a'; length]).to_vec();
    let sql = "CREATE TABLE t (a, b, c, d)";
    let columns = [Column::Value; 4];
    for long in &texts {
        for other in &texts {
            let [one, two] = [Value::Integer(1), Value::Text(b"two")];
            let whole = [(5, vec![one, Value::Text(long), two, Value::Blob(other)]), (6, vec![one, one, one, one])];
            let whole = build_table(512, sql, &columns, rows(whole)).unwrap();
            for size in [1, 7, 508, 100_000] {
                let pieced = build_table(512, sql, &columns, |builder| {
                    let mut batch = Batch::default();
                    batch.rowid(5);
                    batch.value(one);
                    batch.long(true, long.len() as u32);
                    batch.value(two);
                    batch.long(false, other.len() as u32);
                    builder.add(&batch.take()).unwrap();
                    [long.as_slice(), other].concat().chunks(size).for_each(|piece| builder.piece(piece).unwrap());
                    batch.rowid(6);
                    (0..4).for_each(|_| batch.value(one));
                    builder.add(&batch.take()).unwrap();
                });
                assert!(pieced.as_ref() == Ok(&whole), "{} and {} in pieces of {size}", long.len(), other.len());
            }
            Opened::new(&whole);
        }
    }
}

#[test]
fn an_index_finds_its_rows() {
    let mut builder = Builder::new(options(1024));
    let objects = [table("t", "CREATE TABLE t (a REAL, b)"), index("i", "t", "CREATE INDEX i ON t (b DESC, a)")];
    let [rows, entries] = objects.map(|object| builder.object(object).unwrap());
    let mut batch = Batch::default();
    builder.begin(entries, Form::Index, vec![Column::Value, Column::Real, Column::Value]).unwrap();
    for number in (0..1000).rev() {
        [Value::Integer(number), Value::Real(0.5), Value::Integer(number)]
            .into_iter()
            .for_each(|value| batch.value(value));
    }
    builder.add(&batch.take()).unwrap();
    builder.end().unwrap();
    builder.begin(rows, Form::Table, vec![Column::Real, Column::Value]).unwrap();
    for number in 0..1000 {
        batch.rowid(number);
        [Value::Real(0.5), Value::Integer(number)].into_iter().for_each(|value| batch.value(value));
    }
    builder.add(&batch.take()).unwrap();
    builder.end().unwrap();
    builder.finish().unwrap();
    let mut file = File::default();
    file.take(&mut builder, 1024);
    let opened = Opened::new(&file.bytes);
    assert_eq!(opened.ask("SELECT rowid FROM t INDEXED BY i WHERE b = 777"), ["Integer(777)"]);
}
