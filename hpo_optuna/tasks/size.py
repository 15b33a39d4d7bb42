"""How large a net is, and how much work one image makes for it: exact, from the configuration alone."""

from collections.abc import Mapping
from typing import Any, Final

from .hyperparameters import IMAGE, feature_map

COSTS: Final = ("parameters", "multiply_adds")


def size(config: Mapping[str, Any], classes: int) -> dict[str, int]:
    """Trainable parameters, and multiply-adds of the forward pass of one image, of a complete configuration.

    Layers with weights count; activations, pools and biases' additions do not.
    """
    C1, C3, C5, F6, K1, K3 = (config[name] for name in ("C1", "C3", "C5", "F6", "K1", "K3"))
    first, flat = IMAGE - K1 + 1, C3 * feature_map(K1, K3) ** 2
    second = first // 2 - K3 + 1
    # (weights of a layer, its units with a bias, places where the weights are applied)
    layers = [
        (3 * K1 * K1 * C1, C1, first * first),
        (C1 * K3 * K3 * C3, C3, second * second),
        (flat * C5, C5, 1),
        (C5 * F6, F6, 1),
        (F6 * classes, classes, 1),
    ]
    return {
        "parameters": sum(weights + biases for weights, biases, _ in layers),
        "multiply_adds": sum(weights * places for weights, _, places in layers),
    }
