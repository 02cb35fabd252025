#!/usr/bin/env python3
"""Set up and run graphlearn from a checkout, with nothing but Python: ``python tools/run.py demo``.

The first run makes ``.venv`` beside ``pyproject.toml``, installs the hash-locked requirements and the package itself.
A stamp, written last and in one piece, says what is complete; without it the next run starts the installation afresh.
Only the standard library is used. Up to `main` the file must parse on old Pythons, so that they get a clear message.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import deque
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
BASE_LOCK = "requirements.lock"
EXTRA_LOCKS = {"cuda": "requirements-cuda.lock"}
LINTS = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy", "--strict", "graphlearn", "tools/run.py")),
)


class SetupError(Exception):
    """Something outside this script must be mended first; the message says what and how."""


def say(text: str) -> None:
    """Print one line of progress; on stderr, so that the output of the command can be piped."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


# --- what is there, and what is wanted ---------------------------------------------------------------------------


class Environment:
    """The virtual environment of one checkout and the stamp that says what it holds.

    Args:
        root: folder that holds ``pyproject.toml`` and the locks.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.stamp = self.folder / "graphlearn-setup.json"
        windows = os.name == "nt"
        self.scripts = self.folder / ("Scripts" if windows else "bin")
        self.python = self.scripts / ("python.exe" if windows else "python")

    def wanted(self, extras: Sequence[str]) -> dict[str, object]:
        """Describe the environment that this checkout, this Python and these extras ask for."""
        locks = [BASE_LOCK, *(EXTRA_LOCKS[extra] for extra in extras)]
        return {
            "root": str(self.root),  # a copied .venv still points at the tree that it was made for
            "python": f"{sys.implementation.cache_tag} {sysconfig.get_platform()}",
            "locks": {lock: self._digest(lock) for lock in locks},
            "package": self._digest("pyproject.toml"),
        }

    def found(self) -> dict[str, object]:
        """Read the stamp; an empty dict where there is none, or where the interpreter is gone."""
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) and self.python.exists() else {}

    def record(self, stamp: dict[str, object]) -> None:
        """Replace the stamp in one step: it is never half written."""
        draft = self.stamp.with_suffix(".tmp")
        draft.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        os.replace(draft, self.stamp)

    def variables(self) -> dict[str, str]:
        """Give the environment variables that activating ``.venv`` would give."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        variables["VIRTUAL_ENV"] = str(self.folder)
        program = str(self.scripts / "graphlearn")
        with contextlib.suppress(ValueError):  # Windows: from another drive there is no relative path
            program = os.path.relpath(program)
        variables["GRAPHLEARN_COMMAND"] = f'"{program}"' if " " in program else program  # as the user's shell finds it
        variables["PATH"] = os.pathsep.join(filter(None, (str(self.scripts), variables.get("PATH"))))
        return variables

    def _digest(self, name: str) -> str:
        try:
            text = (self.root / name).read_bytes().replace(b"\r\n", b"\n")
        except FileNotFoundError:
            raise SetupError(f"{name} is missing in {self.root}. Restore it: git checkout -- {name}") from None
        return hashlib.sha256(text).hexdigest()


# --- setting up --------------------------------------------------------------------------------------------------


def set_up(environment: Environment, extras: Sequence[str]) -> None:
    """Bring the environment to the wanted state; returns at once where the stamp says that it is there."""
    wanted = environment.wanted(extras)
    if is_complete(environment.found(), wanted):
        return
    with only_one(environment.root / ".venv.lock"):
        found = environment.found()  # another process may have finished meanwhile
        if is_complete(found, wanted):
            return
        started = time.monotonic()
        if not can_be_kept(found, wanted):
            make_folder(environment)
            found = {}
        locks = {**as_dict(found.get("locks")), **as_dict(wanted["locks"])}
        if found.get("locks") != locks:
            environment.record({})  # an interrupted installation starts afresh
            install_locks(environment, sorted(locks))
        environment.record({**wanted, "locks": locks, "package": ""})
        install_package(environment)
        environment.record({**wanted, "locks": locks})
        say(f"ready after {time.monotonic() - started:.0f} s; next time this takes no time")


