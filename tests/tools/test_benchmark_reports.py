"""What is said of recorded times: tables, cliffs, pictures, and the README that quotes them."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from pathlib import Path

import bench
import numpy as np
import pytest
from benchmark import curve, figure, report
from benchmark.measure import JAX, LIMIT, OWN, REFERENCE, Times
from benchmark.recipes import RECIPES
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parents[2]


def results(times, missing=()):
    """A record of a quiet machine."""
    return report.Results("a machine", [0.1, 0.2], 3, times, list(missing))


def flat(us, **told):
    """Times without noise."""
    return Times(us=[us] * 3, clock=[us] * 3, first=1.0, version="1.0", **told)


def training():
    """Two workloads: a time that does not count, a peer that lacks something, a peer that is faster."""
    wrong, lacking = flat(1.0, trouble="loss 2 instead of 1"), flat(6000.0, lacks="it lacks that")
    small = {OWN: flat(0.5), REFERENCE: flat(0.1), JAX: flat(2.0), "NumPy by hand": wrong}
    large = {OWN: flat(4000.0), LIMIT: flat(2000.0), JAX: flat(3000.0), "NumPy by hand": lacking}
    return results({"W1-float32": small, "W4-float64": large}, missing=["PyTorch, eager"])


def test_a_record_is_read_as_it_was_written():
    assert report.Results.from_json(training().to_json()) == training()


def test_the_table_compares_with_the_strongest_peer_that_counts_and_with_the_limit():
    lines = report.table(training()).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    wrong = "not counted: loss 2 instead of 1"
    assert lines[2] == f"| W1-float32 | 0.5 | 0.1 (0.20x) | 2 (4.0x) | {wrong} | 0.25 (JAX, whole loop) | - | - |"
    assert lines[3] == "| W4-float64 | 4,000 | - | 3,000 (0.75x) | - | 1.33 (JAX, whole loop) | 2,000 | 2.00 |"


def test_a_page_says_what_is_missing_and_what_was_run():
    page = report.page(training(), "x.png")
    for part in (
        "a machine",
        "(x.png)",
        RECIPES["W1"].about,
        "it lacks that",
        "PyTorch, eager",
        "left alone in all 24 samples",
    ):
        assert part in page


def test_a_page_says_when_the_machine_was_not_quiet():
    noisy = results({"W1-float32": {OWN: Times(us=[1.0, 1.0], clock=[1.0, 2.0])}})
    assert "shared in 1 of 2 samples" in report.page(noisy, None)
    assert "Other programs were running" in report.quotation(noisy)
    assert "Other programs were running" not in report.quotation(training())


def test_the_readme_is_told_where_a_peer_is_faster():
    told = report.quotation(training()).replace("\n", " ")
    assert "faster than every peer in 1 of 2 recorded workloads" in told
    assert "W4-float64 (JAX, whole loop, 1.33x)" in told
    assert RECIPES["W1"].about in told and RECIPES["W4"].about not in told  # the table is of float32


def test_only_the_marked_part_of_a_readme_changes():
    readme = f"head\n{report.BEGIN}\nold\n{report.END}\ntail\n"
    assert report.quote(readme, "new") == f"head\n{report.BEGIN}\nnew\n{report.END}\ntail\n"
    with pytest.raises(ValueError, match="each once"):
        report.quote("no marks", "new")


# --- the cost curve --------------------------------------------------------------------------------------------------


def grid(time, widths=curve.WIDTHS, batches=curve.BATCHES):
    """A curve from a function of width and batch."""
    return {place: time(*place) for place in itertools.product(widths, batches)}


def smooth(width, batch):
    """A start-up cost and what grows."""
    return 0.05 + 1e-4 * batch * width**2 + 1e-3 * batch * width


@pytest.mark.parametrize("axes", [(), (curve.FINE_WIDTHS, curve.FINE_BATCHES)])
def test_a_start_up_cost_and_a_power_have_no_cliff(axes):
    assert curve.cliffs(grid(smooth, *axes)) == []
    assert max(d.factor for d in curve.deviations(grid(smooth, *axes))) < 1.05


def test_a_spike_is_found_by_its_size():
    times = grid(smooth)
    times[64, 16] *= 4
    worst = curve.cliffs(times)[0]
    assert worst.place == (64, 16)
    assert worst.factor == pytest.approx(4, rel=0.2)


def test_a_jump_that_stays_is_found():
    times = grid(lambda width, batch: batch * width**2 * (10 if width >= 64 else 1))
    assert {d.place[0] for d in curve.cliffs(times)} == {64}
    assert all(d.factor == pytest.approx(10**0.5) and d.axis == "width" for d in curve.cliffs(times))


def test_a_power_is_on_the_trend_on_uneven_steps():
    times = grid(lambda width, batch: width**1.7 * batch**0.9)
    assert all(d.factor == pytest.approx(1) for d in curve.deviations(times))


def test_a_rim_is_judged_along_it():
    times = grid(smooth)
    times[1, 64] *= 5
    assert [(d.place, d.axis) for d in curve.cliffs(times)] == [((1, 64), "batch")]
    times = grid(smooth)
    times[1, 1] *= 100  # a corner has no two neighbours on any axis
    assert (1, 1) not in {d.place for d in curve.deviations(times)}


def curved(own):
    """A record of a curve, with the products half of it and JAX thrice, but for one point."""
    times = {}
    for (width, batch), us in own.items():
        jax = 0.5 * us if (width, batch) == (16, 4) else 3 * us
        times[f"w{width}b{batch}-float32"] = {OWN: flat(us), LIMIT: flat(us / 2), JAX: flat(jax)}
    return results(times)


def test_the_page_of_a_curve_tells_cliffs_and_where_jax_is_faster():
    own = grid(smooth)
    page = curve.page(curved(own), "curve.png")
    assert "No cliff" in page
    assert "JAX is faster at 1 of 49 points: width 16 batch 4 (2.00x)." in page
    assert "(2, JAX 3)" in page
    own[64, 16] *= 4
    page = curve.page(curved(own), None)
    assert "| width 64, batch 16, along the batch |" in page or "| width 64, batch 16, along the width |" in page


def test_a_point_that_does_not_count_is_named_and_left_out():
    record = curved(grid(smooth))
    record.times["w64b16-float32"][OWN].trouble = "loss 2 instead of 1"
    assert (64, 16) not in curve.places(record, OWN)
    assert "w64b16-float32, graphlearn: not counted: loss 2 instead of 1" in curve.page(record, None)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_drawn_and_drawn_alike_again(tmp_path):
    own = grid(smooth, (4, 16, 64), (1, 16, 64))
    own[16, 16] *= 4
    for draw, record in ((figure.draw_training, training()), (figure.draw_curve, curved(own))):
        first, again = tmp_path / "first.png", tmp_path / "again.png"
        draw(record, first)
        draw(record, again)
        assert first.read_bytes() == again.read_bytes()
        pixels = imread(first)
        assert min(pixels.shape[:2]) > 200
        assert pixels[0, 0, :3].tolist() == [1, 1, 1], "the ground is light"
        assert len(np.unique(pixels[..., 0])) > 20, "something is drawn"


def test_a_time_that_does_not_count_is_not_drawn(tmp_path):
    record, other = training(), training()
    other.times["W1-float32"].pop("NumPy by hand")
    for name, told in (("a.png", record), ("b.png", other)):
        figure.draw_training(told, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_peers_differ_in_shape_and_colour():
    shapes, colours = ([mark[k] for mark in figure._MARKS.values()] for k in (1, 0))
    assert len(set(shapes)) == len(shapes) and len(set(colours)) == len(colours)


# --- the command -----------------------------------------------------------------------------------------------------


def test_what_is_recorded_is_what_the_readme_and_the_pages_show():
    record = report.Results.from_json(bench.TRAINING.with_suffix(".json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert report.quote(readme, report.quotation(record)) == readme, "run: python tools/run.py bench redraw"
    for out, module in ((bench.TRAINING, report), (bench.CURVE, curve)):
        told = report.Results.from_json(out.with_suffix(".json").read_text(encoding="utf-8"))
        assert out.with_suffix(".md").read_text(encoding="utf-8") == module.page(told, out.with_suffix(".png").name)
        assert out.with_suffix(".png").is_file()


def test_only_known_workloads_are_recorded_and_the_page_names_the_others():
    record = report.Results.from_json(bench.TRAINING.with_suffix(".json").read_text(encoding="utf-8"))
    known = {f"{base}-{dtype}" for base, how in RECIPES.items() for dtype in how.dtypes}
    told = report.page(record, None).partition("Not in this record: ")[2].partition(".\n")[0]
    assert {load for load in told.split(", ") if load} == known - set(record.times)
    assert set(record.times) <= known


def test_a_run_that_is_stopped_leaves_what_it_has(tmp_path, monkeypatch):
    def stopped(loads, pythons, rounds, core, limited, say, keep):
        assert (loads, rounds) == (["W1-float32", "W4-float32", "W1-float64", "W4-float64"], 2)
        assert [limited(load) for load in loads] == [False, True, False, True]
        keep({"W1-float32": {OWN: flat(2.0)}})
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "compete", stopped)
    with pytest.raises(KeyboardInterrupt):
        bench.train(bench.arguments(["--runs", "2", "--out", str(tmp_path / "x")]))
    assert "| W1-float32 | 2 |" in (tmp_path / "x.md").read_text(encoding="utf-8")


def test_peers_are_found_by_their_libraries():
    here = bench.interpreters([], f"{OWN},{JAX},NumPy by hand")
    assert here[OWN] == here["NumPy by hand"] == sys.executable
    assert bench.interpreters(["jax=/some/python"], JAX) == {JAX: "/some/python"}
    assert bench.interpreters([sys.executable], "NumPy by hand") == {"NumPy by hand": sys.executable}
    with pytest.raises(SystemExit, match="needs names out of"):
        bench.interpreters([], "nobody")


def test_a_short_run_is_written(tmp_path, capsys):
    options = bench.arguments(
        ["curve", "--widths", "256", "--batches", "128,256", "--runs", "1", "--core", "-1", "--peers", LIMIT]
    )
    found = bench.draw_curve(options)
    assert list(found.times) == ["w256b128-float32", "w256b256-float32"]
    assert all(peers[LIMIT].median for peers in found.times.values())
    bench.save(tmp_path / "new" / "x", curved(grid(smooth, (4, 16, 64), (1, 16, 64))), "curve")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"x.md", "x.json", "x.png"}
    assert "curve" in bench.__doc__


def test_workloads_and_lengths_are_checked():
    with pytest.raises(SystemExit, match="W7"):
        bench.train(bench.arguments(["--workloads", "W1,W7"]))
    for text in ("1,x", "0", "-1", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=re.escape(repr(text))):
            bench.whole_numbers(text)
    assert bench.whole_numbers("1,16") == (1, 16)
