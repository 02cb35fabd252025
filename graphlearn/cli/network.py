"""What ``graphlearn train`` has learned, and its file: safetensors, with all but the numbers as JSON inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import graphlearn as gl
from graphlearn.cli.files import write_whole
from graphlearn.datasets import Standardizer
from graphlearn.errors import FileFormatError, GraphLearnError

FORMAT = 1
_KEY = "graphlearn.cli.network"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """Everything about a network but its parameters; plain values, as JSON takes them.

    Args:
        columns: names of the features, in the order of the inputs.
        mean: of each feature in the training rows.
        scale: its standard deviation there.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        target: name of the column that is predicted.
        classes: names of the classes; empty for regression.
        target_mean: of the target in the training rows; 0 for classes.
        target_scale: its standard deviation there; 1 for classes.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    hidden: tuple[int, ...]
    activation: str
    target: str
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_scale: float = 1.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, the inputs first."""
        return (len(self.columns), *self.hidden, len(self.classes) or 1)

    @property
    def standardizer(self) -> Standardizer:
        """What standardises the features."""
        return Standardizer(np.array(self.mean), np.array(self.scale))


@dataclass(frozen=True, eq=False)
class Network:
    """A recipe and its graph.

    Args:
        recipe: what it is made of.
        x: input, standardised features, (batch, features).
        output: logits (batch, classes), or the standardised target (batch, 1).
    """

    recipe: Recipe
    x: gl.Node
    output: gl.Node

    def answer(self, rows: Floats, values: Mapping[str, Any]) -> Floats:
        """Probabilities of the classes (n, classes), or predictions in the unit of the target (n, 1).

        Args:
            rows: float64 (n, features), not standardised.
            values: full name -> array of each parameter.
        """
        given: dict[Any, Any] = {self.x: self.recipe.standardizer.transform(rows), **values}
        if self.recipe.classes:
            return np.asarray(gl.evaluate(gl.softmax(self.output), given))
        return np.asarray(gl.evaluate(self.output, given)) * self.recipe.target_scale + self.recipe.target_mean


def build(recipe: Recipe) -> Network:
    """Build the graph of a recipe.

    Raises:
        OptionError: an activation or a number of units that cannot be.
    """
    x = gl.input("x", ("batch", len(recipe.columns)))
    return Network(recipe, x, gl.nn.MLP(recipe.sizes[1:], recipe.activation)(x))


def save_network(path: Path, recipe: Recipe, values: Mapping[str, Any]) -> None:
    """Write a network in one piece.

    Args:
        path: the file.
        recipe: what the network is made of.
        values: full name -> float64 array of each parameter.
    """
    description = json.dumps({"format": FORMAT, "graphlearn": gl.__version__, **asdict(recipe)}, ensure_ascii=False)
    tensors = {name: np.ascontiguousarray(values[name]) for name in sorted(values)}
    write_whole(path, save(tensors, metadata={_KEY: description}))


def load_network(path: Path) -> tuple[Network, dict[str, Floats]]:
    """Read a network and its parameters.

    Raises:
        FileFormatError: the file is damaged, of a newer graphlearn, or holds something else.
        OSError: it cannot be read.
    """
    path.open("rb").close()  # a missing file is told as such, not as a damaged one
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            values = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # no dict
    except SafetensorError as error:
        raise _damaged(path, f"it is no whole safetensors file ({error})") from None
    if _KEY not in metadata:
        raise FileFormatError(
            f"{path.name} is a safetensors file, but not one of 'graphlearn train'. Give one that train wrote."
        )
    recipe = _recipe(path, metadata[_KEY])
    try:
        network = build(recipe)
    except GraphLearnError as error:
        raise _damaged(path, f"no network can be built from it ({error})") from None
    _require_values(path, network, values)
    return network, values


def _recipe(path: Path, text: str) -> Recipe:
    try:
        fields = json.loads(text)
        number = fields["format"]
        if number == FORMAT:
            recipe = _read(fields)
            numbers = np.array([*recipe.mean, *recipe.scale, recipe.target_mean, recipe.target_scale])
            sound = len(recipe.mean) == len(recipe.scale) == len(recipe.columns) > 0 and min(recipe.scale) > 0
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"its description cannot be read ({type(error).__name__}: {error})") from None
    if number != FORMAT:
        raise FileFormatError(
            f"{path.name} has format {number!r}; this graphlearn ({gl.__version__}) reads format {FORMAT}. Use the "
            "graphlearn that wrote it, or train anew."
        )
    if not sound or not np.all(np.isfinite(numbers)):
        raise _damaged(path, "its description contradicts itself")
    return recipe


def _read(fields: dict[str, Any]) -> Recipe:
    return Recipe(
        columns=tuple(map(str, fields["columns"])),
        mean=tuple(map(float, fields["mean"])),
        scale=tuple(map(float, fields["scale"])),
        hidden=tuple(map(int, fields["hidden"])),
        activation=str(fields["activation"]),
        target=str(fields["target"]),
        classes=tuple(map(str, fields["classes"])),
        target_mean=float(fields["target_mean"]),
        target_scale=float(fields["target_scale"]),
    )


def _require_values(path: Path, network: Network, values: Mapping[str, np.ndarray]) -> None:
    wanted = {name: leaf.shape for name, leaf in gl.symbols(network.output).items() if leaf is not network.x}
    found = {name: value.shape for name, value in values.items()}
    if wanted != found:
        raise _damaged(path, f"its parameters are {found}, where its layers need {wanted}")
    if not all(value.dtype == np.float64 and np.all(np.isfinite(value)) for value in values.values()):
        raise _damaged(path, "some parameter is not finite or not float64")


def _damaged(path: Path, what: str) -> FileFormatError:
    return FileFormatError(f"{path.name} cannot be used: {what}. Train anew, or copy the file again.")
