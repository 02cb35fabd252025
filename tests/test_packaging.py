"""What a user installs: locks without addresses, one version, a wheel that is whole and holds nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import graphlearn

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphlearn"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {"requirements.lock": ["dev"], "requirements-cuda.lock": ["cuda"]}
MADE_BY_TOOLS = {"__pycache__", ".mypy_cache", ".ruff_cache", ".DS_Store"}


def pins(lock: str) -> dict[str, set[str]]:
    """Read the versions of each package in a lock; there may be one per Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


# --- locks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_no_machine(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE), "an option in the lock would reach outside it"
    assert not re.search(r"[ =@]/[a-z]", text), "a path of one machine"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(pins(lock)) > 10
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_fulfils_pyproject(lock: str) -> None:
    locked = pins(lock)
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in LOCKS[lock])]
    for text in (text for group in groups for text in group):
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name), set())
        good = versions and all(requirement.specifier.contains(Version(version)) for version in versions)
        assert good, f"{text} is locked as {versions or 'nothing'}; run: python tools/run.py lock"


def test_the_locks_agree() -> None:
    base, cuda = pins("requirements.lock"), pins("requirements-cuda.lock")
    assert {name: cuda[name] for name in base.keys() & cuda.keys()} == {
        name: base[name] for name in base.keys() & cuda.keys()
    }


def test_the_build_needs_nothing_outside_the_lock() -> None:
    locked = pins("requirements.lock")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert {canonicalize_name(Requirement(text).name) for text in build} | {"editables"} <= locked.keys()


# --- metadata ----------------------------------------------------------------------------------------------------


def test_one_version() -> None:
    assert graphlearn.__version__ == PROJECT["version"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] in ("Unreleased", PROJECT["version"])


def test_the_readme_is_the_page_of_the_package() -> None:
    assert ("readme" in PROJECT) == (ROOT / "README.md").exists(), (
        'pyproject.toml: readme = "README.md" if there is one'
    )


# --- the wheel ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"graphlearn-{PROJECT['version']}.dist-info/"
    source = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not MADE_BY_TOOLS & set(path.parts) and path.suffix not in (".pyc", ".pyo")
    }
    assert {name for name in names if not name.startswith(info)} == source
    assert {info + "METADATA", info + "entry_points.txt"} <= names
    licences = {name.removeprefix(info + "licenses/") for name in names if name.startswith(info + "licenses/")}
    beside = {p.relative_to(ROOT).as_posix() for p in PACKAGE.rglob("LICENSE*") if p.is_file()}
    assert licences == {"LICENSE", *beside}  # whatever brings a licence of its own into the package is listed


def test_the_wheel_holds_data_licences_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = [name for name in names if name.startswith("graphlearn/datasets/data/")]
    assert {"iris", "digits", "breast_cancer", "penguins"} <= {Path(name).stem for name in data}
    assert "graphlearn/datasets/data/LICENSES.md" in data
    assert "graphlearn/py.typed" in names
    licence = zipfile.ZipFile(wheel).read(f"graphlearn-{PROJECT['version']}.dist-info/licenses/LICENSE").decode()
    assert licence.startswith("MIT License")


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import graphlearn, graphlearn.datasets as data; print(graphlearn.__file__)\n"
        "sets = [data.iris(), data.digits(), data.breast_cancer(), data.penguins()]\n"
        "print(*(len(s.X) for s in sets)); assert all(s.licence for s in sets)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, counts = done.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert counts == "150 1797 569 342"


def test_the_wheel_starts_the_command_line(wheel: Path) -> None:
    name = f"graphlearn-{PROJECT['version']}.dist-info/entry_points.txt"
    assert "graphlearn = graphlearn.cli:main" in zipfile.ZipFile(wheel).read(name).decode()
    done = subprocess.run(
        [sys.executable, "-m", "graphlearn", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
