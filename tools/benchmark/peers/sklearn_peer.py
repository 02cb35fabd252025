"""scikit-learn: MLPClassifier and MLPRegressor, one fit from the same weights over the same rows.

The rows are laid out in the order of the run, so that one unshuffled epoch is the whole run. Its Adam adds epsilon
before the bias correction, so those runs end elsewhere by some per cent.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmark.peers import CannotRun
from benchmark.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Layer, Workload

NEEDS = "sklearn"
VARIANTS = {"fit": "one fit"}


class Run:
    """One workload in scikit-learn."""

    def __init__(self, w: Workload) -> None:
        if w.activation == "gelu" or w.drop:
            raise CannotRun("scikit-learn's networks have neither gelu nor dropout")
        self.w = w
        self.y = w.Y if w.loss == "ce" else w.Y.ravel() if w.sizes[-1] == 1 else w.Y
        self.kind = self._started(MLPRegressor if w.loss == "mse" else MLPClassifier)
        # It halves the squared error and sums over outputs, where the workload takes their mean.
        rate = w.rate * (2.0 / w.sizes[-1] if w.loss == "mse" else 1.0)
        self.options = dict(
            hidden_layer_sizes=w.sizes[1:-1], activation="identity" if w.activation == "none" else w.activation,
            solver="adam" if w.optimizer == "adam" else "sgd", alpha=0.0, batch_size=w.batch,
            learning_rate_init=rate,
            momentum=MOMENTUM if w.optimizer == "momentum" else 0.0, nesterovs_momentum=False,
            beta_1=BETA1, beta_2=BETA2,
            epsilon=EPSILON, shuffle=False, tol=0.0, n_iter_no_change=10**9, max_iter=w.steps if w.order is None else 1,
        )  # fmt: skip
        warnings.simplefilter("ignore", ConvergenceWarning)

    def _started(self, base: Any) -> Any:
        """The estimator with the workload's initial weights."""
        params = self.w.params

        class Started(base):  # type: ignore[misc]
            def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> Layer:
                W, b = params[len(self.coefs_)]
                return W.astype(dtype), b.astype(dtype)

        return Started

    def run(self) -> Any:
        """The whole training run."""
        w = self.w
        if w.order is None:
            return self.kind(**self.options).fit(w.X, self.y)
        rows = w.order.ravel()
        return self.kind(**self.options).fit(w.X[rows], self.y[rows])

    def params(self, handle: Any) -> list[Layer]:
        """Final parameters."""
        return [(np.asarray(W), np.asarray(b)) for W, b in zip(handle.coefs_, handle.intercepts_, strict=True)]


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w)
