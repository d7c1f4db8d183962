"""Archives whose bytes depend on names, modes and contents alone, and digests of files."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

# The earliest time that a zip can store.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
REGULAR_FILE = 0o100000
MADE_ON_UNIX = 3


@dataclass(frozen=True)
class Entry:
    """A file of an archive: its path in there, its bytes, and whether it can be executed."""
    name: str
    content: bytes
    executable: bool = False

    @property
    def mode(self):
        return 0o755 if self.executable else 0o644


def entry(name, path, executable=False):
    return Entry(name, Path(path).read_bytes(), executable)


def folder(path, prefix=""):
    """Returns the entries of all files below a folder."""
    root = Path(path)
    return [entry(prefix + file.relative_to(root).as_posix(), file, file.stat().st_mode & 0o111 != 0)
            for file in sorted(root.rglob("*")) if file.is_file()]


def ordered(entries):
    """Returns entries in the order of their names; a name that comes twice is an error."""
    entries = sorted(entries, key=lambda entry: entry.name)
    for one, next_one in zip(entries, entries[1:]):
        if one.name == next_one.name:
            raise ValueError(f"`{one.name}` is in the archive twice")
    return entries


def write_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for found in ordered(entries):
            info = zipfile.ZipInfo(found.name, ZIP_TIME)
            info.create_system = MADE_ON_UNIX
            info.external_attr = (REGULAR_FILE | found.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, found.content, compresslevel=9)


def write_tar(file, entries):
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for found in ordered(entries):
            info = tarfile.TarInfo(found.name)
            info.size, info.mode, info.mtime = len(found.content), found.mode, 0
            archive.addfile(info, io.BytesIO(found.content))


def write_tar_gz(path, entries):
    # Without the file's name and a time in the header of gzip.
    with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as packed:
        write_tar(packed, entries)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
