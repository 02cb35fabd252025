"""Training: layers, losses, optimizers, initializers and `Model`."""

from graphlearn.learn import init, losses, nn, optim
from graphlearn.learn.failure import Failure
from graphlearn.learn.history import History
from graphlearn.learn.model import Model

__all__ = ["Failure", "History", "Model", "init", "losses", "nn", "optim"]
