"""Print which operation runs on which backend, as a Markdown table.

    python tools/run.py python tools/support_table.py

A cell is the dtypes for which the backend compiled a small graph of the operation; a dash means `UnsupportedOp`.
"""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
