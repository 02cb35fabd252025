"""How this program is started here, for advice to copy: its name is on the PATH of an active environment only."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

VARIABLE = "GRAPHLEARN_COMMAND"  # set by tools/run.py, whose environment is not that of the shell it was called from


def own_command() -> str:
    """What the variable says; ``graphlearn`` where the shell finds it; else this Python with ``-m graphlearn``."""
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    if shutil.which("graphlearn") is not None:
        return "graphlearn"
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return f'"{python}" -m graphlearn' if os.name == "nt" else f"{shlex.quote(str(python))} -m graphlearn"
