"""Facial signs in pictures: expression features, or MediaPipe's blendshapes as action units.

A reader has names for its signs and gives an intensity for each in each picture. Action units are
on OpenFace's scale from 0 to 5; expressions are the classifier's probabilities from 0 to 1, named
accordingly ("looks happy"), since a whole-face classifier does not measure units.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256
from emollama.encoders.expression import CLASSES, FaceExpressions
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.measure.openface import UNIT_SCALE
from emollama.merr.tables import read_table


class FaceReader(Protocol):
    """Reads facial signs."""

    signs: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Changes whenever the results would."""

    def read(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intensities [N, signs] and whether a face was found [N], of uint8 [N, H, W, 3]."""


class ExpressionReader:
    """Seven expressions by mini-XCEPTION on the faces that MTCNN finds."""

    signs = tuple(EXPRESSION_PREFIX + name for name in CLASSES)

    def __init__(self) -> None:
        self._faces = FaceExpressions()

    @cached_property
    def fingerprint(self) -> str:
        """A hash of code version and weights."""
        return hashlib.sha256(f"expression-1:{self._faces.weights}".encode()).hexdigest()[:16]

    def read(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of the seven classes; a picture without a face takes a neighbour's face
        position.

        Where no picture has a face, the network does not run.
        """
        found, read = self._faces.read(images)
        if read is None:
            return np.zeros((len(images), len(self.signs)), np.float32), found
        return read[0].softmax(1).numpy(), found


class BlendshapeReader:
    """Action units from the 52 blendshapes of MediaPipe's face landmarker.

    `tables/blendshapes.yaml` maps blendshapes to units; the largest of several counts, times 5.

    Args:
        model: `face_landmarker.task`.

    Raises:
        EmollamaError: no such file.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise EmollamaError(
                f"{model}: does not exist; faces.landmarker is MediaPipe's face_landmarker.task"
            )
        self.model = model
        table: Mapping[str, Sequence[str]] = read_table("blendshapes")["units"]
        self.table = {unit: tuple(names) for unit, names in table.items()}
        self.signs = tuple(self.table)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of code version, model file and table."""
        text = f"blendshapes-1:{file_sha256(self.model)}:{sorted(self.table.items())}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _landmarker(self) -> tuple[Any, Any]:
        try:
            import mediapipe
            from mediapipe.tasks import python as tasks
            from mediapipe.tasks.python import vision
        except ImportError as error:
            raise EmollamaError(
                f"faces.landmarker needs the package mediapipe ({error}): pip install "
                "mediapipe, or set faces.source=expression or openface"
            ) from error
        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(self.model)),
            output_face_blendshapes=True,
            num_faces=1,
        )
        try:
            with _no_chatter():
                made = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            text = " ".join(str(error).split())
            raise EmollamaError(f"{self.model}: is not a face landmarker model: {text}") from error
        return mediapipe, made

    def close(self) -> None:
        """Close the landmarker: its thread must not outlive the interpreter."""
        if "_landmarker" in vars(self):
            vars(self).pop("_landmarker")[1].close()

    def read(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Units from 0 to 5; zeros where no face was found."""
        package, landmarker = self._landmarker
        values = np.zeros((len(images), len(self.signs)), np.float32)
        found = np.zeros(len(images), bool)
        for i, image in enumerate(images):
            seen = landmarker.detect(
                package.Image(
                    image_format=package.ImageFormat.SRGB, data=np.ascontiguousarray(image)
                )
            ).face_blendshapes
            if not seen:
                continue
            found[i] = True
            scores = {shape.category_name: float(shape.score) for shape in seen[0]}
            for k, names in enumerate(self.table.values()):
                values[i, k] = UNIT_SCALE * max(scores.get(name, 0.0) for name in names)
        return values, found


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Silence the startup messages of native code."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def require_package() -> None:
    """Raise a one-line error if mediapipe is not installed, before any worker starts."""
    import importlib.util

    if "mediapipe" not in sys.modules and importlib.util.find_spec("mediapipe") is None:
        raise EmollamaError(
            "faces.landmarker needs the package mediapipe: pip install mediapipe, or "
            "set faces.source=expression or openface"
        )
