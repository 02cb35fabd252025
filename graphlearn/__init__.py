"""graphlearn: see every step of backpropagation, then train the very same graph at compiled speed."""

__version__ = "0.1.0"
