"""LeNet5 as a torch module, its widths, kernels, activation and dropout free."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .hyperparameters import feature_map

ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
}

# max(f(a), f(b)) = f(max(a, b)) for a rising f: after the pool it is a quarter of the work.
RISING: Final = {"relu", "tanh", "leaky_relu", "elu"}


class LeNet5(nn.Module):
    """Convolution C1, pool, convolution C3, pool, dense C5, dense F6, dense output.

    The parameters are left unset: `initialize` draws them from a generator, so that building a net touches no
    global random state.
    """

    def __init__(
        self,
        *,
        C1: int,
        C3: int,
        C5: int,
        F6: int,
        K1: int,
        K3: int,
        activation: str,
        dropout: float,
        classes: int,
    ) -> None:
        super().__init__()
        side = feature_map(K1, K3)
        with torch.device("meta"):
            self.C1 = nn.Conv2d(3, C1, K1)
            self.C3 = nn.Conv2d(C1, C3, K3)
            self.C5 = nn.Linear(C3 * side * side, C5)
            self.F6 = nn.Linear(C5, F6)
            self.output = nn.Linear(F6, classes)
        self.to_empty(device="cpu")
        self.activation = ACTIVATIONS[activation]
        self.rising = activation in RISING
        self.dropout = dropout

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits, shape (batch, classes), of normalised images, shape (batch, 3, 32, 32).

        Args:
            generator: what dropout draws from, on the device of the images; None evaluates, without dropout.
        """
        x = self._pool(self.C1(images))
        x = self._pool(self.C3(x)).flatten(1)
        x = self._drop(self.activation(self.C5(x)), generator)
        x = self._drop(self.activation(self.F6(x)), generator)
        return self.output(x)  # type: ignore[no-any-return]

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights and biases from U(-b, b), b = 1/sqrt(fan in): torch's own rule for these layers."""
        for layer in (self.C1, self.C3, self.C5, self.F6, self.output):
            bound = layer.weight[0].numel() ** -0.5
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def _pool(self, x: Tensor) -> Tensor:
        if self.rising:
            return self.activation(F.max_pool2d(x, 2))
        return F.max_pool2d(self.activation(x), 2)

    def _drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        # nn.Dropout takes no generator: it would draw from the global one.
        if generator is None or self.dropout == 0:
            return x
        keep = torch.empty_like(x, requires_grad=False).bernoulli_(1 - self.dropout, generator=generator)
        return x * keep / (1 - self.dropout)
