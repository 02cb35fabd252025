"""The command line: ``graphlearn demo``, ``derive``, ``draw``, ``train``, ``predict`` and ``cache``."""

from __future__ import annotations

from graphlearn.cli.app import main

__all__ = ["main"]
