"""The file of a trained network: what is read is what was written, and nothing else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

import graphlearn as gl
from graphlearn.cli.network import Recipe, build, load_network, save_network
from graphlearn.errors import FileFormatError

CLASSES = Recipe(("a", "[b] 길이"), (1.0, 2.0), (0.1, 3.0), (3, 2), "relu", "kind", ("no", "yes"))
LINE = Recipe(("a",), (1.0,), (2.0,), (), "tanh", "y", (), 5.0, 10.0)
KEY = "graphlearn.cli.network"


def made(recipe: Recipe) -> dict[str, Any]:
    return dict(gl.Model(build(recipe).output, precision="float64", seed=3).values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "n.safetensors"


@pytest.mark.parametrize("recipe", [CLASSES, LINE])
def test_a_network_comes_back_bit_for_bit(recipe: Recipe, path: Path) -> None:
    values = made(recipe)
    save_network(path, recipe, values)
    network, found = load_network(path)
    assert network.recipe == recipe
    assert found.keys() == values.keys()
    rows = np.random.default_rng(0).normal(size=(7, len(recipe.columns)))
    np.testing.assert_array_equal(network.answer(rows, found), build(recipe).answer(rows, values))
    first = path.read_bytes()
    save_network(path, network.recipe, found)
    assert path.read_bytes() == first


def test_answers_are_in_the_units_of_the_table() -> None:
    # Standardised: (3 - 1) / 2 = 1; the line gives 0.5 * 1 + 0.25 = 0.75; in the target's unit 7.5 + 5.
    values = {"output/W": np.array([[0.5]]), "output/b": np.array([0.25])}
    assert build(LINE).answer(np.array([[3.0]]), values).item() == pytest.approx(12.5)
    probabilities = build(CLASSES).answer(np.ones((4, 2)), made(CLASSES))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_a_missing_file_is_told_as_missing(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_network(path)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not a tensor file", lambda b: b[8:]]
)
def test_a_damaged_file_is_refused(damage: Any, path: Path) -> None:
    save_network(path, LINE, made(LINE))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=r"n.safetensors cannot be used: it is no whole safetensors file"):
        load_network(path)


def test_another_safetensors_file_is_refused(path: Path) -> None:
    path.write_bytes(save({"w": np.zeros(2)}))
    with pytest.raises(FileFormatError, match="not one of 'graphlearn train'"):
        load_network(path)


def rewrite(path: Path, change: Any, tensors: Any = lambda t: t) -> None:
    save_network(path, LINE, made(LINE))
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    fields = json.loads(header["__metadata__"][KEY])
    change(fields)
    path.write_bytes(save(tensors(load(content)), metadata={KEY: json.dumps(fields)}))


def test_a_newer_format_is_refused(path: Path) -> None:
    rewrite(path, lambda f: f.update(format=2))
    with pytest.raises(FileFormatError, match=r"has format 2; this graphlearn \(.*\) reads format 1"):
        load_network(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("scale"), "description cannot be read .KeyError"),
        (lambda f: f.update(mean="x"), "description cannot be read .ValueError"),
        (lambda f: f.update(hidden=5), "description cannot be read .TypeError"),
        (lambda f: f.update(scale=[0.0]), "contradicts itself"),
        (lambda f: f.update(scale=[float("nan")]), "contradicts itself"),
        (lambda f: f.update(mean=[1.0, 2.0]), "contradicts itself"),
        (lambda f: f.update(columns=[]), "contradicts itself"),
        (lambda f: f.update(activation="import os", hidden=[2]), "no network can be built"),
        (lambda f: f.update(hidden=[-1]), "no network can be built"),
        (lambda f: f.update(hidden=[2]), r"its parameters are .*, where its layers need"),
        (lambda f: f.update(classes=["a", "b"]), r"its parameters are .*, where its layers need"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(change: Any, message: str, path: Path) -> None:
    rewrite(path, change)
    with pytest.raises(FileFormatError, match=message):
        load_network(path)


@pytest.mark.parametrize("value", [np.array([np.nan]), np.zeros(1, np.float32)])
def test_parameters_that_are_no_finite_float64_are_refused(value: Any, path: Path) -> None:
    rewrite(path, lambda f: None, lambda t: {**t, "output/b": value})
    with pytest.raises(FileFormatError, match="not finite or not float64"):
        load_network(path)
