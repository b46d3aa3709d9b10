"""The types of `pagemark.wit`, and the functions that a job imports and calls."""

from __future__ import annotations

from typing import Optional

from .canonical import Bool, Bytes, Enum, Flags, Integer, List, Option, Record, String, Type, Variant, result

U32, U64, S64 = Integer("I"), Integer("Q"), Integer("q")
TEXT = String()

PLACE = Variant(whole=None, offset=U64, page=U32, txid=U64, row=S64)
FAULT = Record(code=TEXT, message=TEXT, at=PLACE, name=Option(TEXT))
ERROR = Variant(caller=FAULT, input=FAULT, damage=FAULT, busy=FAULT, store=FAULT, canceled=None, defect=FAULT)
REASON = Record(code=TEXT, message=TEXT)
FAILURE = Variant(exists=None, missing=None, changed=None, canceled=None, failed=REASON)

OBJECT = Record(key=TEXT, size=U64, modified_ms=S64)
PAGE = Record(objects=List(OBJECT), cursor=Option(TEXT))
FILES = Record(main_size=U64, wal_size=U64, place=Option(TEXT), file=Option(TEXT), born_ms=Option(S64))

BACKUP = Record(
    id=TEXT,
    bookmark=TEXT,
    txid=TEXT,
    created_at=TEXT,
    kind=Enum("full", "incremental"),
    tables=U32,
    size=U64,
    stored_size=U64,
    page_size=U32,
    page_count=U32,
    changed_pages=U32,
    safety=Bool(),
    damage=Option(FAULT),
)
MADE = Record(backup=BACKUP, full_because=Option(TEXT), warnings=List(TEXT))
STORED_DATABASE = Record(name=TEXT, backups=U32, newest=Option(BACKUP), stored_size=U64)
RESTORED = Record(backup=Option(BACKUP), note=Option(TEXT))
VERIFICATION = Record(sound=List(BACKUP), problems=List(FAULT), bytes=U64)
STORED_FILE = Record(key=TEXT, size=U64, sha256=Option(TEXT))
DUMP_OPTIONS = Record(
    dialect=Enum("sqlite", "d1", "shell340", "shell354"),
    tables=List(TEXT),
    no_data=Bool(),
    no_schema=Bool(),
    salvage=Bool(),
)

#: What the component imports: parameters, and what comes back.
IMPORTS: dict[str, dict[str, tuple[list[Type], Optional[Type]]]] = {
    "store": {
        "layout-of": ([], Enum("folder", "bucket")),
        "list-page": ([TEXT, Option(TEXT)], result(PAGE, FAILURE)),
        "get": ([TEXT, U64, U32], result(Bytes(), FAILURE)),
        "delete": ([TEXT], result(None, FAILURE)),
        "create": ([TEXT, S64], result(U32, FAILURE)),
        "[method]upload.append": ([U32, Bytes()], result(None, FAILURE)),
        "[method]upload.finish": ([U32], result(None, FAILURE)),
        "[resource-drop]upload": ([U32], None),
    },
    "database": {
        "pin": ([], result(FILES, FAILURE)),
        "read": ([Enum("main", "wal"), U64, U32], result(Bytes(), FAILURE)),
        "release": ([], result(None, FAILURE)),
    },
    "output": {"write": ([Bytes()], result(None, FAILURE))},
    "clock": {"now-ms": ([], S64), "wait": ([U32], None)},
    "random": {"bytes": ([U32], Bytes())},
    "progress": {"report": ([Enum("pages", "restore", "verify", "dump"), U64, U64], Bool())},
}

#: The interface `jobs`: parameters, and what comes back of each, unless it is an error.
JOBS: dict[str, tuple[list[Type], Optional[Type]]] = {
    "create": ([TEXT, Flags("full", "same-database", "safety")], MADE),
    "list-all": ([TEXT], List(BACKUP)),
    "databases": ([], List(STORED_DATABASE)),
    "find": ([TEXT, TEXT], BACKUP),
    "restore": ([TEXT, TEXT], RESTORED),
    "verify": ([TEXT, Option(TEXT)], VERIFICATION),
    "dump": ([TEXT, Option(TEXT), DUMP_OPTIONS], List(TEXT)),
    "remove": ([TEXT, List(TEXT)], None),
    "ltx": ([TEXT, TEXT], List(STORED_FILE)),
}
