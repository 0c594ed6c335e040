"""Draws brows, eyes and mouth from action units, over a head.

Each unit moves what its muscle moves (Ekman & Friesen, Facial Action Coding System): AU4 draws
the brows down and together, AU12 pulls the lip corners up, and so on. Intensities are 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from emollama.probe.head import CENTRE, JAW_DROP, Points, draw_head, shade
from emollama.probe.identity import CANVAS, Identity

SIZE = 224
_KEPT = CANVAS // 2
_JAW_STEPS = 6


class FacePainter:
    """Draws one person; heads are cached for a few jaw openings."""

    def __init__(self, who: Identity) -> None:
        self._who = who
        self._heads: dict[int, Image.Image] = {}

    def draw(
        self,
        units: Mapping[str, float],
        *,
        speech: float = 0.0,
        blink: float = 0.0,
        gaze: tuple[float, float] = (0.0, 0.0),
        pose: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
    ) -> np.ndarray:
        """One frame, uint8 [224, 224, 3].

        Args:
            units: action unit to intensity; other units are at rest.
            speech: how far speaking opens the mouth, 0..1.
            blink: how far the lids are shut, 0..1.
            gaze: offset of the irises, pixels of the canvas.
            pose: x, y in frame pixels, roll in degrees, scale.
        """
        opening = min(0.9 * units.get("AU26", 0.0) + 0.45 * speech, 1.2)
        step = min(round(opening * _JAW_STEPS), _JAW_STEPS)
        if step not in self._heads:
            self._heads[step] = draw_head(self._who, step / _JAW_STEPS)
        image = self._heads[step].copy()
        draw = ImageDraw.Draw(image, "RGBA")
        _creases(draw, self._who, units)
        for side in (-1, 1):
            _eye(image, self._who, units, side, blink, gaze)
            _brow(draw, self._who, units, side)
        _mouth(image, self._who, units, opening)
        return _posed(image.reduce(2), pose)


def _posed(image: Image.Image, pose: tuple[float, float, float, float]) -> np.ndarray:
    x, y, roll, scale = pose
    c, s = math.cos(math.radians(roll)) / scale, math.sin(math.radians(roll)) / scale
    half, middle = SIZE / 2, _KEPT / 2
    matrix = (
        c, s, middle - c * (half + x) - s * (half + y),
        -s, c, middle + s * (half + x) - c * (half + y),
    )  # fmt: skip
    moved = image.transform(
        (SIZE, SIZE), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def _at(x: float, y: float) -> tuple[float, float]:
    return CENTRE[0] + x, CENTRE[1] + y


def _brow(draw: ImageDraw.ImageDraw, who: Identity, units: Mapping[str, float], side: int) -> None:
    inner = who.brow_y - 21 * units.get("AU1", 0) + 17 * units.get("AU4", 0)
    middle = (
        who.brow_y - who.brow_arch
        - 8 * units.get("AU1", 0) - 15 * units.get("AU2", 0) + 9 * units.get("AU4", 0)
    )  # fmt: skip
    outer = who.brow_y + 5 - 17 * units.get("AU2", 0) + 2 * units.get("AU4", 0)
    left = who.eye_x - 29 - 8 * units.get("AU4", 0)
    right = who.eye_x + 32
    upper: Points = []
    lower: Points = []
    for t in np.linspace(0, 1, 14):
        x = left + (right - left) * t
        # A quadratic through the three heights at t = 0, 0.55 and 1.
        y = (
            inner * (t - 0.55) * (t - 1) / 0.55
            + middle * t * (t - 1) / (0.55 * -0.45)
            + outer * t * (t - 0.55) / 0.45
        )
        thickness = who.brow_width * (1 - 0.7 * t**2) * min(1.0, 0.6 + 2.5 * t)
        upper.append(_at(side * x, y - thickness))
        lower.append(_at(side * x, y + thickness * 0.8))
    draw.polygon([*upper, *reversed(lower)], fill=(*shade(who.hair, 0.8), 235))


def _eye(
    image: Image.Image,
    who: Identity,
    units: Mapping[str, float],
    side: int,
    blink: float,
    gaze: tuple[float, float],
) -> None:
    tight = units.get("AU7", 0)
    height = who.eye_height * (1 + 0.75 * units.get("AU5", 0) - 0.32 * tight) * (1 - blink)
    depth = who.eye_height * 0.62 * (1 - 0.45 * tight - 0.5 * units.get("AU6", 0)) * (1 - blink)
    depth += who.eye_height * 0.55 * blink
    height -= who.eye_height * 0.5 * blink
    slant = 2.0 - 3.0 * units.get("AU1", 0) * 0.5
    upper: Points = []
    lower: Points = []
    for t in np.linspace(-1, 1, 17):
        x = side * who.eye_x + side * t * who.eye_width
        base = who.eye_y - slant * t
        bow = (1 - t * t) ** 0.75
        upper.append(_at(x, base - height * bow))
        lower.append(_at(x, base + depth * bow))
    almond = [*upper, *reversed(lower)]
    draw = ImageDraw.Draw(image, "RGBA")
    skin = shade(who.skin, 0.62)
    crease = [(x, y - 6.5 - 2 * units.get("AU5", 0)) for x, y in upper]
    draw.line(crease[2:-1], fill=(*skin, 150), width=3, joint="curve")
    left, top = int(min(p[0] for p in almond)) - 2, int(min(p[1] for p in almond)) - 2
    right, bottom = int(max(p[0] for p in almond)) + 3, int(max(p[1] for p in almond)) + 3
    patch = Image.new("RGB", (right - left, bottom - top), (236, 232, 228))
    ball = ImageDraw.Draw(patch)
    x, y = _at(side * who.eye_x + gaze[0], who.eye_y + 0.5 + gaze[1])
    x, y, radius = x - left, y - top, who.eye_width * 0.47
    ball.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(who.iris, 0.6))
    inner = radius * 0.84
    ball.ellipse((x - inner, y - inner, x + inner, y + inner), fill=who.iris)
    pupil = radius * 0.42
    ball.ellipse((x - pupil, y - pupil, x + pupil, y + pupil), fill=(12, 10, 10))
    ball.ellipse((x - 5, y - 6.5, x - 0.5, y - 2), fill=(250, 250, 250))
    # The upper lid's shadow on the eyeball.
    shadow = [(px - left, py - top + 2) for px, py in upper]
    ball.line(shadow, fill=(150, 140, 136), width=4)
    mask = Image.new("L", patch.size, 0)
    ImageDraw.Draw(mask).polygon([(px - left, py - top) for px, py in almond], fill=255)
    image.paste(patch, (left, top), mask)
    draw.line(upper, fill=(34, 24, 22, 235), width=5, joint="curve")
    draw.line(lower, fill=(*shade(who.skin, 0.5), 170), width=2, joint="curve")
    bag = [(x, y + 8 - 2 * units.get("AU6", 0)) for x, y in lower]
    alpha = int(60 + 110 * min(units.get("AU6", 0) + 0.5 * tight, 1))
    draw.line(bag[2:-2], fill=(*shade(who.skin, 0.7), alpha), width=3, joint="curve")


def _creases(draw: ImageDraw.ImageDraw, who: Identity, units: Mapping[str, float]) -> None:
    """Skin folds of a unit: frown lines, forehead lines, crow's feet, smile folds."""

    def line(points: Points, strength: float, width: int = 3) -> None:
        alpha = int(min(max(strength, 0), 1) * 150)
        if alpha > 12:
            draw.line(points, fill=(*shade(who.skin, 0.5), alpha), width=width, joint="curve")

    frown, raised = units.get("AU4", 0), max(units.get("AU1", 0), units.get("AU2", 0))
    for side in (-1, 1):
        line([_at(side * 8, who.brow_y - 6), _at(side * 6, who.brow_y + 20)], frown, 4)
        smile = units.get("AU12", 0)
        line(
            [_at(side * (who.nose_width + 6), who.nose_y),
             _at(side * (who.mouth_width + 8), who.nose_y + 24),
             _at(side * (who.mouth_width + 15 + 5 * smile), who.mouth_y - 8)],
            0.18 + 0.8 * smile + 0.4 * units.get("AU9", 0), 4,
        )  # fmt: skip
        outer = who.eye_x + who.eye_width + 4
        for k in (-1, 0, 1):
            line(
                [_at(side * outer, who.eye_y + 2 + 4 * k),
                 _at(side * (outer + 13), who.eye_y + 2 + 9 * k)],
                0.85 * units.get("AU6", 0) - 0.1, 2,
            )  # fmt: skip
        cheek = units.get("AU6", 0)
        line(
            [_at(side * (who.eye_x - 18), who.eye_y + 27 - 3 * cheek),
             _at(side * (who.eye_x + 6), who.eye_y + 33 - 4 * cheek),
             _at(side * (who.eye_x + 32), who.eye_y + 24 - 3 * cheek)],
            0.6 * cheek, 4,
        )  # fmt: skip
    for k in range(3):
        y = who.brow_y - 30 - 13 * k
        line([_at(-44 + 6 * k, y + 3), _at(0, y), _at(44 - 6 * k, y + 3)], 0.75 * raised - 0.1)
    for k in range(3):
        y = who.eye_y + 6 + 10 * k
        line([_at(-15, y + 7), _at(0, y), _at(15, y + 7)], 1.2 * units.get("AU9", 0), 4)
    chin = who.chin - 24 + JAW_DROP * 0.8 * units.get("AU26", 0)
    line([_at(-17, chin + 2), _at(0, chin - 5), _at(17, chin + 2)], units.get("AU17", 0), 4)


