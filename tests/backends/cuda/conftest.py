"""The device of these tests: kernels in lockstep, with either order of threads."""

from __future__ import annotations

import pytest

from graphlearn.backends.cuda import device
from tests.backends.cuda import lockstep
from tests.backends.cuda.lockstep import Lockstep


@pytest.fixture
def lockstep_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of the device on the host; kernels still need a loader."""
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)


@pytest.fixture(params=[False, True], ids=["first thread first", "last thread first"])
def in_lockstep(request: pytest.FixtureRequest, lockstep_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the backend's kernels, as a GPU gets them, one thread after the other."""
    monkeypatch.setattr(device, "load", Lockstep(request.param).load)


@pytest.fixture
def watched(lockstep_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, and a race is an error."""
    monkeypatch.setattr(device, "load", Lockstep(watched=True).load)
