"""What tells the people of one recording apart: colours of hair and clothes, shapes of the face.

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
_BUST_DOWN = 0.25  # how far its centre lies below the face's, as a share of the face's height
_CELLS = 8  # cells across and down whose colours are read
_ROWS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 0.5, 0.4)  # weights: a close-up shows no clothes
_FACE = 48  # pixels of the crop that shapes are read from
_TILES, _ANGLES = 6, 8  # tiles across and down, directions of an edge
_SHAPE = 0.35  # weight of shapes beside colours

WIDTH = _CELLS * (_CELLS - 2) * 3 + _TILES * _TILES * _ANGLES
"""Numbers in an appearance vector."""


def appearance(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Vectors float32 [K, WIDTH] of the faces of one picture, uint8 [H, W, 3].

    Where light and size change, medians over 2 s of one person lie about 0.12 apart, those of two
    people 0.25; at 0.18 as many pairs of one are taken for two as the other way round: 6 to 8 of
    100 (6 people of Java-SED before one wall, `tests/recording/test_picture.py` for drawn ones).
    """
    if not faces:
        return np.zeros((0, WIDTH), np.float32)
    shown = np.broadcast_to(image, (len(faces), *image.shape))
    busts = square_crops(shown, [_lowered(face) for face in faces], _BUST, _BUST_MARGIN)
    closer = square_crops(shown, faces, _FACE)
    return np.concatenate([_colours(busts), _SHAPE * _shapes(closer)], axis=1).astype(np.float32)


def _lowered(face: Face) -> Face:
    left, top, right, bottom = face.box
    down = _BUST_DOWN * (bottom - top)
    return Face((left, top + down, right, bottom + down), face.score, face.points)


def _colours(busts: np.ndarray) -> np.ndarray:
    """Brightness, red-green and yellow-blue of each cell, [K, cells * (cells - 2) * 3].

    The light is taken off: the crop as a whole is made a medium grey. The outermost columns are
    left out: they show the wall, or a neighbour.
    """
    side = _BUST // _CELLS
    cells = busts.reshape(len(busts), _CELLS, side, _CELLS, side, 3).mean((2, 4))
    grey = np.maximum(cells.mean((1, 2), keepdims=True), 1)
    cells = np.clip(cells / grey / 2, 0, 1)[:, :, 1:-1]
    red, green, blue = np.moveaxis(cells, -1, 0)
    light = (red + green + blue) / 3
    light = light - 0.5 * light.mean((1, 2), keepdims=True)
    opposed = np.stack([light, 2 * (red - green), red + green - 2 * blue], axis=-1)
    opposed = opposed * np.array(_ROWS)[:, None, None]
    return opposed.reshape(len(busts), -1) / _CELLS


def _shapes(faces: np.ndarray) -> np.ndarray:
    """Directions of the edges in each tile of the face, [K, tiles * tiles * angles] of length 1."""
    grey = faces.astype(np.float32).mean(-1)
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    angle = np.mod(np.arctan2(down, across), np.pi) / np.pi * _ANGLES
    low = np.floor(angle).astype(int)
    part = angle - low
    maps = np.zeros((*grey.shape, _ANGLES), np.float32)
    # An edge between two directions counts for both.
    first, second = (low % _ANGLES)[..., None], ((low + 1) % _ANGLES)[..., None]
    np.put_along_axis(maps, first, (strength * (1 - part))[..., None], -1)
    np.put_along_axis(maps, second, (strength * part)[..., None], -1)
    side = _FACE // _TILES
    tiles = maps.reshape(len(faces), _TILES, side, _TILES, side, _ANGLES).mean((2, 4))
    tiles = np.sqrt(tiles.reshape(len(faces), -1))
    return tiles / np.maximum(np.linalg.norm(tiles, axis=1, keepdims=True), 1e-6)
