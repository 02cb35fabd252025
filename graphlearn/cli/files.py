"""Files that are there whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphlearn.errors import OptionError


def require_writable(path: str | Path, *sources: Path) -> None:
    """Try whether a file can be written, before the work whose result it is to hold; leaves nothing behind.

    Args:
        path: the file that is wanted.
        sources: files that are read, and must not be lost.

    Raises:
        OptionError: a folder, a folder that is missing, a place where nothing can be written, or one of the sources.
    """
    target = Path(path)
    if target.is_dir():
        raise OptionError(f"--out needs a file; got the folder {str(path)!r}. Add the file's name.")
    if any(source.exists() and target.exists() and target.samefile(source) for source in sources):
        raise OptionError(f"--out needs another file than the one that is read; got {str(path)!r}. Name another.")
    folder = target.parent
    if not folder.exists():
        raise OptionError(
            f"--out needs a folder that is there; got {str(path)!r}, where {str(folder)!r} is missing. Make the "
            "folder, or mend its name."
        )
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    except OSError as error:
        raise OptionError(
            f"--out needs a place where files can be written; got {str(path)!r}: {error.strerror} ({folder}). Name "
            "another."
        ) from None


def require_ending(path: Path, ending: str) -> None:
    """Check how a file's name ends.

    Raises:
        OptionError: otherwise.
    """
    if path.suffix != ending:
        raise OptionError(f"--out needs a name that ends with {ending}; got {path.name!r}. Rename it.")


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a draft of a file; it takes the file's place when the block ends well and vanishes when it does not.

    Args:
        path: the file that is wanted.

    Yields:
        A path of the same name in a folder of its own beside the file, to be written in the block.

    Raises:
        OptionError: the file cannot be written.
    """
    target = Path(path)
    require_writable(target)
    folder = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
    try:
        draft = folder / target.name
        yield draft
        os.replace(draft, target)  # in one step, since the folder lies on the same disk
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: str | Path, content: bytes | str) -> Path:
    """Write a file in one piece.

    Args:
        path: the file.
        content: bytes, or text that is written as UTF-8 with plain newlines.

    Returns:
        The path.
    """
    with whole(path) as draft:
        draft.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Path(path)
