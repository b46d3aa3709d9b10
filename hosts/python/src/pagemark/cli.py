"""The command `pagemark-py`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import threading
from typing import Any, Optional

from . import __version__
from .backups import DIALECTS, Backups, NoStore, databases
from .errors import Canceled, PagemarkError
from .file import FileDatabase
from .folder import FolderStore
from .host import Store
from .results import Backup, Fault
from .s3 import S3Store

DONE, FAILED, USAGE, WARNINGS = range(4)
_WHERE = "where the backups are: a folder, or s3://bucket/prefix"


def main(argv: Optional[list[str]] = None) -> int:
    """Runs a command; returns 0 done, 1 failed, 2 wrong usage, 3 done with warnings."""
    parser = _parser()
    options = parser.parse_args(_joined(sys.argv[1:] if argv is None else argv))
    progress = _Progress(sys.stderr.isatty() and not options.json)
    try:
        code = int(options.run(options, progress))
        sys.stdout.flush()
        return code
    except Canceled:
        progress.end()
        print("pagemark-py: canceled; nothing half-done is left", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read has heard enough, as `head` does. What is buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (PagemarkError, OSError) as error:
        progress.end()
        return _failed(error, options.json)
    except (_Usage, ImportError) as error:
        parser.error(str(error))
    finally:
        progress.end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pagemark-py", description="Page-level backups of SQLite databases.")
    parser.add_argument("--version", action="version", version=f"pagemark-py {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="JSON for programs")
        command.set_defaults(run=run)
        return command

    backup = add("backup", _back_up, "back a database up, incrementally when that can be")
    backup.add_argument("file", help="the database")
    backup.add_argument("--to", required=True, metavar="store", help="where backups go: a folder, or s3://bucket/prefix")
    backup.add_argument("--name", help="its name there; the file's unless given")
    backup.add_argument("--full", action="store_true", help="a full backup even where an incremental one would do")
    backup.add_argument("--same-database", action="store_true", help="it is the one of that name, moved or made anew")

    listing = add("list", _list, "list a database's backups, newest first; without a name, the databases of a store")
    listing.add_argument("name", nargs="?", help="the database")
    listing.add_argument("--from", dest="source", required=True, metavar="store", help=_WHERE)

    restore = add("restore", _restore, "write a database as it was to a new file")
    restore.add_argument("name", help="the database")
    restore.add_argument("--from", dest="source", required=True, metavar="store", help=_WHERE)
    restore.add_argument("--at", default="", help="id, bookmark, TXID, time, or an age such as -1h; the newest unless given")
    restore.add_argument("-o", "--output", required=True, metavar="file", help="the new file")

    dump = add("dump", _dump, "write a database as SQL to standard output")
    dump.add_argument("what", metavar="file|name", help="a database file, or with --from the name of one that was backed up")
    dump.add_argument("--from", dest="source", metavar="store", help=_WHERE)
    dump.add_argument("--at", default="", help="as in restore")
    dump.add_argument("--dialect", default="sqlite", choices=DIALECTS, help="where the SQL is meant to go")
    dump.add_argument("--table", action="append", default=[], dest="tables", metavar="name", help="only this one")
    dump.add_argument("--no-data", action="store_true", help="no rows")
    dump.add_argument("--no-schema", action="store_true", help="only rows")
    dump.add_argument("--salvage", action="store_true", help="go on behind what is damaged")

    verify = add("verify", _verify, "read everything that is stored of a database, and prove it")
    verify.add_argument("name", help="the database")
    verify.add_argument("--from", dest="source", required=True, metavar="store", help=_WHERE)
    verify.add_argument("--at", help="only this backup")

    remove = add("remove", _remove, "remove backups by their ids")
    remove.add_argument("name", help="the database")
    remove.add_argument("ids", nargs="+", metavar="id", help="ids, or the first digits of them")
    remove.add_argument("--from", dest="source", required=True, metavar="store", help=_WHERE)
    return parser


def _back_up(options: Any, progress: _Progress) -> int:
    database = _database(options.file)
    backups = Backups(options.name or database.name, _store(options.to))
    made = backups.create(
        database, full=options.full, same_database=options.same_database, on_progress=progress.report
    )
    progress.end()
    backup = made.backup
    for warning in made.warnings:
        print(f"pagemark-py: warning: {warning}", file=sys.stderr)
    because = f" ({made.full_because})" if made.full_because else ""
    text = f"{backup.id}  {backup.kind}{because}, {backup.changed_pages} of {backup.page_count} pages, {_size(backup.stored_size)}"
    _print(options.json, made, f"{text}\nbookmark {backup.bookmark}")
    return WARNINGS if made.warnings else DONE


def _list(options: Any, progress: _Progress) -> int:
    store = _store(options.source)
    if options.name is None:
        found = databases(store)
        lines = [f"{each.name}  {_count(each.backups)}, {_size(each.stored_size)}" for each in found]
        _print(options.json, found, "\n".join(lines) or f"{options.source} has no backups")
        return DONE
    backups = Backups(options.name, store).list()
    if not backups:
        print(f"pagemark-py: there is no backup under {options.name!r} in {options.source}", file=sys.stderr)
        return FAILED
    _print(options.json, backups, _table(backups))
    return WARNINGS if any(each.damage for each in backups) else DONE


def _restore(options: Any, progress: _Progress) -> int:
    backups = Backups(options.name, _store(options.source))
    restored = backups.restore(options.output, options.at, on_progress=progress.report)
    progress.end()
    text = f"{options.output} is as of {restored.backup.created_at}" if restored.backup else f"{options.output} is restored"
    _print(options.json, restored, f"{text}\n{restored.note}" if restored.note else text)
    return DONE


def _dump(options: Any, progress: _Progress) -> int:
    if options.source:
        backups, database = Backups(options.what, _store(options.source)), None
    else:
        database = _database(options.what)
        backups = Backups(database.name, NoStore())
    warnings = backups.dump(
        sys.stdout.buffer.write,
        database,
        at=options.at,
        dialect=options.dialect,
        tables=options.tables,
        no_data=options.no_data,
        no_schema=options.no_schema,
        salvage=options.salvage,
        on_progress=progress.report,
    )
    progress.end()
    for warning in warnings:
        print(f"pagemark-py: warning: {warning}", file=sys.stderr)
    return WARNINGS if warnings else DONE


def _verify(options: Any, progress: _Progress) -> int:
    backups = Backups(options.name, _store(options.source))
    found = backups.verify(options.at, on_progress=progress.report)
    progress.end()
    lines = [_line(each) for each in found.problems]
    lines.append(f"{_count(len(found.sound))} can be restored, {_size(found.bytes)} read")
    _print(options.json, found, "\n".join(lines))
    return FAILED if found.problems else DONE


def _remove(options: Any, progress: _Progress) -> int:
    backups = Backups(options.name, _store(options.source))
    known = [each.id for each in backups.list()]
    # What means none or several is left as it is, and refused.
    found = {each: [id for id in known if id.startswith(each)] for each in options.ids}
    ids = [found[each][0] if len(found[each]) == 1 else each for each in options.ids]
    backups.remove(ids)
    _print(options.json, ids, f"removed {_count(len(ids))}")
    return DONE


class _Usage(Exception):
    """The command cannot be meant so."""


def _joined(arguments: list[str]) -> list[str]:
    """`--at -1h` as one word: argparse takes what begins with a dash for an option."""
    joined: list[str] = []
    for each in arguments:
        if joined and joined[-1] == "--at" and each[:1] == "-" and each[1:2].isdigit():
            joined[-1] = f"--at={each}"
        else:
            joined.append(each)
    return joined


def _database(path: str) -> FileDatabase:
    """A database whose name a backup may have; what has none, such as `.`, is a folder."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; give the database file itself")
    return FileDatabase(path)


