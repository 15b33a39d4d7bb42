"""The hyperparameters of LeNet5: names, ranges, defaults. No torch, no data."""

import difflib
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

IMAGE: Final = 32  # pixels; every image is IMAGE x IMAGE x 3


@dataclass(frozen=True)
class Whole:
    default: int
    low: int
    high: int

    def parse(self, name: str, value: object) -> int:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            number = None
        # True is an int to Python and a mistake here.
        if number is None or isinstance(value, bool) or not self.low <= number <= self.high:
            raise ValueError(f"{name} must be a whole number from {self.low} to {self.high}, got {value!r}.")
        return number


@dataclass(frozen=True)
class Number:
    """A real number, low <= value < high; with `positive`, 0 itself is not allowed."""

    default: float
    high: float
    positive: bool = False

    def parse(self, name: str, value: object) -> float:
        fits = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or not 0 <= float(value) < self.high or (self.positive and value == 0):  # type: ignore[arg-type]
            least = "above 0" if self.positive else "of at least 0"
            raise ValueError(f"{name} must be a number {least} and below {self.high:g}, got {value!r}.")
        return float(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Choice:
    default: str
    values: tuple[str, ...]

    def parse(self, name: str, value: object) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, self.values))}, got {value!r}.")
        return str(value)


@dataclass(frozen=True)
class Switch:
    default: bool

    def parse(self, name: str, value: object) -> bool:
        # numpy's booleans are what an array of configurations holds.
        if type(value).__name__ not in ("bool", "bool_"):
            raise ValueError(f"{name} must be True or False, got {value!r}.")
        return bool(value)


# LeCun et al. (1998), fig. 2, with max-pooling and ReLU for the trained averages and tanh of the origin.
HYPERPARAMETERS: Final[Mapping[str, Whole | Number | Choice | Switch]] = {
    "C1": Whole(6, 1, 1024),  # output channels of the first convolution
    "C3": Whole(16, 1, 1024),  # output channels of the second
    "C5": Whole(120, 1, 8192),  # first dense layer: LeNet-5's 5x5 convolution of a 5x5 map is one
    "F6": Whole(84, 1, 8192),  # second dense layer
    "K1": Whole(5, 1, IMAGE - 1),  # kernel of C1, no padding, stride 1
    "K3": Whole(5, 1, IMAGE - 1),  # kernel of C3
    "activation": Choice("relu", ("relu", "tanh", "leaky_relu", "elu", "gelu", "silu")),
    "dropout": Number(0.0, 1.0),  # after C5 and after F6; off: a net this small underfits before it overfits
    "learning_rate": Number(1e-3, 10.0, positive=True),  # with Adam and 128 the recipe that was measured
    "batch_size": Whole(128, 1, 65536),
    "weight_decay": Number(0.0, 1.0),
    # adam: weight decay as an L2 term; adamw: decoupled; sgd: Nesterov momentum 0.9.
    "optimizer": Choice("adam", ("adam", "adamw", "sgd")),
    # The factor on the learning rate falls from 1 to 0 by the step; constant keeps an early epoch's score
    # independent of how many epochs were planned.
    "schedule": Choice("constant", ("constant", "linear", "cosine")),
    "label_smoothing": Number(0.0, 1.0),
    "flip": Switch(False),  # mirrored left to right, one image in two; off: wrong for digits, and little gained
    "crop": Whole(0, 0, 8),  # pixels of zero padding around a random crop; off: 6/16/84 underfits as it is
}

DEFAULTS: Final[Mapping[str, Any]] = {name: spec.default for name, spec in HYPERPARAMETERS.items()}


def parse(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with every value checked and made a plain Python one.

    Raises:
        ValueError: an unknown name, a value of the wrong type or out of range; names it and the cure.
    """
    for name in config:
        if name not in HYPERPARAMETERS:
            close = difflib.get_close_matches(str(name), HYPERPARAMETERS, n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"LeNet5 has no hyperparameter {name!r}.{hint} Known: {', '.join(HYPERPARAMETERS)}.")
    return {name: HYPERPARAMETERS[name].parse(name, value) for name, value in config.items()}


def feature_map(K1: int, K3: int) -> int:
    """Side of the square map that reaches C5, in pixels: convolve, pool by 2, convolve, pool by 2.

    Raises:
        ValueError: nothing is left of the image.
    """
    c1 = IMAGE - K1 + 1
    s2 = c1 // 2
    if s2 < 2:
        raise ValueError(
            f"K1={K1} leaves no pixels: {IMAGE}x{IMAGE} becomes {c1}x{c1} after C1 and {s2}x{s2} after its "
            f"pool, too small for C3 and a 2x2 pool; K1 must be at most {IMAGE - 3}."
        )
    if s2 - 1 < K3:
        raise ValueError(
            f"K3={K3} leaves no pixels: with K1={K1}, {IMAGE}x{IMAGE} becomes {c1}x{c1} after C1 and "
            f"{s2}x{s2} after its pool, too small for a {K3}x{K3} kernel and a 2x2 pool; K3 must be at most {s2 - 1}."
        )
    return (s2 - K3 + 1) // 2


def complete(config: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters: the defaults, then `fixed`, then `config`; later ones win. Raises as `parse`."""
    values = {**DEFAULTS, **parse(fixed), **parse(config)}
    feature_map(values["K1"], values["K3"])
    return values
