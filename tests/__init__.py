"""The tests; a package, so that tests can share helpers (``from tests.architecture import ...``)."""
