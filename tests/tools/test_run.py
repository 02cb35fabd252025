"""tools/run.py: what is done anew after which change, what an interruption leaves, what a user is told."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS, KILLED = ("Scripts", 9) if os.name == "nt" else ("bin", 128 + 9)
SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "run.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project with locks, but with nothing to install."""
    for name in ("pyproject.toml", "requirements.lock", "requirements-cuda.lock"):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    return tmp_path


class Installer:
    """Stands in for venv and pip: notes what would be done, and can fail at a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.fail_at = ""
        monkeypatch.setattr(run, "run_quietly", self)

    def __call__(self, command: Sequence[str], environment: Any) -> None:
        step = "venv" if "venv" in command else "package" if "--editable" in command else "locks"
        if step == "locks":
            step += "".join("+" + Path(part).stem.removeprefix("requirements") for part in command if ".lock" in part)
        self.done.append(step)
        if step.partition("+")[0] == self.fail_at:
            raise KeyboardInterrupt
        if step == "venv":
            environment.python.parent.mkdir(parents=True)
            environment.python.touch()

    def take(self) -> list[str]:
        done, self.done = self.done, []
        return done


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Installer:
    return Installer(monkeypatch)


def set_up(checkout: Path, *extras: str) -> None:
    run.set_up(run.Environment(checkout), extras)


# --- what is done when -------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_done(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]
    set_up(checkout)
    assert installer.take() == []


def test_a_change_of_pyproject_installs_only_the_package(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    (checkout / "pyproject.toml").write_text("# changed\n", encoding="utf-8")
    installer.take()
    set_up(checkout)
    assert installer.take() == ["package"]


def test_a_change_of_the_lock_starts_anew_and_leaves_nothing_behind(checkout: Path, installer: Installer) -> None:
    set_up(checkout, "cuda")
    old = checkout / ".venv" / "lib" / "old.py"
    old.parent.mkdir()
    old.touch()
    (checkout / "requirements.lock").write_text("# changed\n", encoding="utf-8")
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]
    assert not old.exists()


def test_an_extra_is_added_and_stays(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    installer.take()
    set_up(checkout, "cuda")
    assert installer.take() == ["locks+-cuda+", "package"]
    set_up(checkout)
    set_up(checkout, "cuda")
    assert installer.take() == []


def test_another_python_starts_anew(checkout: Path, installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(checkout)
    installer.take()
    monkeypatch.setattr(run.sysconfig, "get_platform", lambda: "another-machine")
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_a_copied_checkout_starts_anew(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    stamp = checkout / ".venv" / "graphlearn-setup.json"
    stamp.write_text(stamp.read_text().replace(json.dumps(str(checkout)), '"/elsewhere"'), encoding="utf-8")
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_a_lost_interpreter_starts_anew(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    run.Environment(checkout).python.unlink()
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_line_ends_are_no_change(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    installer.take()
    for name in ("pyproject.toml", "requirements.lock"):
        (checkout / name).write_bytes((checkout / name).read_bytes().replace(b"\n", b"\r\n"))
    set_up(checkout)
    assert installer.take() == []


# --- interruptions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["venv", "locks"])
def test_an_interrupted_installation_starts_anew(step: str, checkout: Path, installer: Installer) -> None:
    installer.fail_at = step
    with pytest.raises(KeyboardInterrupt):
        set_up(checkout)
    installer.fail_at = ""
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_an_interrupted_extra_starts_anew(checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    installer.fail_at = "locks"
    with pytest.raises(KeyboardInterrupt):
        set_up(checkout, "cuda")
    installer.fail_at = ""
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_an_interrupted_package_is_installed_again_even_if_its_change_is_undone(
    checkout: Path, installer: Installer
) -> None:
    set_up(checkout)
    before = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    (checkout / "pyproject.toml").write_text("# changed\n", encoding="utf-8")
    installer.fail_at = "package"
    with pytest.raises(KeyboardInterrupt):
        set_up(checkout)
    (checkout / "pyproject.toml").write_text(before, encoding="utf-8")
    installer.fail_at = ""
    installer.take()
    set_up(checkout)
    assert installer.take() == ["package"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"locks": 3}', '{"locks": {}}'])
def test_a_damaged_stamp_starts_anew(text: str, checkout: Path, installer: Installer) -> None:
    set_up(checkout)
    (checkout / ".venv" / "graphlearn-setup.json").write_text(text, encoding="utf-8")
    installer.take()
    set_up(checkout)
    assert installer.take() == ["venv", "locks+", "package"]


def test_two_runs_at_once_install_once(checkout: Path, installer: Installer) -> None:
    with run.only_one(checkout / ".venv.lock"):
        threads = [threading.Thread(target=set_up, args=(checkout,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        assert installer.done == []
    for thread in threads:
        thread.join(timeout=10)
    assert installer.take() == ["venv", "locks+", "package"]


# --- what the user is told ---------------------------------------------------------------------------------------


def test_it_parses_on_an_old_python() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 2))
    assert run.main(["demo"]) == 2
    assert "needs Python 3.11 or newer; this is 3.9.2" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_the_cure(
    module: str, checkout: Path, installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None if name == module else real(name))
    with pytest.raises(run.SetupError, match=rf"without the module {module}.*apt install python3-venv"):
        set_up(checkout)
    assert not (checkout / ".venv").exists()


def test_a_foreign_environment_is_left_alone(checkout: Path, installer: Installer) -> None:
    theirs = checkout / ".venv" / "pyvenv.cfg"
    theirs.parent.mkdir()
    theirs.touch()
    with pytest.raises(run.SetupError, match=r"not made by this script\. Rename or remove it"):
        set_up(checkout)
    assert theirs.exists()
    assert installer.take() == []


def test_a_missing_lock_is_named(checkout: Path) -> None:
    (checkout / "requirements.lock").unlink()
    with pytest.raises(run.SetupError, match=r"requirements.lock is missing .* git checkout"):
        set_up(checkout)


def test_a_failed_step_shows_its_last_lines(checkout: Path) -> None:
    code = "import sys; [print('line', i) for i in range(99)]; sys.exit(7)"
    with pytest.raises(run.SetupError, match="failed with exit code 7") as caught:
        run.run_quietly([sys.executable, "-c", code], run.Environment(checkout))
    assert "line 98" in str(caught.value)
    assert "line 7\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["lint", "format", "setup"])
def test_arguments_that_would_be_ignored_are_refused(command: str, checkout: Path) -> None:
    with pytest.raises(run.SetupError, match=f"{command} takes no arguments; got --fast"):
        run.COMMANDS[command](run.Environment(checkout), ["--fast"])


# --- commands ----------------------------------------------------------------------------------------------------


def test_arguments_are_handed_on() -> None:
    options = run.parse(["--with", "cuda", "demo", "--help", "-n", "3"])
    assert (options.extras, options.command, options.args) == (["cuda"], "demo", ["--help", "-n", "3"])


def test_help_describes_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.parse(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name}" in text and function.__doc__ in text for name, function in run.COMMANDS.items())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the calls by notes; ruff's format check fails with 3, mypy with 4."""
    noted: list[str] = []

    def call(environment: object, command: Sequence[str], cwd: Path | None = None) -> int:
        noted.append(" ".join(command))
        return 3 if "--check" in command else 4 if "mypy" in command else 0

    monkeypatch.setattr(run, "call", call)
    return noted


