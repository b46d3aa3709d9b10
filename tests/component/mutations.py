"""Damages what is stored, the database, and what the host answers, at random: each job must end, with its result or with a
PagemarkError, and what is listed after a host that lied must restore or be refused as damaged. `mutations.py <how many> [seed]` prints what came of it.
"""

from __future__ import annotations

import collections
import json
import os
import random
import sqlite3
import sys
import tempfile
from typing import Any, Callable, Optional

from pagemark import Backups, DamageError, Failure, Files, PagemarkError, StoredObject, databases

FAILURES = ["exists", "missing", "changed", "canceled", "failed"]


class Upload:
    def __init__(self, host: "Host", key: str, modified_ms: int) -> None:
        self.host, self.key, self.modified_ms, self.data = host, key, modified_ms, b""

    def append(self, data: bytes) -> None:
        self.host.answer(lambda: setattr(self, "data", self.data + data))

    def finish(self) -> None:
        def make() -> None:
            if self.key in self.host.objects:
                raise Failure("exists")
            self.host.objects[self.key] = (self.data, self.modified_ms)

        self.host.answer(make)

    def abort(self) -> None: ...


class Host:
    """A store and a database in memory, which answers one call in another way than it should."""

    layout = "folder"

    def __init__(self, objects: dict[str, tuple[bytes, int]], main: bytes, wal: bytes, chance: random.Random) -> None:
        self.objects, self.main, self.wal, self.chance = dict(objects), main, wal, chance
        #: Which call is answered wrongly; none is by 0.
        self.lie_at = 0
        self.calls = 0

    def answer(self, run: Callable[[], Any], bend: Optional[Callable[[Any], Any]] = None) -> Any:
        self.calls += 1
        if self.calls != self.lie_at:
            return run()
        how = self.chance.randrange(4)
        if how == 0:
            raise Failure(self.chance.choice(FAILURES), "STORE_FAILED", "it failed")
        if how == 1:
            # It does what was asked for, and says that it did not.
            run()
            raise Failure(self.chance.choice(FAILURES), "STORE_FAILED", "it failed")
        if how == 2:
            # Twice.
            run()
        given = run()
        return bend(given) if bend else given

    def list(self, prefix: str, cursor: Optional[str]) -> tuple[list[StoredObject], Optional[str]]:
        def page() -> tuple[list[StoredObject], Optional[str]]:
            keys = sorted(key for key in self.objects if key.startswith(prefix) and key > (cursor or ""))
            listed = [StoredObject(key, len(self.objects[key][0]), self.objects[key][1]) for key in keys[:3]]
            return listed, keys[2] if len(keys) > 3 else None

        def bent(page: tuple[list[StoredObject], Optional[str]]) -> tuple[list[StoredObject], Optional[str]]:
            objects, cursor = page
            size = self.chance.choice([0, 1, 2**40, 2**64 - 1])
            lies = [
                ([], cursor),
                (objects[::-1], cursor),
                (objects + objects, cursor),
                (objects, ""),
                (objects[1:], cursor),
                ([StoredObject(each.key, size, each.modified_ms) for each in objects], cursor),
                ([StoredObject(each.key + "é\0/..", each.size, -(2**63)) for each in objects], cursor),
            ]
            return self.chance.choice(lies)

        return self.answer(page, bent)

    def get(self, key: str, offset: int, length: int) -> bytes:
        def read() -> bytes:
            if key not in self.objects:
                raise Failure("missing")
            return self.objects[key][0][offset : offset + length]

        return self.answer(read, self.bytes)

    def delete(self, key: str) -> None:
        self.answer(lambda: self.objects.pop(key, None))

    def create(self, key: str, modified_ms: int) -> Upload:
        return self.answer(lambda: Upload(self, key, modified_ms))

    def pin(self) -> Files:
        def bent(files: Files) -> Files:
            size = self.chance.choice([0, 1, 99, 2**40, 2**64 - 1, files.main_size - 1, files.main_size * 2])
            return Files(size, files.wal_size) if self.chance.random() < 0.5 else Files(files.main_size, size)

        return self.answer(lambda: Files(len(self.main), len(self.wal)), bent)

    def read(self, part: str, offset: int, length: int) -> bytes:
        file = self.main if part == "main" else self.wal
        return self.answer(lambda: file[offset : offset + length], self.bytes)

    def release(self) -> None:
        self.answer(lambda: None)

    def bytes(self, data: bytes) -> bytes:
        return self.chance.choice([b"", data[: len(data) // 2], data + b"more", data[::-1], mutated(data, self.chance)])


def mutated(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return b"\xff" * chance.randrange(1, 200)
    out = bytearray(data)
    how, at = chance.randrange(6), chance.randrange(len(out))
    if how == 0:
        del out[at:]
    elif how == 1:
        out[at:at] = chance.randbytes(chance.randrange(1, 50))
    elif how == 2:
        out[at : at + 4] = chance.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\0\0\0"])
    else:
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(min(len(out), 120) if how == 3 else len(out))
            out[at] ^= 1 << chance.randrange(8)
    return bytes(out)


def files(sql: list[str], is_wal: bool) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.db")
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA page_size = 512")
        if is_wal:
            connection.execute("PRAGMA journal_mode = wal")
        for each in sql:
            connection.executescript(each)
        with open(path, "rb") as main:
            data = main.read()
        wal = b""
        if is_wal:
            with open(f"{path}-wal", "rb") as log:
                wal = log.read()
        connection.close()
    return data, wal


FIRST = """CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX i ON t (text); CREATE TABLE w (a PRIMARY KEY, b)
WITHOUT ROWID; INSERT INTO t SELECT value, hex(zeroblob(value * 9)) FROM (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL
SELECT value + 1 FROM n WHERE value < 60) SELECT value FROM n); INSERT INTO w SELECT id, text FROM t WHERE id < 20;"""
SECOND = "UPDATE t SET text = 'changed' WHERE id = 7; DELETE FROM w WHERE a = 3;"


def begin() -> list[tuple[dict[str, tuple[bytes, int]], bytes, bytes]]:
    """A store with two backups and the database after them, without a log and with one."""
    starts = []
    for is_wal in (False, True):
        host = Host({}, *files([FIRST], is_wal), random.Random(1))
        Backups("app", host).create(host)
        host.main, host.wal = files([FIRST, SECOND], is_wal)
        Backups("app", host).create(host, same_database=True)
        starts.append((host.objects, host.main, host.wal))
    return starts


def once(starts: list[tuple[dict[str, tuple[bytes, int]], bytes, bytes]], chance: random.Random) -> str:
    host = Host(*chance.choice(starts), chance)
    backups, discard = Backups("app", host), lambda data: None
    what = chance.choice(["stored", "database", "host"])
    if what == "stored":
        key = chance.choice(sorted(host.objects))
        data, modified_ms = host.objects[key]
        host.objects[key] = mutated(data, chance), modified_ms
    elif what == "database":
        host.main = mutated(host.main, chance)
        host.wal = mutated(host.wal, chance) if host.wal and chance.random() < 0.5 else host.wal
    else:
        host.lie_at = chance.randrange(1, 60)
    jobs: list[Callable[[], Any]] = [
        lambda: backups.create(host, same_database=chance.random() < 0.5, full=chance.random() < 0.3),
        lambda: backups.restore_to(discard),
        lambda: backups.verify(),
        lambda: backups.dump(discard, at="latest", salvage=chance.random() < 0.5),
        lambda: backups.dump(discard, host, salvage=chance.random() < 0.5),
        lambda: backups.list(),
        lambda: backups.files(),
        lambda: backups.remove([each.id for each in backups.list()[:1]]),
        lambda: databases(host),
    ]
    job = chance.choice(jobs[:1] + jobs[4:5] if what == "database" else jobs)
    try:
        job()
        came = "done"
    except PagemarkError as error:
        assert error.code and error.fault.message, error
        came = error.code
    if what == "host" and chance.random() < 0.1:
        host.lie_at = 0
        for each in backups.list():
            if each.damage is None:
                try:
                    backups.restore_to(discard, each.id)
                except DamageError:
                    # A store that appends twice has stored something else; a restore says so.
                    came = "damaged by its host"
    return came


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    starts = begin()
    came: collections.Counter[str] = collections.Counter()
    for number in range(count):
        try:
            came[once(starts, random.Random(seed * 1_000_003 + number))] += 1
        except BaseException:
            print(f"mutation {number} of seed {seed}", file=sys.stderr)
            raise
    print(json.dumps(dict(came.most_common())))


if __name__ == "__main__":
    main()
