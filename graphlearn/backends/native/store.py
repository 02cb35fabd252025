"""Compiled objects kept on disk between processes. Nothing here ever stops a computation: what fails is a miss.

A file holds a checksum, a header, the source text and the object. It is written under a temporary name and renamed, so
that a reader sees all of it or none, and two processes that store the same thing both succeed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphlearn.backends.native.trust import distrust, read_owned, resolved

MAGIC = b"graphlearn object 1\n"
SUFFIX = ".native"
FOLDER_SUFFIX = ".numba"  # of folders with what Numba's own cache keeps of one source
LIMIT = 256 * 2**20
# A temporary file older than this was left behind by a process that died.
ABANDONED = 3600.0
_PROBE = 4096  # bytes: a file of a few may fit beside others on a full disk
# What the last store failed of, by the cache's root; empty where it went well.
_REFUSALS: dict[Path | None, str] = {}


@dataclass(frozen=True)
class StoredObject:
    """What a file holds.

    Args:
        source: the text that was compiled.
        symbol: name of the function in the object.
        names: the names that the object leaves open.
        data: the object file.
    """

    source: str
    symbol: str
    names: frozenset[str]
    data: bytes


@dataclass(frozen=True)
class CacheInfo:
    """The state of the cache.

    Args:
        directory: where it is or would be; None where no place can be named (no home folder).
        usable: whether objects are stored and loaded there.
        reason: why not, and what to do, or what the last store failed of; empty where it is usable.
        files: number of stored objects.
        size: their bytes.
        limit: from this many bytes on, the objects that were not used for longest are removed.
    """

    directory: Path | None
    usable: bool
    reason: str
    files: int
    size: int
    limit: int


def cache_root() -> Path | None:
    """``$GRAPHLEARN_CACHE_DIR``, else ``graphlearn`` in the platform's folder for caches; None without such a place."""
    chosen = os.environ.get("GRAPHLEARN_CACHE_DIR")
    if chosen:
        try:
            return Path(chosen).absolute()
        except OSError:  # a path from the working directory, and that was removed
            return None
    # Python takes an empty HOME for the root folder.
    home = "" if os.environ.get("HOME") == "" else os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        given = os.environ.get("XDG_CACHE_HOME", "")
        base = given if os.path.isabs(given) else os.path.join(home, ".cache")
    return Path(base) / "graphlearn" if os.path.isabs(base) else None


def cache_limit() -> tuple[int, str]:
    """Bytes that the cache may hold, and why that is nothing: ``$GRAPHLEARN_CACHE_LIMIT`` (in MB) or 256 MB."""
    text = os.environ.get("GRAPHLEARN_CACHE_LIMIT", "").strip()
    if not text:
        return LIMIT, ""
    if not text.isdecimal():
        return 0, f"GRAPHLEARN_CACHE_LIMIT must be a whole number of MB, not {text[:40]!r}; unset it for 256"
    digits = text.lstrip("0")
    if not digits:
        return 0, "the cache's limit is 0; set GRAPHLEARN_CACHE_LIMIT (MB)"
    # More digits are more than any disk has, and Python takes no more than 4300.
    return (int(digits) * 2**20 if len(digits) <= 12 else sys.maxsize), ""


