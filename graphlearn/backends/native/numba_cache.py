"""Numba's own cache, for a Numba that gives no access to the compiled object: the second place where code is kept.

Numba keeps machine code in pickled files without a checksum. They lie in a folder of their own for each source, beside
the objects and trusted as these are, with a hash of all its files that is written last; what does not agree is removed.
Whatever fails here is a miss: the function is then compiled in memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphlearn.backends.native import store
from graphlearn.backends.native.trust import distrust, read_owned

SUM = "sum"


def open_place(identity: str, source: str) -> tuple[Path | None, str]:
    """The file in which Numba finds a source, with the code kept beside it; or None and why there is no such place.

    Args:
        identity: what the code is kept by.
        source: the text.
    """
    from numba.core import config

    if os.environ.get("NUMBA_CACHE_DIR") or config.CACHE_DIR:
        return None, "NUMBA_CACHE_DIR sends Numba's cache to a place that is not looked at; unset it"
    limit, reason = store.cache_limit()
    if not limit:
        return None, reason
    objects, reason = store.usable_folder(create=True)
    if objects is None:
        return None, reason
    folder = objects / (identity + store.FOLDER_SUFFIX)
    text = folder / "source.py"
    try:
        if not _is_whole(folder):
            _remove(folder)
        if not folder.exists():
            (folder / "__pycache__").mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            text.write_text(source, encoding="utf-8")
            text.chmod(0o600)
        with suppress(OSError):  # the time of last use decides what is removed first
            os.utime(folder)
    except OSError as error:
        _remove(folder)
        return None, f"{folder} cannot be used: {error.strerror or error}"
    return text, ""


def _is_whole(folder: Path) -> bool:
    try:
        return not distrust(folder) and _sum(folder) == read_owned(folder / SUM)
    except OSError:
        return False


def compile_kept(text: Path, build: Callable[[], Any]) -> Any | None:
    """What a compilation with Numba's cache gives; None where the cache failed, whose files are then removed.

    Args:
        text: what `open_place` gave.
        build: decorates the function of that file with ``cache=True``.
    """
    from numba.core.errors import NumbaError

    try:
        compiled = build()
        _seal(text.parent)
    except NumbaError:
        _remove(text.parent)
        raise  # the source is at fault
    except Exception:  # Numba lets pass whatever unpickling raises, and raises RuntimeError where it cannot write
        _remove(text.parent)
        return None
    return compiled


def _seal(folder: Path) -> None:
    """Close the files to others and write down their hash, where a compilation has added to them."""
    for path in _files(folder):
        path.chmod(0o600)
    found = _sum(folder)
    target = folder / SUM
    if target.exists() and target.read_bytes() == found:
        return
    temporary = folder / f"{SUM}.{os.getpid()}.tmp"
    temporary.write_bytes(found)
    temporary.chmod(0o600)
    os.replace(temporary, target)
    store.evict()


def _sum(folder: Path) -> bytes:
    digest = hashlib.sha256()
    for path in _files(folder):
        content = read_owned(path)
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.digest()


def _files(folder: Path) -> list[Path]:
    """The source and what Numba has put beside it."""
    kept = folder / "__pycache__"
    status = kept.lstat()
    if not stat.S_ISDIR(status.st_mode) or (sys.platform != "win32" and status.st_mode & 0o022):
        raise PermissionError(f"{kept} can be written by others")
    return [folder / "source.py", *sorted(kept.glob("*.nb[ic]"))]


def _remove(folder: Path) -> None:
    import shutil  # with three compressors, 4 ms that a loaded object does not need

    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(OSError):
            folder.unlink()
