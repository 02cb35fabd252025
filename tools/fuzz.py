"""Look for failures with random scripts: NumPy code that runs on arrays and on nodes, against the laws of such code.

    python tools/run.py python tools/fuzz.py --minutes 10            the laws but the compiled backend
    python tools/run.py python tools/fuzz.py --minutes 60 --numba 8  that one too, on every 8th script (1 to 3 s each)

A failure is made as small as it can be, and printed as a program to be run. The laws are `tests/laws/script_laws.py`.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from graphlearn.errors import DataError  # after the path is set
from graphlearn.graph.traverse import topological  # after the path is set
from tests.laws.operands import ALL_OPS
from tests.laws.script_laws import ROUGH_LAWS, SMOOTH_LAWS, Unclear
from tests.laws.script_writer import write_script
from tests.laws.scripts import Script, nodes_of, shrink

Law = Callable[[Script], None]
SIZES = (2, 60)  # lines that are tried


def verdict(law: Law, script: Script) -> str:
    """What kind of failure this is; empty where the law holds, or cannot be judged."""
    try:
        law(script)
    except (Unclear, DataError):
        return ""
    except AssertionError as error:
        return f"broken: {str(error).partition(':')[0][:40]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(';')[0][:40]}"
    return ""


def words(law: Law, script: Script) -> str:
    """The whole message of a failure."""
    try:
        law(script)
    except AssertionError as error:
        return str(error)
    except Exception:  # whatever it is, it is what was looked for
        return "\n".join(traceback.format_exc(limit=-3, chain=False)[:1500].splitlines()[-12:])
    return "it does not fail again"


def kind_of(trouble: str) -> str:
    """The part of a verdict that must stay while a script is made smaller."""
    return trouble.partition(":")[0]


class Search:
    """What was tried and what was found.

    Args:
        numba: the compiled backend is tried on every so many scripts; 0: never.
        stop: how many failures of one kind are shown.
    """

    def __init__(self, numba: int, stop: int) -> None:
        self.numba = numba
        self.stop = stop
        self.scripts = self.lines = self.unclear = self.checks = 0
        self.used: Counter[str] = Counter()
        self.found: Counter[str] = Counter()

    def try_seed(self, seed: int) -> None:
        """Write the script of a seed and check it."""
        choose = random.Random(seed)
        smooth = choose.random() < 0.6
        script = write_script(choose, choose.randint(*SIZES), smooth=smooth)
        self.scripts += 1
        self.lines += len(script.lines)
        if seed % 20 == 0:
            self.used.update({n.op.name for n in topological([nodes_of(script, script.inputs())[script.output]])})
        for name, law in (SMOOTH_LAWS if smooth else ROUGH_LAWS).items():
            if not name.startswith("numba") or (self.numba and self.scripts % self.numba == 0):
                self._check(seed, name, law, script)

    def _check(self, seed: int, name: str, law: Law, script: Script) -> None:
        self.checks += 1
        try:
            law(script)
        except (Unclear, DataError):  # a singular matrix is refused with its reason
            self.unclear += 1
        except Exception:
            self._report(seed, name, law, script)

    def _report(self, seed: int, name: str, law: Law, script: Script) -> None:
        trouble = verdict(law, script)
        kind = f"{name}: {trouble}"
        self.found[kind] += 1
        if self.found[kind] > self.stop:
            return
        small = shrink(script, lambda s: kind_of(verdict(law, s)) == kind_of(trouble))
        print(f"\n# seed {seed}, law of {name}\n# " + words(law, small).strip().replace("\n", "\n# "))
        print(small.text(), flush=True)

    def summary(self) -> str:
        """What was tried, in a few lines."""
        unused = sorted(set(ALL_OPS) - set(self.used))
        lines = [
            f"{self.scripts} scripts of {self.lines} lines, {self.checks} checks, {self.unclear} of them unclear",
            f"operations not drawn in every 20th script: {', '.join(unused) or 'none'}",
            *(f"failed {count} times: {kind}" for kind, count in self.found.most_common()),
        ]
        return "\n".join(lines if self.found else [*lines, "no failure"])


def main(arguments: Iterable[str] | None = None) -> int:
    """Search for some minutes; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="the first script's; the next one's is one more")
    parser.add_argument("--numba", type=int, default=0, metavar="N", help="compile every Nth script (default: none)")
    parser.add_argument("--stop", type=int, default=1, help="failures of one kind that are shown (default 1)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    search = Search(options.numba, options.stop)
    end = time.monotonic() + 60 * options.minutes
    seed = options.seed
    while time.monotonic() < end:
        search.try_seed(seed)
        seed += 1
    print(f"\nseeds {options.seed} to {seed - 1}: {search.summary()}")
    return 1 if search.found else 0


if __name__ == "__main__":
    sys.exit(main())