def _mouth(image: Image.Image, who: Identity, units: Mapping[str, float], opening: float) -> None:
    smile, frown = units.get("AU12", 0), units.get("AU15", 0)
    stretch, pressed, chin = units.get("AU20", 0), units.get("AU23", 0), units.get("AU17", 0)
    width = who.mouth_width * (1 + 0.26 * smile + 0.36 * stretch - 0.16 * pressed)
    width *= 1 - 0.14 * min(opening, 1) * (1 - 0.6 * smile)
    corner = -19 * smile + 17 * frown + 6 * stretch
    full = who.lip_fullness * (1 - 0.6 * pressed - 0.25 * smile - 0.3 * stretch)
    full = max(full, 0.22)
    upper_lip, lower_lip = 9.5 * full, 13.0 * full + 2.5 * chin
    gap = max(46 * opening * (1 - 0.35 * pressed) + 6 * smile + 11 * stretch - 5 * chin, 0)
    middle = who.mouth_y - 5 * chin + 2 * smile
    outer_top: Points = []
    inner_top: Points = []
    inner_low: Points = []
    outer_low: Points = []
    for t in np.linspace(-1, 1, 25):
        x, lift = t * width, corner * abs(t) ** 1.7
        arch = max(1 - t * t, 0.0)
        base = middle + lift
        seam_up = base - 0.22 * gap * arch**0.8
        seam_down = base + 0.78 * gap * arch**0.7
        cupid = 1 - 0.28 * math.exp(-((t / 0.13) ** 2))
        outer_top.append(_at(x, seam_up - upper_lip * arch**0.6 * cupid))
        inner_top.append(_at(x, seam_up))
        inner_low.append(_at(x, seam_down))
        outer_low.append(_at(x, seam_down + lower_lip * arch**0.65))
    draw = ImageDraw.Draw(image, "RGBA")
    shadow = [(x, y + 5) for x, y in outer_low]
    draw.line(shadow[5:-5], fill=(*shade(who.skin, 0.55), 90), width=6, joint="curve")
    draw.polygon([*outer_top, *reversed(inner_top)], fill=shade(who.lips, 0.84))
    draw.polygon([*inner_low, *reversed(outer_low)], fill=who.lips)
    glint = [((a[0] + b[0]) / 2, a[1] * 0.45 + b[1] * 0.55)
             for a, b in zip(inner_low, outer_low, strict=True)]  # fmt: skip
    draw.line(glint[9:-9], fill=(255, 255, 255, 46), width=4)
    if gap > 3:
        cavity = [*inner_top, *reversed(inner_low)]
        box = (
            int(min(p[0] for p in cavity)), int(min(p[1] for p in cavity)) - 1,
            int(max(p[0] for p in cavity)) + 1, int(max(p[1] for p in cavity)) + 2,
        )  # fmt: skip
        patch = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), (58, 18, 20))
        inside = ImageDraw.Draw(patch)
        teeth = min(0.5 * gap + 5 * smile + 7 * stretch, 15)
        inside.polygon(
            [(x - box[0], y - box[1]) for x, y in inner_top]
            + [(x - box[0], y - box[1] + teeth) for x, y in reversed(inner_top)],
            fill=(232, 226, 216),
        )
        if gap > 20:
            inside.ellipse(
                (patch.width * 0.28, patch.height - 15, patch.width * 0.72, patch.height + 12),
                fill=(150, 66, 66),
            )
        mask = Image.new("L", patch.size, 0)
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in cavity], fill=255)
        image.paste(patch, box[:2], mask)
    draw.line(inner_top, fill=(*shade(who.lips, 0.35), 200), width=3, joint="curve")
    for x, y in (inner_top[0], inner_top[-1]):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(*shade(who.skin, 0.45), 150))
