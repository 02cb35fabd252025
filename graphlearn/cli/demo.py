"""``graphlearn demo``: one network from its derivation to its compiled training, then two real data sets."""

from __future__ import annotations

import time
from pathlib import Path

import graphlearn as gl
from graphlearn.cli import demo_iris, demo_penguins, demo_xor
from graphlearn.cli.command import own_command
from graphlearn.cli.page import MARGIN, Page
from graphlearn.cli.words import Words

NEXT = ('derive "sigmoid(w*x + b)" --at w=2,x=3,b=-5', "train --help")


def demo(page: Page, words: Words, folder: Path) -> None:
    """Print the tour and write its files.

    Args:
        page: where it is printed.
        words: its language.
        folder: where the diagram, the derivation and the generated code go; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    page.title(f"graphlearn {gl.__version__}", words("demo.aside"))
    page.say(words("demo.intro"))
    files = demo_xor.show(page, words, folder)
    demo_penguins.show(page, words)
    demo_iris.show(page, words)
    page.title(words("demo.end"), words("demo.seconds", seconds=f"{time.perf_counter() - started:.1f}"))
    page.pairs([(str(path), words(f"demo.file.{path.suffix[1:]}")) for path in files])
    page.say(words("demo.next"))
    page.verbatim("\n".join(f"{' ' * (MARGIN + 2)}{own_command()} {rest}" for rest in NEXT))
