"""Page-level backups of SQLite databases, by Pagemark's WebAssembly component; SQLite with time travel is in `pagemark.engine`."""

from .backups import Backups, databases
from .errors import (
    BusyError,
    CallerError,
    Canceled,
    DamageError,
    DefectError,
    InputError,
    PagemarkError,
    SqlError,
    StoreError,
)
from .file import FileDatabase
from .folder import FolderStore
from .host import Database, Failure, Files, Store, StoredObject, Upload
from .results import Backup, Fault, Made, Restored, StoredDatabase, StoredFile, Verification
from .s3 import S3Store

__all__ = [
    "Backup",
    "Backups",
    "BusyError",
    "CallerError",
    "Canceled",
    "DamageError",
    "Database",
    "DefectError",
    "Failure",
    "Fault",
    "FileDatabase",
    "Files",
    "FolderStore",
    "InputError",
    "Made",
    "PagemarkError",
    "Restored",
    "S3Store",
    "SqlError",
    "Store",
    "StoreError",
    "StoredDatabase",
    "StoredFile",
    "StoredObject",
    "Upload",
    "Verification",
    "databases",
]
__version__ = "0.1.0"
