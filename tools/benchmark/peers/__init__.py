"""Peers: each module has ``NEEDS`` (a library), ``VARIANTS`` and ``prepare(workload, variant)``.

The latter gives an object with ``run() -> handle`` (timed) and ``params(handle) -> layers`` (not timed). Where what is
timed is no training, ``distance(handle)`` stands in place of ``params``: how far the numbers are from NumPy's.
"""


class CannotRun(Exception):
    """The peer has no such run; the message says what it lacks."""
