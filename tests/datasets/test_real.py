"""The shipped sets against facts that their sources publish; the numbers below come from there, not from our files."""

import hashlib
import pickle
import re

import numpy as np
import pytest

from graphlearn import datasets
from graphlearn.datasets.catalogue import RECORDS
from graphlearn.datasets.real import DATA
from graphlearn.errors import DataError

LOADERS = {f.__name__: f for f in (datasets.iris, datasets.digits, datasets.breast_cancer, datasets.penguins)}
NOTICES = dict(
    re.findall(r"^## (\w+)\.csv\n(.*?)(?=^## )", DATA.joinpath("LICENSES.md").read_text("utf-8"), re.S | re.M)
)

# The two ends of the thirty ranges that accompany the breast cancer data, in the order of its columns.
CELL_LOW = """
    6.981 9.71 43.79 143.5 0.053 0.019 0.0 0.0 0.106 0.05 0.112 0.36 0.757 6.802 0.002 0.002 0.0 0.0 0.008 0.001
    7.93 12.02 50.41 185.2 0.071 0.027 0.0 0.0 0.156 0.055"""
CELL_HIGH = """
    28.11 39.28 188.5 2501.0 0.163 0.345 0.427 0.201 0.304 0.097 2.873 4.885 21.98 542.2 0.031 0.135 0.396
    0.053 0.079 0.03 36.04 49.54 251.2 4254.0 0.223 1.058 1.252 0.291 0.664 0.208"""


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("iris", (150, 4), [50, 50, 50]),
        ("digits", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("breast_cancer", (569, 30), [357, 212]),
    ],
)
def test_rows_and_class_counts_are_those_of_the_archive(name, shape, counts):
    X, y = LOADERS[name]()
    assert X.shape == shape
    assert X.dtype == np.float64
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == counts


def test_iris_means_are_those_of_fishers_table():
    X, y = datasets.iris()
    means = [X[y == c].mean(axis=0) for c in range(3)]
    fisher = [[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]]
    np.testing.assert_allclose(means, fisher, atol=1e-12)


def test_iris_rows_35_and_38_are_fishers_and_not_those_of_the_uci_file():
    X, _ = datasets.iris()
    assert X[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert X[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_digits_are_whole_counts_up_to_16_and_the_first_is_a_zero():
    X, y = datasets.digits()
    assert np.array_equal(X, np.round(X))
    assert (X.min(), X.max()) == (0.0, 16.0)
    zero = X[0].reshape(8, 8)
    assert y[0] == 0
    assert zero[3].tolist() == [0, 4, 12, 0, 0, 8, 8, 0]  # inked at both sides, empty in the middle


def test_breast_cancer_ranges_are_the_published_ones():
    data = datasets.breast_cancer()
    np.testing.assert_allclose(data.X.min(axis=0), np.array(CELL_LOW.split(), float), atol=5.001e-4)
    np.testing.assert_allclose(data.X.max(axis=0), np.array(CELL_HIGH.split(), float), atol=5.001e-4)
    assert data.target_names[data.y[0]] == "malignant"
    assert data.feature_names[0] == "radius (mean)"
    assert data.feature_names[23] == "area (worst)"


def test_penguin_means_by_species_are_those_of_the_authors_page():
    sizes, species = datasets.penguins("species")
    means = [sizes[species == c].mean(axis=0) for c in range(3)]
    # flipper length, bill length, bill depth, body mass, as printed there (three or four digits)
    published = [[190, 38.8, 18.3, 3701], [196, 48.8, 18.4, 3733], [217, 47.5, 15.0, 5076]]
    np.testing.assert_allclose(means, published, rtol=3e-3)
    assert np.bincount(species).tolist() == [151, 68, 123]  # of 152, 68 and 124: two were not measured


def test_penguins_regression_takes_the_mass_and_says_how_many_rows_were_left_out():
    data = datasets.penguins()
    by_species = datasets.penguins(target="species")
    assert data.X.shape == (342, 3)
    assert data.y.shape == (342, 1)
    assert not data.is_classification
    assert by_species.is_classification
    assert np.array_equal(np.hstack([data.X, data.y]), by_species.X)
    assert data.X[0].tolist() == [181.0, 39.1, 18.7]
    assert data.y[0].tolist() == [3750.0]
    assert "2 of 344" in data.description
    assert data.feature_names == ("flipper length (mm)", "bill length (mm)", "bill depth (mm)")
    # R's lm(body_mass_g ~ flipper_length_mm + bill_length_mm + bill_depth_mm) leaves about 24 % unexplained.
    columns = np.column_stack([np.ones(342), data.X])
    residual = data.y - columns @ np.linalg.lstsq(columns, data.y)[0]
    assert 0.76 < 1.0 - residual.var() / data.y.var() < 0.77


def test_penguins_refuses_another_target():
    with pytest.raises(DataError, match=r"'body mass', 'species'.*got 'sex'"):
        datasets.penguins("sex")


@pytest.mark.parametrize("name", LOADERS)
def test_each_file_has_its_notice_with_source_licence_and_checksum(name):
    record, notice = RECORDS[name], " ".join(NOTICES[name].split())
    for address in re.findall(r"https://doi\.org/[\w./-]+\w", record.source):
        assert address in notice
    assert record.licence.split(" (")[0] in notice
    assert re.search(r"https://creativecommons[\w./-]+", record.licence).group() in notice
    content = DATA.joinpath(f"{name}.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in notice
    assert b"\r" not in content
    assert f"{content.count(10) - 1} rows" in notice


def test_every_file_in_the_folder_is_described():
    assert {path.stem for path in DATA.glob("*.csv")} == set(RECORDS) == set(NOTICES) == set(LOADERS)


@pytest.mark.parametrize("name", LOADERS)
def test_a_set_is_loaded_once_and_cannot_be_written_to(name):
    data = LOADERS[name]()
    assert LOADERS[name]() is data
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        data.y[0] = 1
    with pytest.raises(AttributeError):
        data.X = data.y
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize("name", LOADERS)
def test_a_set_shows_what_it_is(name):
    data = LOADERS[name]()
    assert repr(data).startswith(f"<{name}: X float64 {data.X.shape}, y ")
    assert repr(data).endswith(("CC BY 4.0>", "CC0 1.0>"))
    for part in (data.description, data.source, data.licence, data.target_names[0], data.feature_names[0]):
        assert part in str(data)
    assert "and 52 more" in str(data) or len(data.feature_names) != 64
    assert data.name == name
    restored = pickle.loads(pickle.dumps(data))
    assert np.array_equal(restored.X, data.X)
    assert repr(restored) == repr(data)


@pytest.mark.parametrize(
    ("X", "y", "targets", "message"),
    [
        ([[1.0]], [[1.0]], ("t",), "X of made needs the shape"),
        (np.zeros((0, 2)), np.zeros((0, 1)), ("t",), "X of made needs the shape"),
        ([[1.0, 2.0]], [1.0], ("t",), "y of made needs"),
        ([[1.0, 2.0]], [1], ("only",), "y of made needs"),
        ([[1.0, 2.0]], [-1], ("only",), "y of made needs"),
        ([[1.0, 2.0]], ["a"], ("a",), "y of made needs"),
        ([[1.0, 2.0]], [0, 0], ("a",), "y of made needs"),
    ],
)
def test_a_dataset_whose_parts_do_not_fit_is_refused(X, y, targets, message):
    with pytest.raises(DataError, match=message):
        datasets.Dataset("made", np.array(X), np.array(y), ("a", "b"), targets, "", "", "")