def test_test_runs_every_check_and_ends_with_pytest(checkout: Path, calls: list[str]) -> None:
    assert run.COMMANDS["test"](run.Environment(checkout), []) == 3
    assert [line.split()[1] for line in calls] == ["ruff", "ruff", "mypy", "pytest"]
    assert "--strict" in calls[2]
    assert calls[-1] == "-m pytest -n 2 --dist worksteal"


def test_test_with_arguments_runs_only_pytest(checkout: Path, calls: list[str]) -> None:
    assert run.COMMANDS["test"](run.Environment(checkout), ["tests/graph", "-k", "name"]) == 0
    assert calls == ["-m pytest -n 2 --dist worksteal tests/graph -k name"]


def prepared(checkout: Path) -> Path:
    """Put the script and a finished, empty environment into the checkout."""
    (checkout / "tools").mkdir()
    script = checkout / "tools" / "run.py"
    script.write_bytes(SCRIPT.read_bytes())
    environment = run.Environment(checkout.resolve())
    venv.EnvBuilder(with_pip=False).create(environment.folder)
    environment.record(environment.wanted([]))
    return script


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", KILLED)]
)
def test_the_exit_code_is_the_childs_and_the_overhead_small(code: str, expected: int, checkout: Path) -> None:
    script = prepared(checkout)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, str(script), "python", "-c", code], check=False, capture_output=True)
    assert done.returncode == expected, done.stderr
    assert time.perf_counter() - started < 2
    assert done.stderr == b""


def test_the_child_sees_the_environment_as_activated(checkout: Path) -> None:
    script = prepared(checkout)
    code = "import os; print(os.environ['VIRTUAL_ENV'], os.environ['PATH'].split(os.pathsep)[0])"
    done = subprocess.run(
        [sys.executable, str(script), "python", "-c", code], check=True, capture_output=True, text=True
    )
    folder = checkout.resolve() / ".venv"
    assert done.stdout.split() == [str(folder), str(folder / SCRIPTS)]