def _line(problem: Fault) -> str:
    """With the object that it is about, unless the message says that."""
    where = problem.name if problem.name and problem.name not in problem.message else None
    return ": ".join(filter(None, (problem.code, where, problem.message)))


def _store(place: str) -> Store:
    """The store of a folder's path or of a URL."""
    if "://" not in place:
        return FolderStore(place)
    try:
        return S3Store.from_url(place)
    except ValueError as error:
        raise _Usage(str(error)) from error


class _Progress:
    """A line on a terminal; and Ctrl-C, which ends a job without leaving anything half-done."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._shown = ""
        self._interrupted = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _: object) -> None:
        # A second one ends at once what cannot be asked to, such as a store that does not answer.
        signal.signal(number, signal.SIG_DFL)
        self._interrupted.set()

    def report(self, phase: str, done: int, total: int) -> bool:
        text = f"{phase} {100 * done // max(total, 1)} %"
        if self._is_shown and text != self._shown:
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = text
        return not self._interrupted.is_set()

    def end(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = ""


def _failed(error: Exception, as_json: bool) -> int:
    if isinstance(error, PagemarkError):
        code, message = error.code, error.fault.message
    else:
        codes = {FileExistsError: "TARGET_EXISTS", IsADirectoryError: "SOURCE_NOT_A_FILE"}
        code, message = codes.get(type(error), "IO_FAILED"), str(error)
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}))
    print(f"pagemark-py: {code}: {message}", file=sys.stderr)
    return FAILED


def _table(backups: list[Backup]) -> str:
    rows = [("created_at", "id", "kind", "size", "stored"), *map(_row, backups)]
    return "\n".join(f"{at:23}  {id:8}  {kind:11}  {size:>9}  {stored:>9}".rstrip() for at, id, kind, size, stored in rows)


def _row(backup: Backup) -> tuple[str, str, str, str, str]:
    if backup.damage:
        return "damaged", "", backup.damage.code, "-", "-"
    kind = "safety" if backup.safety else backup.kind
    at = f"{backup.created_at[:19].replace('T', ' ')} UTC"
    return at, backup.id[:8], kind, _size(backup.size), _size(backup.stored_size)


def _count(backups: int) -> str:
    return "1 backup" if backups == 1 else f"{backups} backups"


def _size(count: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count = count / 1000  # type: ignore[assignment]
    raise AssertionError


def _print(as_json: bool, value: Any, text: str) -> None:
    if as_json:
        plain = [dataclasses.asdict(each) if dataclasses.is_dataclass(each) else each for each in value] if isinstance(
            value, list
        ) else dataclasses.asdict(value)
        print(json.dumps(plain))
    else:
        print(text)


if __name__ == "__main__":
    sys.exit(main())
