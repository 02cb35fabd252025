"""``graphlearn train`` and ``predict``: from a table to a file and to answers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from safetensors.numpy import load_file

import graphlearn as gl
from graphlearn.cli import main
from graphlearn.cli.network import load_network
from graphlearn.ops.activations import ACTIVATIONS

DATA = Path(gl.__file__).parent / "datasets" / "data"
Captured = pytest.CaptureFixture[str]


def write(path: Path, header: list[str], rows: object) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("iris") / "iris.safetensors"
    arguments = [
        "train",
        str(DATA / "iris.csv"),
        "--target",
        "species",
        "--layers",
        "6",
        "--epochs",
        "60",
        "-o",
        str(out),
    ]
    assert main(arguments) == 0
    return out


def test_classes_are_learned_and_answered(iris: Path, tmp_path: Path, capsys: Captured) -> None:
    answers = tmp_path / "answers.csv"
    assert main(["predict", str(iris), str(DATA / "iris.csv"), "-o", str(answers)]) == 0
    rows = list(csv.reader(answers.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["species", "p(setosa)", "p(versicolor)", "p(virginica)"]
    truth = [gl.datasets.iris().target_names[k] for k in gl.datasets.iris().y]
    right = sum(row[0] == name for row, name in zip(rows[1:], truth, strict=True))
    assert right >= 141
    assert all(abs(sum(map(float, row[1:])) - 1) < 1e-5 for row in rows[1:])
    captured = capsys.readouterr()
    assert captured.out == ""  # what is said goes to standard error
    assert f"{right} of 150 rows right" in captured.err


def test_answers_can_be_piped(iris: Path, capsys: Captured) -> None:
    assert main(["predict", str(iris), str(DATA / "iris.csv")]) == 0
    assert len(list(csv.reader(io.StringIO(capsys.readouterr().out)))) == 151


def test_the_same_seed_gives_the_same_file(iris: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.safetensors", tmp_path / "other.safetensors"
    arguments = ["train", str(DATA / "iris.csv"), "--target", "species", "--layers", "6", "--epochs", "60", "-o"]
    assert main([*arguments, str(again)]) == 0
    assert main([*arguments, str(other), "--seed", "1"]) == 0
    assert again.read_bytes() == iris.read_bytes()
    assert other.read_bytes() != iris.read_bytes()


def test_the_file_holds_parameters_and_what_they_need(iris: Path) -> None:
    tensors = load_file(iris)
    assert {name: array.shape for name, array in tensors.items()} == {
        "hidden1/W": (4, 6), "hidden1/b": (6,), "output/W": (6, 3), "output/b": (3,),
    }  # fmt: skip
    recipe = load_network(iris)[0].recipe
    assert recipe.classes == gl.datasets.iris().target_names
    assert recipe.columns == gl.datasets.iris().feature_names
    assert recipe.hidden == (6,)


def test_a_number_is_learned_in_its_own_unit(tmp_path: Path, capsys: Captured) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 2)) * [1000, 0.01] + [5, 7]
    y = 3000 + 2 * x[:, 0] - 40_000 * (x[:, 1] - 7)
    table = write(tmp_path / "line.csv", ["a", "b", "y"], np.column_stack([x, y]).tolist())
    out = tmp_path / "line.safetensors"
    arguments = ["train", str(table), "--target", "y", "--layers", "none", "-o", str(out), "--epochs", "300"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "This is regression" in said
    assert "A network of 2-1 units" in said
    assert main(["predict", str(out), str(table)]) == 0
    captured = capsys.readouterr()
    answers = np.array([float(row[0]) for row in list(csv.reader(io.StringIO(captured.out)))[1:]])
    assert np.sqrt(np.mean((answers - y) ** 2)) < 0.001 * np.std(y)
    assert "R² 1.000, on 200 rows" in captured.err


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_says_what_was_decided_and_fits(
    language: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would stay whole
    arguments = ["train", str(DATA / "penguins.csv"), "--target", "species", "--ignore", "island, sex,year"]
    arguments += [
        "--drop-missing",
        "--epochs",
        "30",
        "-o",
        "p.safetensors",
        "--language",
        language,
        "--width",
        "80",
    ]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if "graphlearn predict" not in line]  # a command to copy stays whole
    assert max(map(cell_len, lines)) <= 80
    assert [line for line in out.splitlines() if line != line.rstrip()] == []
    assert "\x1b" not in out
    said = " ".join(out.split())
    expected = {
        "en": ["2 of 344 rows", "text with 3 different values. This is classification", "274 rows", "68 kept"],
        "ko": ["344행 가운데", "값이 3개인 문자열입니다. 분류", "274행", "68행"],
    }
    assert [words for words in expected[language] if words not in said] == []
    assert "4-8-8-3" in said
    assert "p.safetensors" in said


def test_a_constant_column_is_mentioned_and_harmless(tmp_path: Path, capsys: Captured) -> None:
    rows = [[x, 7, x > 10] for x in range(20)]
    table = write(tmp_path / "t.csv", ["x", "seven", "y"], [[a, b, int(c)] for a, b, c in rows])
    assert main(["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "20"]) == 0
    assert "nothing can be learned from it: seven" in capsys.readouterr().out


def test_columns_of_which_none_varies_are_refused(tmp_path: Path, capsys: Captured) -> None:
    table = write(tmp_path / "t.csv", ["x", "seven", "y"], [[3, 7, k] for k in range(9)])
    assert main(["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors")]) == 2
    captured = capsys.readouterr()
    assert "t.csv needs a column that varies; in the 7 rows to learn from" in " ".join(captured.err.split())
    assert captured.out == "" and list(tmp_path.iterdir()) == [table]


def test_one_row_is_no_training(tmp_path: Path, capsys: Captured) -> None:
    arguments = ["--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "2"]
    two = write(tmp_path / "two.csv", ["x", "y"], [[1, 1.5], [2, 2.5]])
    assert main(["train", str(two), *arguments]) == 2
    assert "the table needs 3 rows or more" in " ".join(capsys.readouterr().err.split())
    three = write(tmp_path / "three.csv", ["x", "y"], [[1, 1.5], [2, 2.5], [3, 4.5]])
    assert main(["train", str(three), *arguments, "--validation", "0.9"]) == 0
    assert "2 rows to learn from, 1 kept apart" in capsys.readouterr().out


def test_numbers_go_with_their_nouns(tmp_path: Path, capsys: Captured) -> None:
    table = write(tmp_path / "t.csv", ["x", "y"], [[k, 1.5 * k] for k in range(8)] + [["", 1]])
    out = str(tmp_path / "n.safetensors")
    assert main(["train", str(table), "--target", "y", "-o", out, "--epochs", "1", "--drop-missing"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Left out, since a cell is missing: 1 of 9 rows." in said
    assert "97 parameters, trained with Adam for 1 epoch at" in said
    assert "1 step, " in said
    one = write(tmp_path / "one.csv", ["x", "y"], [[1, 1.5]])
    assert main(["predict", out, str(one)]) == 0
    assert "on 1 row." in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_network_without_a_hidden_layer_names_no_activation(language: str, tmp_path: Path, capsys: Captured) -> None:
    table = write(tmp_path / "t.csv", ["x", "y"], [[k, 1.5 * k] for k in range(8)])
    arguments = ["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "1"]
    assert main([*arguments, "--layers", "none", "--language", language]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tanh" not in said
    assert {"en": "1-1 units without a hidden layer, 2 parameters", "ko": "은닉층이 없는"}[language] in said


def test_steps_that_are_too_long_are_told_with_the_option(tmp_path: Path, capsys: Captured) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    table = write(tmp_path / "t.csv", ["a", "b", "y"], np.column_stack([x, x[:, 0] - x[:, 1]]).tolist())
    arguments = ["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "5"]
    assert main([*arguments, "--learning-rate", "1000"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The steps are too long: try --learning-rate 100." in said and "--epochs" not in said
    assert main(arguments) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "try --" not in said


def test_rare_classes_stand_in_both_parts(tmp_path: Path, capsys: Captured) -> None:
    rows = [[i, "common"] for i in range(40)] + [[100, "rare"], [101, "rare"]]
    table = write(tmp_path / "t.csv", ["x", "y"], rows)
    assert main(["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "5"]) == 0
    confusion = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("rare ")]
    assert confusion
    assert sum(int(cell) for cell in confusion[-1][1:] if cell != "·") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "specie"], r"Did you mean 'species'"),
        (["--target", "species", "--ignore", "sepals"], r"--ignore names 'sepals'"),
        (["--target", "sepal length (cm)"], r"column 5 ('species'): 'setosa' (150 such cells"),
        (["--target", "species", "--task", "regression"], r"'setosa'"),
        (["--target", "species", "--validation", "1.5"], r"--validation needs a share between 0 and 1; got 1.5"),
        (
            ["--target", "species", "--activation", "tahn"],
            f"--activation needs one of {', '.join(ACTIVATIONS)}; got",
        ),
        (["--target", "species", "--learning-rate", "-1"], r"--learning-rate needs a finite number above 0; got -1"),
        (["--target", "species", "--learning-rate", "nan"], r"--learning-rate needs a finite number above 0; got nan"),
        (["--target", "species", "--activation", "log"], r"--activation needs one of"),
        (["--target", "species", "--learning-rate", "0"], r"--learning-rate needs a finite number above 0; got 0"),
        (["--target", "species", "--seed", "-1"], r"seed"),
        (["--target", "species", "--delimiter", "ab"], r"--delimiter needs one character"),
    ],
)
def test_a_bad_option_is_one_paragraph_and_writes_nothing(
    options: list[str], message: str, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["train", str(DATA / "iris.csv"), *options, "-o", str(tmp_path / "n.safetensors")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""  # before the page has a head
    error = captured.err
    assert message in " ".join(error.split())
    assert error.startswith("graphlearn: ")
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_writes_nothing(tmp_path: Path, capsys: Captured) -> None:
    rows = [[x, 1e300 * x] for x in range(1, 30)]
    table = write(tmp_path / "t.csv", ["x", "y"], rows)
    arguments = [
        "train",
        str(table),
        "--target",
        "y",
        "-o",
        str(tmp_path / "n.safetensors"),
        "--learning-rate",
        "1e200",
    ]
    assert main([*arguments, "--layers", "none"]) == 2
    assert "graphlearn: " in capsys.readouterr().err
    assert not (tmp_path / "n.safetensors").exists()


@pytest.mark.parametrize("rows", [[[1, 1]], [[1, 1.5], [2, 2.5]], [[1, "a"], [2, "b"], [3, "a"]]])
def test_tiny_tables_train_or_say_why_not(rows: list[list[object]], tmp_path: Path, capsys: Captured) -> None:
    table = write(tmp_path / "t.csv", ["x", "y"], rows)
    code = main(["train", str(table), "--target", "y", "-o", str(tmp_path / "n.safetensors"), "--epochs", "2"])
    error = capsys.readouterr().err
    assert (code == 0 and not error) or (code == 2 and "needs" in error and "row" in error)


def test_a_table_without_the_columns_is_refused(iris: Path, capsys: Captured) -> None:
    assert main(["predict", str(iris), str(DATA / "penguins.csv")]) == 2
    assert "penguins.csv lacks 'sepal length (cm)'" in " ".join(capsys.readouterr().err.split())


def test_a_cell_that_is_no_number_is_named_in_predict_too(iris: Path, tmp_path: Path, capsys: Captured) -> None:
    table = write(tmp_path / "t.csv", list(gl.datasets.iris().feature_names), [[1, 2, 3, 4], [1, 2, "x", 4]])
    assert main(["predict", str(iris), str(table)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "t.csv, line 3, column 3 ('petal length (cm)'): 'x'" in error
    assert "--ignore" not in error
