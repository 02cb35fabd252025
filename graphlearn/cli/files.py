"""Files that are there whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a draft of a file; it takes the file's place when the block ends well and vanishes when it does not.

    Args:
        path: the file that is wanted; folders that are missing are made.

    Yields:
        A path of the same name in a folder of its own beside the file, to be written in the block.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
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
