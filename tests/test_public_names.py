"""What a public module offers is what `dir` shows: its own names, and none of those that it imports."""

import inspect
import types

import pytest

import graphlearn as gl

MODULES = {name: value for name in gl.__all__ if isinstance(value := getattr(gl, name), types.ModuleType)}
# `gl.random` holds operations too, which `gl` offers itself, or a layer.
WHOLE = sorted(set(MODULES) - {"random", "datasets"})


def test_the_public_modules():
    assert sorted(MODULES) == ["datasets", "init", "losses", "nn", "optim", "random"]


@pytest.mark.parametrize("name", ["gl", *MODULES])
def test_dir_lists_the_public_names_and_no_others(name):
    module = gl if name == "gl" else MODULES[name]
    assert dir(module) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in dir(module):
        value = getattr(module, public)
        assert not public.startswith("_")
        assert isinstance(value, types.ModuleType) or value.__module__.startswith("graphlearn."), public


@pytest.mark.parametrize("name", WHOLE)
def test_what_a_public_module_defines_is_public_or_has_an_underscore(name):
    module = MODULES[name]
    made = [
        own
        for own, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__
    ]
    assert {own for own in made if not own.startswith("_")} == set(dir(module))
