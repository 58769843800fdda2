"""The embedded model: handwritten digits, so that a conversion needs no network, no download and no argument.

The pictures are the 1797 of `sklearn.datasets.load_digits()`: a copy of the test part of the UCI data set "Optical
Recognition of Handwritten Digits", digits that 13 people wrote on forms, each counted down to 8x8 grey values. The
model was trained on four fifths of them by `edgekit.digits.recipe`; the other fifth lies here in `held_out.npz`. The
parts were drawn at random, so the same 13 hands wrote both: an accuracy on it says nothing about another hand.

Please cite: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, https://doi.org/10.24432/C50P49. Licence: Creative Commons Attribution 4.0 International (CC BY 4.0),
https://creativecommons.org/licenses/by/4.0/. Changed here: the values 0..16 are scaled to 0..255, and `held_out.npz`
holds 360 of the pictures.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_OUT_FILE = "held_out.npz"


def held_out() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the pictures that the embedded model was not trained on.

    Returns:
        The pictures, uint8 `(360, 8, 8)`, 0 (paper) to 255 (ink), and what they show, uint8 `(360,)`, 0 to 9.
    """
    import numpy as np

    path = resources.files(__name__) / HELD_OUT_FILE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["pictures"], arrays["labels"]