def is_complete(found: dict[str, object], wanted: dict[str, object]) -> bool:
    """Tell whether the stamp covers everything that is wanted; more locks than wanted do no harm."""
    same = all(found.get(key) == wanted[key] for key in ("root", "python", "package"))
    return same and as_dict(found.get("locks")).items() >= as_dict(wanted["locks"]).items()


def can_be_kept(found: dict[str, object], wanted: dict[str, object]) -> bool:
    """Tell whether what is installed is a part of what is wanted, so that adding to it is enough."""
    same = all(found.get(key) == wanted[key] for key in ("root", "python"))
    locks = as_dict(wanted["locks"])
    return same and all(locks.get(lock, digest) == digest for lock, digest in as_dict(found.get("locks")).items())


def as_dict(value: object) -> dict[str, str]:
    """Give the value if it is a dict, as ``locks`` of a sound stamp is, else an empty one."""
    return value if isinstance(value, dict) else {}


def make_folder(environment: Environment) -> None:
    """Make an empty virtual environment, in place of an outdated or half-made one of this script."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"this Python ({sys.executable}) comes without the module {module}. "
                "On Debian and Ubuntu: apt install python3-venv"
            )
    folder = environment.folder
    if folder.exists() and any(folder.iterdir()) and not environment.stamp.exists():
        raise SetupError(f"{folder} was not made by this script. Rename or remove it, then run again.")
    if os.name == "nt" and Path(sys.prefix) == folder:
        raise SetupError(f"{folder} must be made anew, and this Python runs from it. Run `deactivate` first.")
    folder.mkdir(exist_ok=True)
    environment.record({})  # from here on the folder is known as ours
    for entry in folder.iterdir():
        if entry == environment.stamp:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    say(f"making {folder}")
    # From inside a virtual environment, build on the Python beneath it: the inner one may be the one just removed.
    python = getattr(sys, "_base_executable", None) or sys.executable
    run_quietly([python, "-m", "venv", str(folder)], environment)


def install_locks(environment: Environment, locks: Sequence[str]) -> None:
    """Install every requirement of the locks; each file must have a locked hash, nothing is built from source."""
    say(f"installing {' and '.join(locks)}; the first time this takes a minute or two")
    requirements = [part for lock in locks for part in ("-r", str(environment.root / lock))]
    options = ["--require-hashes", "--only-binary", ":all:"]
    run_quietly([*pip(environment), *options, *requirements], environment)


def install_package(environment: Environment) -> None:
    """Install graphlearn itself, editable; its build tools are locked requirements, so nothing is downloaded."""
    say("installing graphlearn")
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    run_quietly([*pip(environment), *options, "--editable", str(environment.root)], environment)


def pip(environment: Environment) -> list[str]:
    """Give the start of a pip command."""
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    return [str(environment.python), "-m", "pip", "install", *quiet]


def run_quietly(command: Sequence[str], environment: Environment) -> None:
    """Run a command; show what it is at on one line of a terminal, and its last lines only where it fails."""
    last: deque[str] = deque(maxlen=20)
    terminal = sys.stderr.isatty()
    with subprocess.Popen(
        command,
        cwd=environment.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            doing = re.match(r"\s*(Collecting [\w.-]+|Installing)", line)
            if terminal and doing:
                words = doing[1].replace("Collecting", "fetching").replace("Installing", "unpacking")
                print(f"\r  {words:60.60}", end="", file=sys.stderr, flush=True)
    if terminal:
        print(f"\r{'':62}\r", end="", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise SetupError(
            "\n".join(last) + f"\n{' '.join(map(str, command))}\nfailed with exit code {process.returncode}. "
            "Mend what the lines above say (no network? no space? no wheels for this Python?) and run again."
        )


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs started at once do not install into one folder."""
    with path.open("a") as handle:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # LK_LOCK gives up after ten seconds
                    continue
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- commands ----------------------------------------------------------------------------------------------------


def call(environment: Environment, command: Sequence[str], cwd: Path | None = None) -> int:
    """Run ``python COMMAND`` of the environment and give its exit code, 128 + n where signal n ended it."""
    full = [str(environment.python), *command]
    with subprocess.Popen(full, cwd=cwd, env=environment.variables()) as process:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue  # the child got the same Ctrl-C and decides what to do


