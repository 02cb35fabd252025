"""The tree of errors. Each class is also the builtin that callers would expect to catch.

An error says what was needed, what came and what to do. It may carry the nodes that it is about (`gl.draw(error)` draws
them), never a picture or a value.
"""

from __future__ import annotations

from typing import Any


class GraphLearnError(Exception):
    """Base class of every error that graphlearn raises on purpose.

    Args:
        message: what was needed, what came, what to do.
        nodes: graph nodes that the message is about, the culprit last; may be empty.
    """

    def __init__(self, message: str, *, nodes: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.nodes = nodes

    def __str__(self) -> str:
        # KeyError would print the repr of its argument, quotes and all.
        return self.message


class ShapeError(GraphLearnError, ValueError):
    """Shapes that do not fit together; reshape, transpose or reduce an operand."""


class DTypeError(GraphLearnError, TypeError):
    """A dtype that cannot be used here; convert the array first."""


class NameClashError(GraphLearnError, ValueError):
    """Two different nodes of one graph bear the same name; rename one of them."""


class UnknownNameError(GraphLearnError, KeyError):
    """A name or node that the graph does not contain; the message lists the names that it has."""


class MissingValueError(GraphLearnError, KeyError):
    """A leaf has neither an entry in the given values nor a value of its own."""


class DataError(GraphLearnError, ValueError):
    """Data that cannot be used: empty, of unequal lengths, not finite, or out of range."""


class DisconnectedError(GraphLearnError, ValueError):
    """A derivative was asked with respect to a node that does not influence the output."""


class UnsupportedOp(GraphLearnError, TypeError, NotImplementedError):
    """An operation that this backend or this NumPy function does not offer; the message says which do."""


class NonFiniteError(GraphLearnError, ArithmeticError):
    """A value became NaN or infinite.

    Args:
        message: what was computed, where it stopped being finite, what to try.
        failure: a record of the step, the node and its value; see `graphlearn.learn`.
    """

    def __init__(self, message: str, *, nodes: tuple[Any, ...] = (), failure: Any = None) -> None:
        super().__init__(message, nodes=nodes)
        self.failure = failure


class ParseError(GraphLearnError, ValueError):
    """A formula given as text could not be read; the message points at the place."""


class GraphUseError(GraphLearnError, TypeError):
    """A node was used as if it were a number (in `if`, `float()`, `len()`, ...)."""


class EngineError(GraphLearnError, RuntimeError):
    """An external program (a diagram engine, a font, a compiler) is missing or failed."""


class FileFormatError(GraphLearnError, ValueError):
    """A file is truncated, damaged or of a newer format."""


class OptionError(GraphLearnError, ValueError):
    """An option has a value that is not among the possible ones."""


class GraphLearnWarning(UserWarning):
    """Base class of every warning that graphlearn gives on purpose.

    Args:
        message: what was found and what to do.
        nodes: graph nodes that it is about; may be empty.
    """

    def __init__(self, message: str, *, nodes: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.nodes = nodes


class ConversionWarning(GraphLearnWarning):
    """Large data is copied: it has another dtype than it is computed in, or is no whole rows of a mapped file."""


class ZeroGradientWarning(GraphLearnWarning):
    """A whole gradient is zero everywhere, because it leads only through operations such as floor and comparisons."""
