"""Whether a place on disk may hold machine code that this process runs: nobody else may be able to put a file there."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path


def resolved(path: Path) -> Path:
    """A path without links.

    Raises:
        OSError: a link leads back to itself (later Pythons leave such a path as it is, and looking at it raises), or
            cannot be read.
    """
    try:
        return path.resolve()
    except RuntimeError as error:  # of Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def distrust(folder: Path) -> str:
    """Say why machine code must not be loaded from a folder.

    Args:
        folder: a folder with links resolved; what does not exist yet will be made by this user, closed to others.

    Returns:
        The reason with its cure, or an empty text where the folder may be used: it belongs to this user and no one else
        can write there; each folder above belongs to this user or to root, and no one else can write there either,
        unless its sticky bit keeps others from renaming what is ours.
    """
    if sys.platform == "win32":
        return _outside_profile(folder)
    user = os.getuid()
    for path in (folder, *folder.parents):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{path} cannot be examined: {error.strerror}"
        if not stat.S_ISDIR(status.st_mode):
            return f"{path} is not a folder"
        if status.st_uid != user and (path == folder or status.st_uid != 0):
            return f"{path} belongs to another user"
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if shared and (path == folder or not status.st_mode & stat.S_ISVTX):
            return f"others can write to {path}; run: chmod go-w {path}"
    return ""


def _outside_profile(folder: Path) -> str:
    """On Windows the user's profile is closed to others by its access list; no other place is taken."""
    profile = resolved(Path(os.path.expanduser("~")))
    return "" if folder.is_relative_to(profile) else f"{folder} is outside the user's profile {profile}"


def read_owned(path: Path) -> bytes:
    """Read a file that belongs to this user and that no one else can write; links are not followed.

    What is no plain file is not even opened: a pipe would wait for a writer, a device might do something.

    Raises:
        OSError: there is no such file, or it is someone else's.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise PermissionError(f"{path} is not a plain file")
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{path} is not a plain file")
        if sys.platform != "win32" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            raise PermissionError(f"{path} can be written by others")
        return file.read()
