"""Laws over random scripts of 2 to 60 operations: NumPy code that runs on arrays and on nodes alike.

`tools/fuzz.py` looks for more of the same for as long as one likes.
"""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, reject, settings
from hypothesis import strategies as st

import graphlearn as gl
from graphlearn.errors import DataError
from graphlearn.graph.traverse import topological
from tests.laws.operands import ALL_OPS
from tests.laws.script_laws import ROUGH_LAWS, SMOOTH_LAWS, Unclear
from tests.laws.script_writer import write_script, writing
from tests.laws.scripts import ON_ARRAYS, Leaf, Line, Script, nodes_of, run, shrink

# No example database: a run depends on nothing that an earlier one left behind. Shrinking is worth its time only where
# a failure is cheap to repeat.
BOUNDED = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)  # fmt: skip


@st.composite
def scripts(draw, *, smooth, smallest=2, largest=60):
    size = draw(st.integers(smallest, largest))
    return write_script(draw(st.randoms(use_true_random=False)), size, smooth=smooth)


def hold(law, script):
    note(script.text())
    try:
        law(script)
    except (Unclear, DataError):  # a singular matrix is refused with its reason
        reject()


@settings(BOUNDED, max_examples=100)
@given(scripts(smooth=False))
def test_values_shapes_and_dtypes_are_numpys(script):
    hold(ROUGH_LAWS["values"], script)


@settings(BOUNDED, max_examples=60)
@given(scripts(smooth=True))
def test_reverse_is_forward_is_the_difference_is_the_complex_step(script):
    hold(SMOOTH_LAWS["derivatives"], script)


@settings(BOUNDED, max_examples=25)
@given(scripts(smooth=True))
def test_the_second_order_agrees(script):
    hold(SMOOTH_LAWS["second order"], script)


@settings(BOUNDED, max_examples=40)
@given(scripts(smooth=False))
def test_interning_and_simplification_change_nothing(script):
    hold(ROUGH_LAWS["rewriting"], script)


@settings(BOUNDED, max_examples=8, phases=(Phase.generate,))  # each compiles for a second or more
@given(scripts(smooth=False, largest=25))
def test_compiled_code_is_the_reference(script):
    hold(ROUGH_LAWS["numba"], script)


@settings(BOUNDED, max_examples=3, phases=(Phase.generate,))
@given(scripts(smooth=False, smallest=40))
def test_compiled_code_of_long_scripts_is_the_reference(script):
    hold(ROUGH_LAWS["numba"], script)


@settings(BOUNDED, max_examples=3, phases=(Phase.generate,))
@given(scripts(smooth=False))
def test_compiled_code_in_float32_is_the_reference_in_float32(script):
    hold(ROUGH_LAWS["numba, float32"], script)


@settings(BOUNDED, max_examples=25)
@given(scripts(smooth=False))
def test_single_numbers_have_the_value_and_gradients_of_the_arrays(script):
    hold(ROUGH_LAWS["scalarized"], script)


# --- the laws and the writer themselves ------------------------------------------------------------------------------


def test_scripts_draw_every_operation():
    used = set()
    for seed in range(400):
        script = write_script(random.Random(seed), 40, smooth=seed % 2 == 0)
        used |= {n.op.name for n in topological(nodes_of(script, script.inputs()).values())}
        missing = set(ALL_OPS) - used - {"axis_size"}  # its value is the length of a free axis, no array
        if not missing:
            break
    assert not missing


def test_equal_seeds_write_equal_scripts():
    one, two = (write_script(random.Random(5), 30) for _ in range(2))
    assert one.text() == two.text()
    assert one.text() != write_script(random.Random(6), 30).text()


def test_most_lines_that_are_tried_are_written():
    written = refused = 0
    for seed in range(20):
        script, writer = writing(random.Random(seed), 40, smooth=True)
        written += len(script.lines)
        refused += writer.refused.total()
    assert refused < written / 4


def test_a_printed_script_runs_and_prints_what_graphlearn_finds(capsys):
    script = write_script(random.Random(3), 12)
    exec(script.text(), {})
    first = float(capsys.readouterr().out.split()[0])
    assert first == pytest.approx(float(run(script, ON_ARRAYS, script.arrays)[script.output]), rel=1e-12)


def wrong_sine(monkeypatch, **changes):
    record = gl.sin.op
    for name, value in changes.items():
        monkeypatch.setitem(record.__dict__, name, value)


def sine_of_products():
    leaves = tuple(Leaf(f"x{k}", np.array([0.3, -0.8]) + k, (2,)) for k in range(2))
    lines = ("x0 * x1", "np.tanh(v0)", "np.sin(v1)", "v2 * x0", "np.exp(v3)", "np.sum(v4)")
    return Script(leaves, tuple(Line(f"v{k}", text) for k, text in enumerate(lines)))


@pytest.mark.parametrize("law", ["values", "derivatives", "second order", "numba"])
def test_each_law_finds_a_wrong_operation_and_shrinks_to_it(monkeypatch, law):
    script = sine_of_products()
    check = SMOOTH_LAWS[law]
    check(script)
    if law in ("values", "numba"):
        wrong_sine(monkeypatch, reference=lambda x: np.sin(x) * (1 + 1e-6))
    elif law == "derivatives":
        wrong_sine(monkeypatch, partials=(lambda m, x, y: m.cos(x) * 1.001,))
    else:
        monkeypatch.setitem(gl.cos.op.__dict__, "partials", (lambda m, x, y: -1.1 * m.sin(x),))

    def fails(candidate):
        try:
            check(candidate)
        except AssertionError:
            return True
        except Unclear:
            return False
        return False

    assert fails(script)
    small = shrink(script, fails)
    assert fails(small)
    assert any("np.sin(" in line.text for line in small.lines)
    assert len(small.lines) <= 2
