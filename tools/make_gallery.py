#!/usr/bin/env python3
"""Draw the pictures in ``tutorials/gallery/`` anew: each is what the example in ``README.md`` saves, to the byte."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GALLERY = ROOT / "tutorials" / "gallery"
# The one engine that promises the same bytes on every machine.
ENGINE = {"GRAPHLEARN_DIAGRAM_ENGINE": "graphviz-pure"}


def example() -> str:
    """Return the first Python example of the README."""
    found = re.search(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise SystemExit("README.md has no block that begins with ```python; the pictures come from it.")
    return found[1]


def run_example(folder: Path) -> str:
    """Run the example in a folder, where it leaves its files.

    Returns:
        What it printed.
    """
    done = subprocess.run(
        [sys.executable, "-c", example()],
        cwd=folder,
        env={**os.environ, **ENGINE, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Write the pictures, or with ``--check`` compare them with those that are there.

    Returns:
        0; 1 where ``--check`` found a difference.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a picture differs")
    check = parser.parse_args(arguments).check
    with tempfile.TemporaryDirectory() as folder:
        run_example(Path(folder))
        made = {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.svg"))}
    there = {path.name: path.read_bytes() for path in sorted(GALLERY.glob("*.svg"))}
    if check:
        different = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
        print("\n".join(f"tutorials/gallery/{name} differs" for name in different) or "the gallery is up to date")
        return int(bool(different))
    GALLERY.mkdir(exist_ok=True)
    for name, content in made.items():
        (GALLERY / name).write_bytes(content)
        print(f"tutorials/gallery/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
