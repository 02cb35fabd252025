"""Notes on a program: what each of its steps does, carried over from the graph that it was made of."""

from __future__ import annotations

from collections.abc import Iterable

from graphlearn.graph.node import Node
from graphlearn.graph.traverse import consumers, topological
from graphlearn.program.narration import SECTIONS, Note, Notes
from graphlearn.program.program import Program
from graphlearn.program.steps import Compute, FusedLoop, MatMul, RowPass, Step


class Annotations:
    """The notes of a given graph, carried over to the nodes of a program.

    A node that has none is a part of what uses it.

    Args:
        program: what was made of the graph.
        notes: of the graph.
    """

    def __init__(self, program: Program, notes: Notes) -> None:
        self._own: dict[Node, tuple[Note, ...]] = {}
        self._inherited: dict[Node, tuple[Note, ...]] = {}
        made = [node for step in program.steps for node in nodes_of(step)]
        order = topological(made)
        for node in order:
            found = dict.fromkeys(note for old in program.origin.get(node, ()) for note in notes.get(old, ()))
            if node.op.name == "copy" and not found:
                found = dict.fromkeys(self._own.get(node.inputs[0], ()))
            self._own[node] = tuple(sorted(found, key=lambda note: SECTIONS.index(note.section)))
        uses = consumers(order)
        for node in reversed(order):
            if not self._own[node]:
                of_users = [self._own[user] or self._inherited.get(user, ()) for user, _ in uses[node]]
                ranked = sorted(filter(None, of_users), key=lambda notes: SECTIONS.index(notes[0].section))
                self._inherited[node] = ranked[0][:1] if ranked else ()

    def of(self, nodes: Iterable[Node]) -> list[tuple[Note, bool]]:
        """What is said of these nodes, by section; False with a note that only a part of is computed here."""
        nodes = list(nodes)
        whole = dict.fromkeys(note for node in nodes for note in self._own.get(node, ()))
        parts = dict.fromkeys(note for node in nodes for note in self._inherited.get(node, ()) if note not in whole)
        found = [(note, True) for note in whole] + [(note, False) for note in parts]
        return sorted(found, key=lambda entry: SECTIONS.index(entry[0].section))

    def label(self, node: Node) -> str:
        """What a node belongs to, in a word or two; empty where nothing is said."""
        found = self._own.get(node) or self._inherited.get(node) or ()
        return ", ".join(note.label for note in found)


def nodes_of(step: Step) -> list[Node]:
    """All nodes that a step computes, those included that it stores nowhere."""
    loops = step.loops if isinstance(step, RowPass) else [step.then if isinstance(step, MatMul) else step]
    inner = [v.node for loop in loops if isinstance(loop, FusedLoop) for v in loop.body if isinstance(v, Compute)]
    return list(dict.fromkeys([*inner, *step.nodes]))
