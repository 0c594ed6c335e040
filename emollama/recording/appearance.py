"""What tells the people of one recording apart: colours and shapes of face, hair and clothes.

No face recognition is at hand or wanted: the vector says how somebody looks today, in these
clothes, and is of no use for finding them elsewhere. It is personal all the same, and stays in
memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.media.faces import Face, square_crops

_BUST = 24  # pixels of the crop that shows hair, face and shoulders
_BUST_MARGIN = 0.55  # around the face, as a share of its longer side
_BUST_DOWN = 0.25  # how far its centre lies below the face's
_CELLS = 6  # cells across and down of the colour layout
_FACE = 48  # pixels of the crop that shapes are read from
_TILES, _ANGLES = 4, 8  # tiles across, directions of a gradient
_WEIGHTS = (1.0, 0.6, 0.5)  # colour layout, colour amounts, shapes


def appearance(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Vectors float32 [K, D] of the faces of one picture, uint8 [H, W, 3].

    The distance of two vectors is about 0.1 to 0.4 for one person and above for two.
    """
    if not faces:
        return np.zeros((0, WIDTH), np.float32)
    shown = np.broadcast_to(image, (len(faces), *image.shape))
    busts = square_crops(shown, [_lowered(face) for face in faces], _BUST, _BUST_MARGIN)
    closer = square_crops(shown, faces, _FACE)
    parts = (_layout(busts), _amounts(busts), _shapes(closer))
    return np.concatenate(
        [part * weight for part, weight in zip(parts, _WEIGHTS, strict=True)], axis=1
    ).astype(np.float32)


def _lowered(face: Face) -> Face:
    left, top, right, bottom = face.box
    down = _BUST_DOWN * (bottom - top)
    return Face((left, top + down, right, bottom + down), face.score, face.points)


def _opponent(crops: np.ndarray) -> np.ndarray:
    """Brightness, red against green, yellow against blue, about -1..1, of uint8 [..., 3]."""
    red, green, blue = np.moveaxis(crops.astype(np.float32) / 255, -1, 0)
    light = (red + green + blue) / 3
    return np.stack([light, 2 * (red - green), red + green - 2 * blue], axis=-1)


def _layout(busts: np.ndarray) -> np.ndarray:
    """Mean colour of each cell, [K, cells * cells * 3]; brightness relative to the whole."""
    side = _BUST // _CELLS
    cells = busts.reshape(len(busts), _CELLS, side, _CELLS, side, 3).mean((2, 4))
    colours = _opponent(cells)
    colours[..., 0] -= 0.5 * colours[..., 0].mean((1, 2), keepdims=True)
    return colours.reshape(len(busts), -1) / _CELLS


def _amounts(busts: np.ndarray) -> np.ndarray:
    """How much of each colour there is, above, in and below the face, as square roots."""
    light = np.minimum(busts.mean(-1).astype(int) // 64, 3)
    opposed = _opponent(busts)[..., 1:]
    places = np.clip(((opposed + 0.6) / 1.2 * 6).astype(int), 0, 5)
    colour = (light * 6 + places[..., 0]) * 6 + places[..., 1]
    rows = _BUST // 3
    found = []
    for i in range(3):
        part = colour[:, i * rows : (i + 1) * rows].reshape(len(busts), -1)
        counts = (part[:, :, None] == np.arange(144)).mean(1)
        found.append(np.sqrt(counts))
    return np.concatenate(found, axis=1) / np.sqrt(3)


def _shapes(faces: np.ndarray) -> np.ndarray:
    """Directions of the edges in each tile of the face, of length 1."""
    grey = faces.astype(np.float32).mean(-1)
    down = np.gradient(grey, axis=1)
    across = np.gradient(grey, axis=2)
    strength = np.hypot(down, across)
    angle = np.mod(np.arctan2(down, across), np.pi) / np.pi * _ANGLES
    low = np.floor(angle).astype(int)
    part = angle - low
    maps = np.zeros((*grey.shape, _ANGLES), np.float32)
    np.put_along_axis(maps, (low % _ANGLES)[..., None], (strength * (1 - part))[..., None], -1)
    second = ((low + 1) % _ANGLES)[..., None]
    value = np.take_along_axis(maps, second, -1) + (strength * part)[..., None]
    np.put_along_axis(maps, second, value, -1)
    side = _FACE // _TILES
    tiles = maps.reshape(len(faces), _TILES, side, _TILES, side, _ANGLES).mean((2, 4))
    tiles = np.sqrt(tiles.reshape(len(faces), -1))
    return tiles / np.maximum(np.linalg.norm(tiles, axis=1, keepdims=True), 1e-6)


WIDTH = _CELLS * _CELLS * 3 + 3 * 144 + _TILES * _TILES * _ANGLES
"""D, numbers in an appearance vector."""
