"""The benchmark of the time to the first step: its stages are there, add up, and tell a warm cache from a cold one."""

import sys

from benchmark.measure import environment

from tools.benchmark import latency
from tools.benchmark.first_step import Clock


def test_what_is_measured_inside_counts_once():
    clock = Clock()

    def outer():
        clock.measure("inner", sum, range(200_000))

    clock.measure("outer", outer)
    assert 0 <= clock.seconds["outer"] < clock.seconds["inner"]


def test_fresh_processes_are_measured_stage_by_stage():
    cold, warm = latency.measure(["W3-float32"], {"graphlearn": sys.executable}, 1, environment(), None)
    assert (cold.cache, warm.cache) == ("cold", "warm")
    for case in (cold, warm):
        (sample,) = case.samples
        assert {"python", "numpy", "library", "graph", "gradients", "backend", "identify", "compile"} <= set(
            sample["wall"]
        )
        assert set(sample["wall"]) <= set(latency.COLUMNS), "each has a column in the table"
    for case in (cold, warm):
        planned = {"plan", "generate"} & set(case.samples[0]["wall"])
        assert planned == ({"plan", "generate"} if case is cold else set()), "what is kept is not planned again"
    # Both import llvmlite (30 ms); compiling this network takes 250 ms more.
    assert warm.median(["compile"]) < 0.5 * cold.median(["compile"]), "nothing is compiled"
    text = latency.table([cold, warm])
    assert len({line.count("|") for line in text.splitlines()}) == 1
    assert text.count("W3-float32") == 2
    assert len(latency.targets([cold, warm]).splitlines()) == 2 + len(latency.TARGETS)
    assert [row["cache"] for row in latency.raw([cold, warm])] == ["cold", "warm"]


def test_targets_say_what_is_missed():
    case = latency.Case("W1-float32", "graphlearn", "warm")
    assert latency.targets([case]).splitlines()[2].endswith("| - |")
    case.samples.append(
        {"wall": {"library": 0.03, "rest": 0.3}, "processor": {"library": 0.02, "rest": 0.2}, "loss": 1}
    )
    kept, missed = latency.targets([case]).splitlines()[2:4]
    assert "0.030 (0.020) |" in kept and "0.330 (0.220) missed" in missed
