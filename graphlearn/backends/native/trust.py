"""Whether a place on disk may hold machine code that this process runs: nobody else may be able to put a file there."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


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
    profile = Path(os.path.expanduser("~")).resolve()
    return "" if folder.is_relative_to(profile) else f"{folder} is outside the user's profile {profile}"


def read_owned(path: Path) -> bytes:
    """Read a file that belongs to this user and that no one else can write; links are not followed.

    Raises:
        OSError: there is no such file, or it is someone else's.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{path} is not a plain file")
        if sys.platform != "win32" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            raise PermissionError(f"{path} can be written by others")
        return file.read()