def check_all(environment: Environment, checks: Sequence[tuple[str, Sequence[str]]]) -> int:
    """Run every check, whatever the others say, and give the first exit code that is not 0."""
    failed: dict[str, int] = {}
    for title, command in checks:
        say(title)
        code = call(environment, ["-m", *command], cwd=environment.root)
        if code:
            failed[title] = code
    if failed:
        say(f"failed: {', '.join(failed)}")
    return next(iter(failed.values()), 0)


def demo(environment: Environment, args: Sequence[str]) -> int:
    """Show the XOR network: derivation, diagram, training."""
    return call(environment, ["-m", "graphlearn", "demo", *args])


def test(environment: Environment, args: Sequence[str]) -> int:
    """Lint, check types and run the tests; with arguments, only pytest with these."""
    pytest = ("pytest", ("pytest", "-n", "2", "--dist", "worksteal", *args))
    return check_all(environment, [pytest] if args else [*LINTS, pytest])


def lint(environment: Environment, args: Sequence[str]) -> int:
    """Lint and check types."""
    refuse(args, "lint")
    return check_all(environment, LINTS)


def tidy(environment: Environment, args: Sequence[str]) -> int:
    """Mend what ruff can mend, and format."""
    refuse(args, "format")
    fixes = (("ruff check --fix", ("ruff", "check", "--fix", ".")), ("ruff format", ("ruff", "format", ".")))
    return check_all(environment, fixes)


def bench(environment: Environment, args: Sequence[str]) -> int:
    """Time graphlearn beside its peers."""
    return call(environment, [str(environment.root / "tools" / "bench.py"), *args])


def python(environment: Environment, args: Sequence[str]) -> int:
    """Run the Python of .venv with these arguments."""
    return call(environment, args)


def setup(environment: Environment, args: Sequence[str]) -> int:
    """Set up .venv and run nothing."""
    refuse(args, "setup")
    return 0


def lock(environment: Environment, args: Sequence[str]) -> int:
    """Renew the locks from pyproject.toml (needs uv; --upgrade takes newer releases)."""
    if shutil.which("uv") is None:
        raise SetupError("renewing the locks needs the program uv. Install it: pip install uv")
    compiler = ["uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-build"]
    compiler += ["--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    compiler += ["--custom-compile-command", "python tools/run.py lock", *args]
    for extra, target in {"dev": BASE_LOCK, **EXTRA_LOCKS}.items():
        fixed = [] if target == BASE_LOCK else ["--constraint", BASE_LOCK]  # one version of a package in all locks
        command = [*compiler, "--extra", extra, *fixed, "pyproject.toml", "--output-file", target]
        code = subprocess.call(command, cwd=environment.root, stdout=subprocess.DEVNULL)
        if code:
            return code
    return 0


def refuse(args: Sequence[str], command: str) -> None:
    """Refuse arguments that would otherwise be ignored."""
    if args:
        raise SetupError(f"{command} takes no arguments; got {' '.join(args)}")


COMMANDS: dict[str, Callable[[Environment, Sequence[str]], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "format": tidy,
    "bench": bench,
    "python": python,
    "setup": setup,
    "lock": lock,
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line: options of this script, a command, and the command's own arguments."""
    rows = "\n".join(f"  {name:8}{function.__doc__}" for name, function in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="run.py", formatter_class=argparse.RawDescriptionHelpFormatter, description=f"commands:\n{rows}"
    )
    parser.add_argument(
        "--with", dest="extras", action="append", default=[], choices=sorted(EXTRA_LOCKS), help="install an extra too"
    )
    parser.add_argument("command", choices=list(COMMANDS), metavar="command", help="one of the commands above")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="handed to the command")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Set up what the command needs and run it.

    Args:
        arguments: the command line without the name of this script.

    Returns:
        The exit code of the command; 2 where the setup failed, 130 where it was interrupted.
    """
    if sys.version_info < OLDEST:
        version, needed = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, OLDEST))
        say(f"graphlearn needs Python {needed} or newer; this is {version} ({sys.executable}).")
        say("Run this script with a newer one, for example: python3.12 tools/run.py demo")
        return 2
    options = parse(arguments)
    environment = Environment(ROOT)
    try:
        if options.command != "lock":
            set_up(environment, options.extras)
        return COMMANDS[options.command](environment, options.args)
    except SetupError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from a clean start")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
