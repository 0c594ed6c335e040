"""The head without its moving features: background, hair, neck, skin and its shading."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from emollama.probe.identity import CANVAS, Colour, Identity

CENTRE = (CANVAS / 2, CANVAS / 2 + 4)
"""Where a face's centre lies on the canvas."""

JAW_DROP = 26.0
"""How far a fully opened jaw lowers the chin."""

Points = list[tuple[float, float]]


def shade(colour: Colour, factor: float) -> Colour:
    """`colour` made darker (factor < 1) or lighter (> 1)."""
    r, g, b = (int(min(max(c * factor, 0), 255)) for c in colour)
    return r, g, b


def draw_head(who: Identity, jaw: float) -> Image.Image:
    """RGB canvas with everything but brows, eyes and mouth; `jaw` 0..1 is how far it is open."""
    image = _background(who)
    draw = ImageDraw.Draw(image, "RGBA")
    chin = who.chin + JAW_DROP * jaw
    _back_hair(draw, who)
    _shoulders(draw, who)
    _ears(draw, who)
    outline = _outline(who, chin)
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    image.paste(_skin(who, chin), (0, 0), mask)
    _front_hair(ImageDraw.Draw(image, "RGBA"), who)
    _nose(image, who)
    return image


def _at(x: float, y: float) -> tuple[float, float]:
    return CENTRE[0] + x, CENTRE[1] + y


def _box(x: float, y: float, half_width: float, half_height: float) -> tuple[float, ...]:
    return (*_at(x - half_width, y - half_height), *_at(x + half_width, y + half_height))


def _outline(who: Identity, chin: float) -> Points:
    """The face's outline: an ellipse above the centre, a squarer curve below it."""
    points: Points = []
    for t in np.linspace(0, 2 * math.pi, 96, endpoint=False):
        c, s = math.cos(t), math.sin(t)
        if s <= 0:
            points.append(_at(who.half_width * c, who.top * s))
        else:
            width = who.half_width * math.copysign(abs(c) ** (2 / who.square), c)
            # The jaw narrows towards the chin.
            points.append(_at(width * (1 - 0.16 * s), chin * s ** (2 / who.square)))
    return points


