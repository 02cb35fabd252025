"""Peers: each module has ``NEEDS`` (a library), ``VARIANTS`` and ``prepare(workload, variant)``.

The latter gives an object with ``run() -> handle`` (timed) and ``params(handle) -> layers`` (not timed).
"""
