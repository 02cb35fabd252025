"""Settings of every test run: one thread per process, no window, an empty cache, no operation left, no hidden skip.

The variables are set here, before any test module imports a library that reads them.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from typing import Any

import pytest

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # pytest -n 2 already fills two cores
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("COLUMNS", None)  # pages are as wide in every run

if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers inherit what the process that starts them has set
    # A run starts without compiled objects: those of an earlier state of the generator would hide its faults.
    _cache = tempfile.mkdtemp(prefix="graphlearn-tests-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    os.environ["GRAPHLEARN_CACHE_DIR"] = _cache
    os.environ["NUMBA_CACHE_DIR"] = os.path.join(_cache, "numba")

NO_SKIPS = "GRAPHLEARN_NO_SKIPS"
ALLOWED_SKIPS = ("no CUDA device",)  # the one part that no install step can bring


@pytest.fixture(autouse=True)
def _no_operation_outlives_its_test() -> Iterator[None]:
    """An operation that a test defines is known to no other test, in whichever order they run."""
    from graphlearn.graph.op import OPS
    from graphlearn.ops.algebra import FUNCTIONS

    tables: list[dict[str, Any]] = [OPS, FUNCTIONS]
    before = [dict(table) for table in tables]
    yield
    for table, known in zip(tables, before, strict=True):
        if table != known:
            table.clear()
            table.update(known)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn a skipped test into a failed one where the variable `NO_SKIPS` is set."""
    report = yield
    return _refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Do the same for a module that skips itself."""
    report = yield
    return _refuse_skip(report)


def _refuse_skip(report: Any) -> Any:
    if os.environ.get(NO_SKIPS) and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{NO_SKIPS} is set, so nothing may be missing here; yet: {reason}"
    return report