def _background(who: Identity) -> Image.Image:
    upper, lower = (np.array(c, dtype=np.float32) for c in who.background)
    ramp = np.linspace(0, 1, CANVAS, dtype=np.float32)
    rows = upper * (1 - ramp[:, None]) + lower * ramp[:, None]
    side = 1 + 0.18 * who.light[0] * np.linspace(-1, 1, CANVAS, dtype=np.float32)
    pixels = rows[:, None, :] * side[None, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _blob(x: float, y: float, width: float, height: float) -> np.ndarray:
    """A Gaussian spot at half resolution, [CANVAS / 2, CANVAS / 2], 1.0 at its centre."""
    grid = np.arange(CANVAS // 2, dtype=np.float32) * 2
    across = np.exp(-0.5 * ((grid - CENTRE[0] - x) / width) ** 2)
    down = np.exp(-0.5 * ((grid - CENTRE[1] - y) / height) ** 2)
    return np.asarray(down[:, None] * across[None, :], dtype=np.float32)


def _skin(who: Identity, chin: float) -> Image.Image:
    """Lambert shading of an ellipsoid, with shadows and highlights where faces have them."""
    grid = np.arange(CANVAS // 2, dtype=np.float32) * 2
    nx = ((grid - CENTRE[0]) / (who.half_width * 1.12))[None, :]
    dy = grid - CENTRE[1]
    ny = np.where(dy < 0, dy / (who.top * 1.1), dy / (chin * 1.1))[:, None]
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    lx, ly = who.light
    light = np.clip(nx * lx + ny * ly + nz * 0.85, 0, None)
    tone = 0.60 + 0.50 * light
    for side in (-1, 1):
        tone = tone - 0.16 * _blob(side * who.eye_x, who.eye_y - 4, 30, 15)  # sockets
        tone = tone - 0.09 * _blob(side * (who.nose_width + 1), who.nose_y - 12, 7, 26)
        tone = tone - 0.08 * _blob(side * who.half_width * 0.72, 66, 22, 44)  # hollow cheek
        tone = tone + 0.07 * _blob(side * who.half_width * 0.56, 14, 24, 18)  # cheek bone
    tone = tone + 0.10 * _blob(0, who.nose_y - 36, 6, 34) + 0.07 * _blob(0, -104, 62, 32)
    tone = tone - 0.18 * _blob(0, who.nose_y + 15, who.nose_width * 0.75, 6)
    tone = tone - 0.12 * _blob(0, who.mouth_y + 24 + (chin - who.chin), 24, 6)
    tone = tone + 0.07 * _blob(0, chin - 22, 20, 12)
    pixels = np.asarray(who.skin, dtype=np.float32) * tone[..., None]
    flush = sum((_blob(s * who.half_width * 0.55, 32, 24, 20) for s in (-1, 1)), np.float32(0))
    flush = flush + 0.6 * _blob(0, who.nose_y, 14, 12)
    pixels = pixels * (1 - who.blush * flush[..., None] * np.array([0.0, 0.55, 0.5], np.float32))
    if who.stubble:
        beard = np.clip(
            sum((_blob(s * 62, 104, 34, 34) for s in (-1, 1)), np.float32(0))
            + _blob(0, chin - 20, 52, 28) + 0.7 * _blob(0, who.mouth_y - 18, 30, 7), 0, 1,
        )  # fmt: skip
        weight = who.stubble * beard[..., None]
        pixels = pixels * (1 - weight) + np.asarray(who.hair, dtype=np.float32) * weight
    small = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return small.resize((CANVAS, CANVAS), Image.Resampling.BILINEAR)


def _shoulders(draw: ImageDraw.ImageDraw, who: Identity) -> None:
    neck = who.half_width * 0.55
    draw.polygon(
        [_at(-neck, 90), _at(neck, 90), _at(neck * 1.12, 226), _at(-neck * 1.12, 226)],
        fill=shade(who.skin, 0.68),
    )
    draw.ellipse(_box(0, 300, 212, 108), fill=who.clothes)
    draw.ellipse(_box(0, 206, neck * 1.02, 30), fill=shade(who.skin, 0.76))
    draw.arc(_box(0, 206, neck * 1.06, 32), 0, 180, fill=shade(who.clothes, 0.7), width=6)


def _ears(draw: ImageDraw.ImageDraw, who: Identity) -> None:
    for side in (-1, 1):
        x = side * (who.half_width + 3)
        draw.ellipse(_box(x, who.eye_y + 26, 15, 31), fill=shade(who.skin, 0.84))
        draw.ellipse(_box(x + side * 2, who.eye_y + 26, 8, 20), fill=shade(who.skin, 0.70))


def _back_hair(draw: ImageDraw.ImageDraw, who: Identity) -> None:
    dark = shade(who.hair, 0.75)
    if who.hair_style == "long":
        draw.ellipse(_box(0, -44, who.half_width + 34, who.top - 14), fill=dark)
        draw.rounded_rectangle(
            (*_at(-who.half_width - 32, -50), *_at(who.half_width + 32, 190)), 46, fill=dark
        )
    elif who.hair_style == "bun":
        draw.ellipse(_box(0, -who.top - 10, 44, 38), fill=dark)
    elif who.hair_style == "curly":
        for angle in np.linspace(math.pi * 0.93, math.pi * 2.07, 17):
            x, y = math.cos(angle) * (who.half_width + 12), math.sin(angle) * (who.top - 4)
            draw.ellipse(_box(x, y + 4, 34, 34), fill=dark)


def _front_hair(draw: ImageDraw.ImageDraw, who: Identity) -> None:
    """A cap from the crown to the hairline; its lower edge distinguishes the styles."""
    line = {"short": -118, "side": -110, "long": -112, "bun": -124, "curly": -108, "receding": -140}
    hairline = line[who.hair_style] * who.top / 175
    start = {"receding": 0.02, "bun": 0.10, "short": 0.05}.get(who.hair_style, -0.02)
    crown = [
        _at((who.half_width + 7) * math.cos(t), (who.top + 9) * math.sin(t))
        for t in np.linspace(-math.pi - start, start, 40)
    ]
    edge: Points = []
    for s in np.linspace(1, -1, 32):
        x = s * who.half_width * 0.97
        if who.hair_style == "side":
            y = hairline - 30 * math.exp(-(((s - 0.45) / 0.28) ** 2)) + 92 * abs(s) ** 6
        elif who.hair_style == "receding":
            y = hairline - 8 * (1 - (2 * abs(s) - 1) ** 2) + 104 * abs(s) ** 7
        else:
            y = hairline - 10 * (1 - s * s) + 100 * abs(s) ** 5
        edge.append(_at(x, y))
    draw.polygon([*crown, *edge], fill=who.hair)
    draw.line([*crown, crown[-1]], fill=who.hair, width=7, joint="curve")
    for k in range(-4, 5):  # strands
        x = k * who.half_width / 5
        draw.line(
            [_at(x * 0.45, -who.top * 0.93 + abs(k) * 4), _at(x * 0.9, hairline - 34 + abs(k) * 4)],
            fill=(*shade(who.hair, 1.35), 70), width=3,
        )  # fmt: skip


def _nose(image: Image.Image, who: Identity) -> None:
    """Nostrils, wings and the shadow beside the bridge."""
    layer = Image.new("RGBA", image.size, (*who.skin, 0))
    draw = ImageDraw.Draw(layer)
    dark = shade(who.skin, 0.42)
    for side in (-1, 1):
        draw.ellipse(
            _box(side * who.nose_width * 0.44, who.nose_y + 8, 6.5, 3.8), fill=(*dark, 215)
        )
        draw.arc(
            _box(side * who.nose_width * 0.78, who.nose_y + 1, 9, 11),
            -70 if side > 0 else 110, 80 if side > 0 else 250, fill=(*dark, 150), width=3,
        )  # fmt: skip
    start = who.light[0] <= 0
    side = 1 if start else -1  # the side away from the light
    draw.line(
        [_at(side * 11, who.eye_y - 6), _at(side * 9, who.eye_y + 22),
         _at(side * (who.nose_width * 0.62), who.nose_y - 6)],
        fill=(*dark, 70), width=6, joint="curve",
    )  # fmt: skip
    layer = layer.filter(ImageFilter.GaussianBlur(1.4))
    image.paste(layer, (0, 0), layer)
