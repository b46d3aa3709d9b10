"""The types of `engine.wit`, and the functions that a database imports and calls."""

from __future__ import annotations

from typing import Optional

from .canonical import Bool, Bytes, Integer, List, Option, Real, Record, String, Type, Variant, result

U32, U64, S32, S64 = Integer("I"), Integer("Q"), Integer("i"), Integer("q")
TEXT = String()

COMMIT_RECORD = Record(txid=U64, time_ms=S64, page_size=U32, page_count=U32, checksum=U64)
KEEP = Record(first=U64, pins=List(U64))
VALUE = Variant(null=None, integer=S64, real=Real(), text=TEXT, text_bytes=Bytes(), blob=Bytes())
FAULT = Record(code=TEXT, message=TEXT, sqlite=Option(S32), offset=Option(U32), line=Option(U64))
ERROR = Variant(caller=FAULT, sql=FAULT, input=FAULT, damage=FAULT, busy=FAULT, store=FAULT, defect=FAULT)

FAILURE = Variant(failed=TEXT, full=TEXT, damaged=TEXT)
STORE_STATE = Record(lineage=U64, commits=List(COMMIT_RECORD), keep=KEEP)
PAGE = Record(number=U32, bytes=Bytes())
COMMIT = Record(record=COMMIT_RECORD, lineage=U64, pages=List(PAGE), keep=KEEP)

OPTIONS = Record(
    page_size=Option(U32), cache_kib=Option(U32), foreign_keys=Bool(), history_commits=U32, history_ms=S64
)
OUTCOME = Record(changes=S64, last_insert_rowid=S64)
ROWS = Record(columns=List(TEXT), rows=List(List(VALUE)), done=Bool())
STATE = Record(bookmark=TEXT, txid=U64, time_ms=S64, page_size=U32, page_count=U32, checksum=U64)
REPORT = Record(integrity=List(TEXT), foreign_keys=List(TEXT), refused=List(TEXT))

#: What the component imports: parameters, and what comes back. Resources are numbers.
IMPORTS: dict[str, dict[str, tuple[list[Type], Optional[Type]]]] = {
    "store": {
        "[method]page-store.open": ([U32], result(Option(STORE_STATE), FAILURE)),
        "[method]page-store.read": ([U32, U32, U64], result(Bytes(), FAILURE)),
        "[method]page-store.commit": ([U32, COMMIT], result(None, FAILURE)),
        "[method]page-store.retain": ([U32, KEEP], result(None, FAILURE)),
        "[method]page-store.changed": ([U32, U64, U64], result(List(U32), FAILURE)),
        "[resource-drop]page-store": ([U32], None),
    },
    "clock": {"now-ms": ([], S64), "utc-offset": ([S64], S32)},
    "random": {"bytes": ([U32], Bytes())},
}

#: The interface `sqlite`: parameters, and what comes back of each, unless it is an error.
SQLITE: dict[str, tuple[list[Type], Optional[Type]]] = {
    "[static]database.open": ([Option(U32), OPTIONS], U32),
    "[method]database.execute": ([U32, TEXT], None),
    "[method]database.prepare": ([U32, TEXT], U32),
    "[method]database.query": ([U32, TEXT, List(VALUE)], ROWS),
    "[method]database.bookmark": ([U32], TEXT),
    "[method]database.bookmark-at": ([U32, TEXT], TEXT),
    "[method]database.restore": ([U32, TEXT, S64], TEXT),
    "[method]database.hold": ([U32, TEXT, S64], U32),
    "[method]database.check": ([U32, Option(TEXT)], REPORT),
    "[method]statement.run": ([U32, List(VALUE)], OUTCOME),
    "[method]moment.renew": ([U32, S64], None),
    "[method]moment.read": ([U32, U32, U32], Bytes()),
    "[method]loading.feed": ([U32, Bytes()], None),
    "[method]loading.finish": ([U32], None),
    "[method]script.feed": ([U32, Bytes()], None),
    "[method]script.finish": ([U32], OUTCOME),
}

#: Those that cannot fail: parameters, and what comes back.
SURE: dict[str, tuple[list[Type], Type]] = {
    "[method]database.in-transaction": ([U32], Bool()),
    "[method]database.states": ([U32], List(STATE)),
    "[method]database.load": ([U32], U32),
    "[method]database.import": ([U32], U32),
    "[method]moment.held": ([U32], STATE),
}
