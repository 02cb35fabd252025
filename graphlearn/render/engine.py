"""Runs Graphviz as a separate program: DOT in, SVG or PDF out, by `dot` on the PATH or else the `graphviz-pure` wheel.

Rule: the engine that drew a picture is named in the result; when neither is found the error says how to get each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from graphlearn.errors import EngineError, OptionError
from graphlearn.render.svg import finish_svg

ENGINES = ("dot", "graphviz-pure")
VARIABLE = "GRAPHLEARN_DIAGRAM_ENGINE"
_SECONDS = 300  # 2000 nodes take 5 s; a layout that takes this long will not end soon
_ADVICE = "Install Graphviz (its program dot must be on the PATH), or: pip install graphviz-pure"


@dataclass(frozen=True, slots=True)
class Engine:
    """A Graphviz program.

    Args:
        name: ``"dot"`` or ``"graphviz-pure"``.
        path: the program's file.
        version: what the program calls itself.
    """

    name: str
    path: str
    version: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A picture and who drew it.

    Args:
        svg: an ``<svg>`` element for a page.
        engine_name: ``"dot"`` or ``"graphviz-pure"``.
        engine_version: version of that program.
    """

    svg: str
    engine_name: str
    engine_version: str


def find_engine(name: str | None = None) -> Engine:
    """Find the program that draws diagrams.

    Args:
        name: ``"dot"`` or ``"graphviz-pure"``; by default what the environment variable GRAPHLEARN_DIAGRAM_ENGINE
            says, else the first of the two that is installed.

    Returns:
        The engine, with its version.

    Raises:
        OptionError: an engine of another name was asked for.
        EngineError: the engine, or both, are not installed; the message says how to install them.
    """
    wanted = name or os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in ENGINES:
        source = "engine" if name else VARIABLE
        raise OptionError(f'{source} needs to be "dot" or "graphviz-pure"; got {wanted!r}.')
    for candidate in (wanted,) if wanted else ENGINES:
        for path in _places(candidate):
            version = _version(path)
            if version:
                return Engine(candidate, path, version)
    looked = f'"{wanted}"' if wanted else '"dot" on the PATH and "graphviz-pure"'
    raise EngineError(f"a diagram needs a Graphviz engine; looked for {looked} and found none. {_ADVICE}")


def render_svg(
    dot: str, engine: str | None = None, *, title: str = "", description: str = "", language: str = "en"
) -> Rendered:
    """Draw DOT source as SVG.

    Args:
        dot: DOT source.
        engine: ``"dot"`` or ``"graphviz-pure"``; see `find_engine`.
        title: short name of the picture, for screen readers.
        description: what the picture shows, in a sentence or two.
        language: language tag of the texts.

    Returns:
        The picture; the same source, engine and version give the same bytes.

    Raises:
        OptionError: the engine's name is unknown.
        EngineError: no engine is installed, or it rejected the source or took too long.
    """
    program = find_engine(engine)
    raw = _run(program, "svg", dot).decode("utf-8")
    return Rendered(finish_svg(raw, title, description, language), program.name, program.version)


def render_pdf(dot: str) -> bytes:
    """Draw DOT source as PDF; only Graphviz's own ``dot`` can.

    Args:
        dot: DOT source.

    Returns:
        The file's bytes.

    Raises:
        EngineError: ``dot`` is not installed or rejected the source; save as SVG or PNG instead.
    """
    try:
        program = find_engine("dot")
    except EngineError:
        raise EngineError(
            "a PDF needs Graphviz's own program dot; it is not on the PATH, and graphviz-pure writes no PDF. "
            "Install Graphviz, or save the diagram as .svg or .png."
        ) from None
    return _run(program, "pdf", dot)


def _places(name: str) -> Iterator[str]:
    """Yield the files that may be the engine, best first."""
    if name == "graphviz-pure":
        # The wheel's program is often not on the PATH: an environment can be used without being activated.
        yield from filter(os.path.isfile, _wheel_scripts(name))
    found = shutil.which(name)
    if found:
        yield found


def _wheel_scripts(name: str) -> Iterator[str]:
    file = name + (".exe" if os.name == "nt" else "")
    try:
        recorded = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        recorded = []
    for entry in recorded:
        if entry.name == file:
            yield os.path.normpath(entry.locate())
    for folder in (sysconfig.get_path("scripts"), Path(sys.executable).parent):
        yield os.path.join(folder, file)


@cache
def _version(path: str) -> str:
    """Return the version that a program states, or an empty text if it is not Graphviz or does not run."""
    try:
        answer = _start([path, "-V"], b"", 30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = (answer.stderr + answer.stdout).decode("utf-8", "replace")
    match = re.search(r"graphviz\S* version (\S+)", text)
    return match[1] if match and answer.returncode == 0 else ""


def _start(command: list[str], fed: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    # On Windows a console program would open a window of its own; elsewhere the flag does not exist.
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.run(command, input=fed, capture_output=True, timeout=seconds, check=False, creationflags=flags)


def _run(engine: Engine, form: str, dot: str) -> bytes:
    try:
        answer = _start([engine.path, f"-T{form}"], dot.encode(), _SECONDS)
    except OSError as error:
        raise EngineError(f"{engine.name} could not be started: {error}. {_ADVICE}") from error
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"{engine.name} {engine.version} did not finish the layout in {_SECONDS} s. Collapse scopes or draw less."
        ) from None
    if answer.returncode < 0:  # ended by a signal: its stack or the memory was too small
        raise EngineError(
            f"{engine.name} {engine.version} crashed on a diagram of this size (signal {-answer.returncode}). "
            "Collapse scopes or draw less."
        )
    if answer.returncode != 0 or not answer.stdout:
        said = answer.stderr.decode("utf-8", "replace").strip()[-600:]
        raise EngineError(f"{engine.name} {engine.version} rejected the DOT source: {said or 'it wrote nothing'}")
    return answer.stdout
