use proptest::prelude::*;

use super::*;
use crate::error::{At, ErrorKind};

fn begun() -> Builder {
    let mut builder = Builder::new(options(512));
    let object = builder.object(table("t", "CREATE TABLE t (a)")).unwrap();
    builder.begin(object, Form::Table, vec![Column::Value]).unwrap();
    builder
}

#[test]
fn rows_that_do_not_ascend_are_named() {
    for (first, second) in [(5, 5), (5, 4), (i64::MIN, i64::MIN), (0, -1)] {
        let mut builder = begun();
        let mut batch = Batch::default();
        for rowid in [first, second] {
            batch.rowid(rowid);
            batch.value(Value::Null);
        }
        let error = builder.add(&batch.take()).unwrap_err();
        assert_eq!((error.kind, error.at), (ErrorKind::BuildOrder, At::Row(second)));
        // What failed once cannot be finished: it would lack rows.
        assert_eq!(builder.end().map_err(|error| error.kind), Err(ErrorKind::Usage));
        assert_eq!(builder.finish().map_err(|error| error.kind), Err(ErrorKind::Usage));
    }
}

#[test]
fn calls_in_another_order_are_refused() {
    type Call = fn(&mut Builder) -> Result<()>;
    let refused: [(&str, Call); 9] = [
        ("begin another", |builder| builder.begin(0, Form::Table, vec![Column::Value])),
        ("finish within a tree", |builder| builder.finish().map(drop)),
        ("finish without a tree", |builder| {
            builder.end()?;
            builder.object(table("u", "CREATE TABLE u (a)"))?;
            builder.finish().map(drop)
        }),
        ("end twice", |builder| builder.end().and_then(|()| builder.end())),
        ("begin twice", |builder| builder.end().and_then(|()| builder.begin(0, Form::Table, vec![Column::Value]))),
        ("begin what is not there", |builder| {
            builder.end().and_then(|()| builder.begin(1, Form::Table, vec![Column::Value]))
        }),
        ("a piece of nothing", |builder| builder.piece(&[1])),
        ("a row before the last one's pieces", |builder| {
            let mut batch = Batch::default();
            batch.rowid(1);
            batch.long(true, 1);
            builder.add(&batch.take())?;
            batch.rowid(2);
            batch.value(Value::Null);
            builder.add(&batch.take())
        }),
        ("too many pieces", |builder| {
            let mut batch = Batch::default();
            batch.rowid(1);
            batch.long(true, 1);
            builder.add(&batch.take())?;
            builder.piece(&[1, 2])
        }),
    ];
    for (what, call) in refused {
        assert_eq!(call(&mut begun()).map_err(|error| error.kind), Err(ErrorKind::Usage), "{what}");
    }
    let mut batch = Batch::default();
    batch.rowid(1);
    batch.long(true, 1_000_000_000);
    let error = begun().add(&batch.take());
    assert_eq!(error.map_err(|error| error.kind), Err(ErrorKind::BuildRow));
    let mut builder = Builder::new(options(512));
    let view = Object { kind: b"view".to_vec(), has_tree: false, ..table("v", "CREATE VIEW v AS SELECT 1") };
    let view = builder.object(view).unwrap();
    assert!(builder.begin(view, Form::Table, vec![Column::Value]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_an_error(batches in prop::collection::vec(prop::collection::vec(0u8..12, 0..60), 1..5)) {
        let mut builder = begun();
        for batch in batches {
            let _ = builder.add(&batch);
            let _ = builder.piece(&batch);
        }
        if builder.end().is_ok() {
            builder.finish().unwrap();
            let mut file = File::default();
            file.take(&mut builder, 512);
            Opened::new(&file.bytes);
        }
    }
}
