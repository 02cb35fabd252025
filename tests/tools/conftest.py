"""The benchmark's modules are imported as its own processes import them: from the folder of the tools."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
