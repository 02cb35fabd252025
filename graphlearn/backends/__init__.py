"""Backends: each turns a graph or a Program into something that runs."""
