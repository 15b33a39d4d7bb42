"""A picture file as the net is fed: RGB, 32x32, resized the way the data set was."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .hyperparameters import IMAGE
from .source import DataError

Steps: TypeAlias = Sequence[tuple[int, str]]  # (side in pixels, Pillow's filter), one resize after the other

PHOTOGRAPHS: Final[Steps] = ((IMAGE, "bilinear"),)
# The digits are 8x8 pixels, each enlarged to 4x4: a digit of any size goes through the same bottleneck.
DIGITS: Final[Steps] = ((8, "box"), (IMAGE, "nearest"))
STEPS: Final[dict[str, Steps]] = {"cifar10": PHOTOGRAPHS, "folder": PHOTOGRAPHS, "digits": DIGITS}


def read_picture(path: str | Path, steps: Steps = PHOTOGRAPHS) -> NDArray[np.uint8]:
    """Pixels of a picture file of any size and mode, shape (32, 32, 3).

    A picture that is 32x32 already goes through `steps` all the same, unless the first step leaves it as it is.

    Raises:
        DataError: the file is missing, or no picture that Pillow can read.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Pillow warns of oddities (transparent palettes, damaged EXIF) of pictures it can read.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the image '{path}' ({error}); replace it or remove it.") from error
    for side, name in steps:
        if picture.size != (side, side):
            picture = picture.resize((side, side), Image.Resampling[name.upper()])
    return np.asarray(picture)