def _make(folder: Path) -> None:
    """Make a folder and those above it, closed to others whatever the umask."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def usable_folder(*, create: bool = False) -> tuple[Path | None, str]:
    """The folder of objects with its links resolved, or None and the reason."""
    root = cache_root()
    if root is None:
        if os.environ.get("GRAPHLEARN_CACHE_DIR"):
            return None, "GRAPHLEARN_CACHE_DIR begins at a working directory that is gone; give it from the root on"
        return None, "there is no home folder; set GRAPHLEARN_CACHE_DIR"
    folder = root / "objects"
    try:
        folder = resolved(folder)  # first: making a link that leads to itself would say that it exists
        if create:
            _make(folder)
        reason = distrust(folder)
    except OSError as error:
        return None, f"{folder} cannot be used: {error.strerror or error}"
    return (None, reason) if reason else (folder, "")


def _pack(identity: str, stored: StoredObject) -> bytes:
    source = stored.source.encode()
    header = json.dumps(
        {"identity": identity, "symbol": stored.symbol, "names": sorted(stored.names), "source": len(source)}
    ).encode()
    body = len(header).to_bytes(8, "little") + header + source + stored.data
    return MAGIC + hashlib.sha256(body).digest() + body


def _unpack(identity: str, content: bytes) -> StoredObject | None:
    start = len(MAGIC) + 32
    body = content[start:]
    if content[: len(MAGIC)] != MAGIC or content[len(MAGIC) : start] != hashlib.sha256(body).digest():
        return None
    end = 8 + int.from_bytes(body[:8], "little")
    header = json.loads(body[8:end])
    if header["identity"] != identity:
        return None
    middle = end + header["source"]
    return StoredObject(body[end:middle].decode(), header["symbol"], frozenset(header["names"]), body[middle:])


def load(identity: str) -> StoredObject | None:
    """The object stored under an identity; None where there is none, or it is damaged, or the place is not safe."""
    folder, _ = usable_folder()
    if folder is None:
        return None
    path = folder / (identity + SUFFIX)
    try:
        stored = _unpack(identity, read_owned(path))
    except (OSError, ValueError, KeyError, TypeError, MemoryError):
        # The checksum holds off damage; the rest is a file of another format, or size, under our name.
        return None
    if stored is not None:
        with suppress(OSError):  # the time of last use decides what is removed first
            os.utime(path)
    return stored


def save(identity: str, stored: StoredObject) -> str:
    """Store an object; return why it was not stored, or an empty text."""
    content = _pack(identity, stored)
    limit, reason = cache_limit()
    if not limit:
        return reason
    if len(content) > limit:
        return f"the object has {len(content)} bytes and the cache's limit is {limit}; set GRAPHLEARN_CACHE_LIMIT (MB)"
    folder, reason = usable_folder(create=True)
    if folder is not None:
        reason = _write(folder, identity, content, folder / (identity + SUFFIX))
    _REFUSALS[cache_root()] = reason
    if folder is not None and not reason:
        _evict(folder, limit)
    return reason


def _write(folder: Path, name: str, content: bytes, target: Path | None = None) -> str:
    """Write a temporary file and rename it, or remove it without a target; return why that failed."""
    temporary = folder / f"{name}.{os.getpid()}.{time.time_ns()}.tmp"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
        if target is None:
            temporary.unlink()
        else:
            os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        return f"{folder} cannot be written: {error.strerror or error}"
    return ""


def _listed(folder: Path, *suffixes: str) -> list[Path]:
    """What a folder holds under names of an ending; nothing where it is gone or cannot be read."""
    try:
        return [folder / name for name in os.listdir(folder) if name.endswith(suffixes)]
    except OSError:
        return []


def _entries(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, bytes and path of each stored object, oldest first; what vanishes meanwhile is left out."""
    found = []
    for path in _listed(folder, SUFFIX, FOLDER_SUFFIX):
        with suppress(OSError):
            status = path.stat()
            size = sum(p.stat().st_size for p in path.rglob("*")) if path.is_dir() else status.st_size
            found.append((status.st_mtime, size, path))
    return sorted(found)


def _drop(path: Path) -> bool:
    """Remove a stored object; whether it is gone."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            import shutil  # 3 ms with the compressors that it imports

            shutil.rmtree(path)
        else:
            path.unlink()
        return True
    return False


def evict() -> None:
    """Remove what was not used for longest, until the cache is within its limit."""
    folder, _ = usable_folder()
    if folder is not None:
        _evict(folder, cache_limit()[0])


def _evict(folder: Path, limit: int) -> None:
    entries = _entries(folder)
    excess = sum(size for _, size, _ in entries) - limit
    for _, size, path in entries:
        if excess <= 0:
            break
        _drop(path)
        excess -= size
    for path in _listed(folder, ".tmp"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()


def _unwritable(folder: Path) -> str:
    """Why nothing can be written to a folder, or to the one above that it would be made in: found out by writing."""
    try:
        existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    except OSError as error:
        return f"{folder} cannot be examined: {error.strerror or error}"
    return _write(existing, "probe", bytes(_PROBE))


def cache_info() -> CacheInfo:
    """Say where compiled objects are kept, whether they can be, how many there are and how large.

    A file is written there and removed, since permissions alone do not tell whether that is possible.
    """
    root = cache_root()
    folder, reason = usable_folder()
    entries = _entries(folder) if folder else []
    limit, refused = cache_limit()
    if folder is not None:
        reason = refused or _unwritable(folder) or _REFUSALS.get(root, "")
    size = sum(size for _, size, _ in entries)
    return CacheInfo(root and root / "objects", not reason, reason, len(entries), size, limit)


def cache_clear() -> int:
    """Remove every stored object; functions already loaded stay usable.

    Returns:
        How many objects were removed.
    """
    folder, _ = usable_folder()
    _REFUSALS.pop(cache_root(), None)  # a full disk has room again
    return sum(_drop(path) for _, _, path in (_entries(folder) if folder else []))
