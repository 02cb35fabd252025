"""Golden files: a text that a writer must reproduce to the byte; GRAPHLEARN_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with a golden file, or write the file where the variable asks for it."""
    path = FOLDER / name
    if os.environ.get("GRAPHLEARN_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs; look at the difference before updating it"
