"""The device of these tests: kernels in lockstep, with either order of threads."""

from __future__ import annotations

import pytest

from graphlearn.backends.cuda import device
from tests.backends.cuda import lockstep
from tests.backends.cuda.lockstep import Lockstep


@pytest.fixture(params=[False, True], ids=["first thread first", "last thread first"])
def in_lockstep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lockstep:
    """Run the backend's kernels, as a GPU gets them, one thread after the other."""
    stepper = Lockstep(request.param)
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "load", stepper.load)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    return stepper
