"""Outputs of a graph as compiled functions, kept so that the second call of `predict` compiles nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.backends.registry import PLAIN, CompiledFunction, Speed, load_backend
from graphlearn.calculus.inference import inference
from graphlearn.errors import GraphUseError
from graphlearn.graph.binding import bind
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves, require_nodes


class Functions:
    """Compiled functions by backend and outputs.

    Args:
        precision: every float64 is lowered to it.
    """

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self._settled: dict[tuple[Node, ...], tuple[Node, ...]] = {}
        self._made: dict[tuple[str, tuple[Node, ...], Speed], CompiledFunction] = {}

    def settled(self, outputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """The outputs as they are once training is over, made once."""
        if outputs not in self._settled:
            self._settled[outputs] = inference(outputs)  # type: ignore[assignment]  # a tuple of a tuple
        return self._settled[outputs]

    def compute(
        self,
        outputs: tuple[Node, ...],
        arrays: Mapping[Node, np.ndarray],
        backend: str,
        seed: int = 0,
        step: int = 0,
        speed: Speed = PLAIN,
    ) -> tuple[np.ndarray, ...]:
        """Values of the outputs.

        Args:
            outputs: nodes.
            arrays: at least one array per leaf.
            backend: name of a backend.
            seed: of what they draw.
            step: of what they draw.
            speed: what may be done for speed.
        """
        binding = bind(outputs, arrays, what="inputs", seed=seed, step=step, precision=self._precision)
        return self.compiled(outputs, backend, speed)(binding.arrays, binding.sizes)

    def compiled(self, outputs: tuple[Node, ...], backend: str, speed: Speed = PLAIN) -> CompiledFunction:
        """The function, compiled when it is first needed."""
        key = (backend, outputs, speed)
        if key not in self._made:
            self._made[key] = load_backend(backend).compile_function(
                outputs, (*leaves(outputs), *leaves(outputs, "run")), self._precision, speed
            )
        return self._made[key]


class Outputs:
    """A node, or a list, tuple or dict of nodes, and how values take the same form.

    Args:
        form: what the caller wrote.
        what: for messages.

    Raises:
        GraphUseError: something in it is no node.
    """

    def __init__(self, form: Any, what: str) -> None:
        self._form = form
        self.nodes = require_nodes(tuple(form.values()) if isinstance(form, Mapping) else form, what)
        if not self.nodes:
            raise GraphUseError(f"{what} needs a node, or a list, tuple or dict of nodes; got {form!r}. Name one.")

    def arrange(self, arrays: Sequence[np.ndarray]) -> Any:
        """Values in the caller's form: an array, a tuple or a dict."""
        if isinstance(self._form, Node):
            return arrays[0]
        return dict(zip(self._form, arrays, strict=True)) if isinstance(self._form, Mapping) else tuple(arrays)
