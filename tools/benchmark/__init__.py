"""The benchmark's own definition of its training runs, and one module per peer."""
