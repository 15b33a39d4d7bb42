"""A saved winner: one file that holds the weights and the card that says what they are, and the way back from it."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from torch import Tensor

    from .network import LeNet5

FORMAT: Final = "hpo-optuna model 1"


@dataclass(frozen=True)
class Prediction:
    """What a net says of one picture.

    Attributes:
        label: name of the class with the largest probability.
        probabilities: class name -> probability (softmax), in the order of the classes; they sum to 1.
    """

    label: str
    probabilities: Mapping[str, float]

    def __str__(self) -> str:
        first = sorted(self.probabilities.items(), key=lambda item: -item[1])[:3]
        return ", ".join(f"{name} ({share:.1%})" for name, share in first)


@dataclass(frozen=True, eq=False)
class Model:
    """A net that `finalize` saved, ready to predict.

    Attributes:
        card: configuration, seed, scores, classes, normalisation, hashes of the data and provenance.
        net: the torch module, in evaluation mode, on the CPU.
    """

    card: Mapping[str, Any]
    net: "LeNet5" = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the net's outputs."""
        return tuple(self.card["classes"])

    @overload  # a str is an Iterable[str] too: the first that fits holds
    def predict(self, picture: str | Path) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, picture: Iterable[str | Path]) -> list[Prediction]: ...
    def predict(self, picture: str | Path | Iterable[str | Path]) -> Prediction | list[Prediction]:
        """Classify a picture file, or several at once.

        Args:
            picture: path of a file that Pillow reads, of any size and mode; or several paths. It is converted to RGB
                and resized as the training pictures were.

        Raises:
            DataError: a file is missing or no picture.
        """
        import numpy as np

        from .picture import read_picture

        one = isinstance(picture, str | Path)
        paths = [picture] if isinstance(picture, str | Path) else list(picture)
        pixels = [read_picture(path, self.card["resize"]) for path in paths]
        shares = self._probabilities(np.stack(pixels)) if pixels else []
        found = [self._prediction(row) for row in shares]
        return found[0] if one else found

    def _prediction(self, shares: list[float]) -> Prediction:
        by_name = dict(zip(self.classes, shares, strict=True))
        return Prediction(max(by_name, key=by_name.__getitem__), by_name)

    def _probabilities(self, pixels: Any) -> list[list[float]]:
        import numpy as np
        import torch

        from .data import Split
        from .images import Images
        from .training import EVALUATION_BATCH, alone, precision

        card, device = self.card, torch.device("cpu")
        split = Split(
            pixels, np.zeros(len(pixels), np.int64), self.classes, "", tuple(card["mean"]), tuple(card["std"])
        )
        images = Images.of(split, device, split.mean, split.std)
        with alone(device), torch.inference_mode(), precision(device):
            batches = torch.split(torch.arange(len(pixels)), EVALUATION_BATCH)
            shares = torch.cat([self.net(images.batch(batch)).float().softmax(1) for batch in batches])
        rows: list[list[float]] = shares.tolist()
        return rows


def save_model(net: "LeNet5", card: Mapping[str, Any], path: Path) -> None:
    """Write weights and card to `path`, and the card alone, for reading, to `.json` beside it; each whole or not."""
    import torch

    weights = {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}
    text = json.dumps(card, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    torch.save({"format": FORMAT, "card": text, "sha256": _digest(text, weights), "weights": weights}, half)
    os.replace(half, path)
    half.write_text(text, encoding="utf-8")
    os.replace(half, path.with_suffix(".json"))


def load_model(path: str | Path) -> Model:
    """The model that `finalize` saved at `path` (`model.pt`, or its artifact from the dashboard).

    Loading executes no code of the file (torch's `weights_only`), and its checksum is verified.

    Raises:
        ValueError: the file is missing, damaged, or was not saved by `finalize`.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no model {path}; `hpo-optuna finalize` saves models as model.pt.")
    from .network import LeNet5

    content = _read(path)
    card = json.loads(content["card"])
    net = LeNet5(**card["network"])
    net.load_state_dict(content["weights"])
    return Model(card, net.eval())


def _read(path: Path) -> dict[str, Any]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on pickles of other tools
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no set of errors: a damaged file raises a dozen kinds
        raise ValueError(
            f"{path} is damaged or no model of `hpo-optuna finalize` ({type(error).__name__}); "
            "load the model.pt that finalize wrote, or finalize again into a new folder."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path} was not saved by this version of `hpo-optuna finalize`: it is not of the format {FORMAT!r}."
        )
    try:
        whole = content["sha256"] == _digest(content["card"], content["weights"])
    except (KeyError, TypeError, AttributeError, RuntimeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is damaged: its checksum is wrong; take another copy of it.")
    return content


def _digest(card: str, weights: "Mapping[str, Tensor]") -> str:
    digest = hashlib.sha256(card.encode())
    for name, tensor in weights.items():
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
