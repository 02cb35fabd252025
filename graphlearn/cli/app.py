"""The command line: what each command takes, and how an error ends it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import graphlearn as gl
from graphlearn.backends.native import cache_clear, cache_info
from graphlearn.cli import demo, formula, predict, train
from graphlearn.cli.page import Page, prepare_streams
from graphlearn.cli.words import TABLES, Words, words
from graphlearn.errors import GraphLearnError
from graphlearn.ops.activations import ACTIVATIONS
from graphlearn.render.escape import printable
from graphlearn.render.layout import wrap
from graphlearn.render.text import NARROWEST, page_width

FAILED, INTERRUPTED, PIPE_CLOSED = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command line without the program's name; None: the process's own.

    Returns:
        The exit code: 0; 2 after an error, told in one paragraph on standard error; 130 after Ctrl-C; 141 where the
        reader of standard output has gone.
    """
    prepare_streams()
    options = make_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (GraphLearnError, OSError) as error:
        if options.debug:
            raise
        _complain(error)
        return FAILED
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("\ngraphlearn: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _complain(error: GraphLearnError | OSError) -> None:
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    message = f"graphlearn: {message}"
    # A message of several lines is laid out: it points at a place with a caret.
    lines = map(printable, message.split("\n")) if "\n" in message else wrap(message, page_width())
    print("\n".join(lines), file=sys.stderr)


# --- commands --------------------------------------------------------------------------------------------------------


def _page(options: argparse.Namespace) -> tuple[Page, Words]:
    return Page(options.width), words(options.language)


def _demo(options: argparse.Namespace) -> None:
    demo.demo(*_page(options), options.out)


def _derive(options: argparse.Namespace) -> None:
    formula.derive(*_page(options), options.expression, options.at, options.wrt, options.out)


def _draw(options: argparse.Namespace) -> None:
    formula.draw(*_page(options), options.expression, options.at, options.wrt, options.out)


def _train(options: argparse.Namespace) -> None:
    wanted = {name: getattr(options, name) for name in train.Options.__dataclass_fields__}
    train.train(*_page(options), train.Options(**wanted))


def _predict(options: argparse.Namespace) -> None:
    page = Page(options.width, stderr=True)
    predict.predict(page, words(options.language), options.network, options.data, options.out, options.delimiter)


def _cache(options: argparse.Namespace) -> None:
    page, say = _page(options)
    if options.action == "clear":
        page.say(say("cache.cleared", count=cache_clear()))
    info = cache_info()
    size, limit = (f"{number / 2**20:.1f} MB" for number in (info.size, info.limit))
    page.say(say("cache.where", folder=info.directory or "–"))
    page.say(say("cache.holds", files=info.files, size=size, limit=limit))
    if not info.usable:
        page.say(say("cache.unusable", reason=info.reason))


# --- what each takes -------------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="graphlearn",
        description="See every step of backpropagation, then train the very same graph at compiled speed.",
        epilog="graphlearn COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"graphlearn {gl.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_formulas(commands)
    _add_train(commands)
    _add_predict(commands)
    cache = _add(commands, "cache", "compiled code that is kept between runs", _cache)
    cache.add_argument("action", choices=["info", "clear"], help="say what is kept, or remove it")
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, summary: str, run: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    command.set_defaults(run=run)
    command.add_argument("--language", choices=sorted(TABLES), default="en", help="of what is printed (default: en)")
    command.add_argument(
        "--width", type=_width, help="letters in a line (default: that of the terminal or of COLUMNS, at most 120)"
    )
    # SUPPRESS: a default here would undo the option where it stands before the command.
    command.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    return command


def _add_demo(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add(commands, "demo", "derive, draw and train XOR, then train on two real data sets", _demo)
    command.add_argument(
        "--out", type=Path, default=Path("graphlearn-demo"), metavar="DIR",
        help="folder for the files that it writes (default: graphlearn-demo)",
    )  # fmt: skip


def _add_formulas(commands: _Commands[argparse.ArgumentParser]) -> None:
    derive = _add(commands, "derive", "print every chain-rule step of a formula's gradient", _derive)
    draw = _add(commands, "draw", "draw the computation graph of a formula", _draw)
    for command in (derive, draw):
        command.add_argument("expression", metavar="EXPRESSION", help='a formula, e.g. "sigmoid(w*x + b)"')
        command.add_argument(
            "--at", action="append", default=[], metavar="VALUES", help="e.g. w=2,x=3 or x=[[0,1],[1,0]]"
        )
    derive.add_argument("--wrt", metavar="NAMES", help="what to differentiate by, e.g. w,b (default: every name)")
    draw.add_argument("--wrt", metavar="NAMES", help="whose gradients to draw, e.g. w,b (default: none)")
    derive.add_argument("-o", "--out", type=Path, metavar="FILE", help="write a .txt file instead of printing")
    draw.add_argument("-o", "--out", type=Path, metavar="FILE", required=True, help="a .svg file, for instance")


def _add_train(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add(commands, "train", "train a network on a table in a CSV file", _train)
    add, usual = command.add_argument, train.Options(Path(), "", Path())
    add(
        "data",
        type=Path,
        metavar="DATA.csv",
        help="a table with a header line; every column but the target holds numbers",
    )
    add("--target", required=True, metavar="COLUMN", help="what is to be predicted")
    add("-o", "--out", type=Path, required=True, metavar="FILE", help="a .safetensors file, where the network goes")
    add(
        "--task",
        choices=["auto", "regression", "classification"],
        default=usual.task,
        help="(default: as the target looks)",
    )
    add(
        "--ignore",
        type=_names,
        default=usual.ignore,
        metavar="COLUMNS",
        help="columns to leave out, with commas between",
    )
    add("--drop-missing", action="store_true", help="leave out rows with an empty cell, NA or the like")
    add("--delimiter", default=usual.delimiter, help="between cells (default: a comma)")
    add(
        "--layers",
        type=_layers,
        default=usual.layers,
        metavar="UNITS",
        help="hidden layers, e.g. 8,8 (default) or none",
    )
    add("--activation", default=usual.activation,
        help=f"of the hidden layers: {', '.join(ACTIVATIONS)} (default: {usual.activation})")  # fmt: skip
    add("--epochs", type=_whole, default=usual.epochs, help=f"passes over the rows (default: {usual.epochs})")
    add("--learning-rate", type=float, default=usual.learning_rate, help=f"of Adam (default: {usual.learning_rate})")
    add("--batch-size", type=_whole, help="rows of a step (default: 32, or all where there are fewer)")
    add("--validation", type=float, default=usual.validation, metavar="SHARE",
        help=f"share of the rows that training never sees (default: {usual.validation})")  # fmt: skip
    add("--seed", type=int, default=usual.seed, help=f"of everything random (default: {usual.seed})")


def _add_predict(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = _add(commands, "predict", "answer the rows of a CSV file with a trained network", _predict)
    command.add_argument("network", type=Path, metavar="NETWORK", help="what 'graphlearn train' wrote")
    command.add_argument("data", type=Path, metavar="DATA.csv", help="a table with the columns of the training")
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write a CSV file instead of printing")
    command.add_argument("--delimiter", default=",", help="between cells (default: a comma)")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0; got {text!r}")
    return int(text)


def _width(text: str) -> int:
    if not text.isdecimal() or int(text) < NARROWEST:
        raise argparse.ArgumentTypeError(f"needs a whole number, at least {NARROWEST}; got {text!r}")
    return int(text)


def _layers(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(map(_whole, text.split(",")))
