"""The CPU backend: readable Python source from a `Program`, compiled by Numba."""
