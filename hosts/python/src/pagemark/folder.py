"""A folder as the store, as `pagemark` (npm) and `litestream` keep it."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from typing import Optional, Union

from .host import Failure, StoredObject
from .keys import MOST_KEY, check_key, is_segment
from .tag import process_tag

_PAGE = 1000
#: Error codes of file systems without hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class FolderStore:
    """Objects as files below a folder. An object gets its name once it is whole and durable, and none is overwritten."""

    layout = "folder"

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self.path = os.path.abspath(os.fspath(path))

    def list(self, prefix: str, cursor: Optional[str]) -> tuple[list[StoredObject], Optional[str]]:
        objects: list[StoredObject] = []
        for key in self._walk("", prefix, cursor or ""):
            if len(objects) == _PAGE:
                return objects, objects[-1].key
            found = self._describe(key)
            if found:
                objects.append(found)
        return objects, None

    def get(self, key: str, offset: int, length: int) -> bytes:
        try:
            fd = os.open(self._place(key), os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise Failure("missing") from None
        try:
            return _read_fully(fd, offset, length)
        finally:
            os.close(fd)

    def delete(self, key: str) -> None:
        try:
            os.unlink(self._place(key))
        except (FileNotFoundError, NotADirectoryError):
            pass

    def create(self, key: str, modified_ms: int) -> "FolderUpload":
        return FolderUpload(self, key, modified_ms)

    def _place(self, key: str) -> str:
        check_key(key)
        return os.path.join(self.path, *key.split("/"))

    def _describe(self, key: str) -> Optional[StoredObject]:
        try:
            found = os.lstat(self._place(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredObject(key, found.st_size, round(found.st_mtime_ns / 1e6))

    def _walk(self, folder: str, prefix: str, cursor: str) -> Iterator[str]:
        """Keys after the cursor, ascending: a folder stands where its name and a slash would."""
        names: list[str] = []
        try:
            with os.scandir(os.path.join(self.path, *folder.split("/"))) as entries:
                for entry in entries:
                    if not is_segment(entry.name) or len(folder) + len(entry.name) > MOST_KEY:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        names.append(f"{folder}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        names.append(folder + entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(names):
            if not name.endswith("/"):
                if name.startswith(prefix) and name > cursor:
                    yield name
            elif (name.startswith(prefix) or prefix.startswith(name)) and (name > cursor or cursor.startswith(name)):
                yield from self._walk(name, prefix, cursor)


class FolderUpload:
    """A file that is written beside its place."""

    def __init__(self, store: FolderStore, key: str, modified_ms: int) -> None:
        self._store = store
        self._key = key
        self._modified_ms = modified_ms
        self._place = store._place(key)
        if os.path.lexists(self._place):
            raise Failure("exists")
        folder = os.path.join(store.path, ".pagemark", "tmp")
        os.makedirs(folder, exist_ok=True)
        # "~" is in no key.
        self._temporary = os.path.join(folder, process_tag() + "~")
        # A backup holds a whole database, so only its owner may read it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd: Optional[int] = os.open(self._temporary, flags, 0o600)

    def append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._open(), left) :]

    def finish(self) -> None:
        fd = self._open()
        try:
            os.utime(fd if os.utime in os.supports_fd else self._temporary, ns=(self._modified_ms * 10**6,) * 2)
            os.fsync(fd)
            folder = os.path.dirname(self._place)
            os.makedirs(folder, exist_ok=True)
            try:
                os.link(self._temporary, self._place)
            except FileExistsError:
                raise Failure("exists") from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._rename_unless_taken()
            _sync_folder(folder)
        finally:
            self.abort()

    def abort(self) -> None:
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        try:
            os.unlink(self._temporary)
        except FileNotFoundError:
            pass

    def _open(self) -> int:
        if self._fd is None:
            raise Failure("failed", "HOST_ANSWER", "the object was finished or given up already")
        return self._fd

    def _rename_unless_taken(self) -> None:
        """Without hard links: making a folder is atomic and exclusive everywhere, so whoever makes the key's may rename."""
        claims = os.path.join(self._store.path, ".pagemark", "claims")
        claim = os.path.join(claims, hashlib.sha256(self._key.encode()).hexdigest())
        os.makedirs(claims, exist_ok=True)
        try:
            os.mkdir(claim)
        except FileExistsError:
            if os.stat(claim).st_mtime > time.time() - 60:
                raise Failure("exists") from None
            os.rmdir(claim)
            os.mkdir(claim)
        try:
            if os.path.lexists(self._place):
                raise Failure("exists")
            os.rename(self._temporary, self._place)
        finally:
            os.rmdir(claim)


def _read_fully(fd: int, offset: int, length: int) -> bytes:
    """As many bytes as the file has there; a read may give fewer than were asked for."""
    pieces: list[bytes] = []
    while length > 0:
        piece = os.pread(fd, length, offset)
        if not piece:
            break
        pieces.append(piece)
        offset, length = offset + len(piece), length - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _sync_folder(path: str) -> None:
    """Makes a name in a folder durable, where the system can."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)
