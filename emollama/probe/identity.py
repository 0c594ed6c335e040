"""The people that are drawn: skin, hair, face shape, feature geometry, clothes and background.

Lengths are in canvas pixels (`CANVAS` wide, twice the size of the video), measured from the centre
of the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

CANVAS = 512

Colour = tuple[int, int, int]
Hair = Literal["short", "side", "long", "bun", "curly", "receding"]

_SKINS: tuple[Colour, ...] = (
    (240, 206, 184), (232, 190, 162), (222, 178, 146), (206, 160, 124), (188, 138, 102),
    (164, 114, 80), (138, 94, 66), (112, 76, 54),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (34, 26, 24), (58, 40, 30), (92, 62, 40), (136, 92, 54), (186, 146, 92), (150, 146, 142),
    (104, 48, 30),
)  # fmt: skip
_IRISES: tuple[Colour, ...] = (
    (74, 48, 30), (96, 66, 38), (84, 104, 74), (82, 112, 142), (60, 42, 34), (104, 116, 122),
)  # fmt: skip
_HAIR_STYLES: tuple[Hair, ...] = ("short", "side", "long", "bun", "curly", "receding")


@dataclass(frozen=True)
class Identity:
    """One drawn person.

    Attributes:
        half_width: of the head at the cheeks.
        top, chin: height of the skull above and of the chin below the face's centre.
        square: exponent of the jaw's outline; 2 is an ellipse, more is squarer.
        eye_y, brow_y, nose_y, mouth_y: heights of the features; negative is up.
        expressiveness: factor on the intensity of every action unit.
        light: direction of the light, x and y.
    """

    skin: Colour
    hair: Colour
    hair_style: Hair
    iris: Colour
    lips: Colour
    clothes: Colour
    background: tuple[Colour, Colour]
    half_width: float
    top: float
    chin: float
    square: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_height: float
    brow_y: float
    brow_width: float
    brow_arch: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    lip_fullness: float
    stubble: float
    blush: float
    expressiveness: float
    light: tuple[float, float]


def make_identity(number: int) -> Identity:
    """Person `number`, the same for every seed of the corpus."""
    g = np.random.default_rng((20231105, number))

    def between(low: float, high: float) -> float:
        return float(g.uniform(low, high))

    def one_of(colours: tuple[Colour, ...], spread: float = 8.0) -> Colour:
        brightness, tint = g.normal(0, spread), g.normal(0, spread / 4, 3)
        return _shift(colours[int(g.integers(len(colours)))], brightness + tint)

    skin = one_of(_SKINS, 6.0)
    style = _HAIR_STYLES[int(g.integers(len(_HAIR_STYLES)))]
    backdrop = between(70, 190) + g.normal(0, 22, 3)
    dark_skin = skin[0] < 170
    hair = one_of(_HAIRS[:3] if dark_skin else _HAIRS)
    redness = np.array([between(0, 14), -between(28, 48), -between(22, 40)])
    eye_y = -34 + between(-6, 6)
    mouth_y = 84 + between(-7, 7)
    return Identity(
        skin=skin,
        hair=hair,
        hair_style=style,
        iris=one_of(_IRISES[:2] if dark_skin else _IRISES),
        lips=_shift(skin, redness),
        clothes=_shift((0, 0, 0), g.uniform(30, 190, 3)),
        background=(
            _shift((0, 0, 0), backdrop),
            _shift((0, 0, 0), backdrop * between(0.5, 0.85)),
        ),
        half_width=between(108, 128),
        top=between(166, 184),
        chin=between(150, 168),
        square=between(2.0, 2.5),
        eye_x=between(46, 55),
        eye_y=eye_y,
        eye_width=between(25, 30),
        eye_height=between(9.5, 13.5),
        brow_y=eye_y - between(29, 37),
        brow_width=between(4.5, 9.0),
        brow_arch=between(3, 10),
        nose_y=34 + between(-5, 6),
        nose_width=between(19, 27),
        mouth_y=mouth_y,
        mouth_width=between(38, 49),
        lip_fullness=between(0.75, 1.35),
        stubble=between(0.1, 0.4) if style in ("short", "side", "receding") and g.random() < 0.5
        else 0.0,
        blush=between(0.0, 0.22),
        expressiveness=between(0.85, 1.15),
        light=(between(-0.55, 0.55), between(-0.6, -0.15)),
    )  # fmt: skip


def _shift(colour: Colour, by: np.ndarray) -> Colour:
    r, g, b = (int(np.clip(c + d, 8, 250)) for c, d in zip(colour, by, strict=True))
    return r, g, b
