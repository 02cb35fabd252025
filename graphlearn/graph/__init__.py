"""The immutable graph: nodes, leaves, scopes, names, traversal, rewriting, binding of values."""
