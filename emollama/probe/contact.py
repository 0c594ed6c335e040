"""A contact sheet: the faces of a probe corpus on one page."""

from __future__ import annotations

from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.manifest.sample import Manifest
from emollama.probe.emotions import EMOTIONS
from emollama.probe.faces import SIZE

_CAPTION = 26


def contact_sheet(manifest: Manifest, path: Path, rows: int = 4) -> None:
    """Write a PNG: a column for each emotion that a face shows, a row for each example.

    Frames come from the middle of the clips, from as many different people as possible.
    """
    columns: dict[str, list[Image.Image]] = {emotion: [] for emotion in EMOTIONS}
    used: set[str] = set()
    for sample in manifest.samples:
        face, who = sample.truth.get("face"), sample.truth.get("face_id")
        if face not in columns or who is None:
            raise EmollamaError(
                f"{manifest.path}: '{sample.id}' has no truth of its face"
            )  # fmt: skip
        if len(columns[face]) < rows and who not in used and sample.video:
            columns[face].append(_middle_frame(manifest.media(sample.video)))
            used.add(who)
    height = max(len(images) for images in columns.values())
    sheet = Image.new("RGB", (SIZE * len(EMOTIONS), SIZE * height + _CAPTION), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for column, (emotion, images) in enumerate(columns.items()):
        middle = SIZE * column + SIZE // 2
        draw.text((middle, _CAPTION // 2), emotion, fill=(0, 0, 0), font=font, anchor="mm")
        for row, image in enumerate(images):
            sheet.paste(image, (SIZE * column, SIZE * row + _CAPTION))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def _middle_frame(video: Path) -> Image.Image:
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
    return frames[len(frames) // 2].to_image()
