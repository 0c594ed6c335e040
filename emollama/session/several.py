"""Several people in one picture: who of them is read, as a remark on the answer.

Two voices that speak in turn are not told: in clips of some seconds Resemblyzer's vectors part
seven pairs of ten at most, and its weights are no part of the default.
"""

from __future__ import annotations

from collections.abc import Sequence

from emollama.assets import list_assets
from emollama.encoders.crops import FaceFinder, spread
from emollama.media.clip import Frames, MediaError
from emollama.media.container import open_media, video_stream
from emollama.media.decode import decode_clip
from emollama.media.faces import Face, prominence
from emollama.media.pictures import is_still
from emollama.workers.worker import Job

_PICTURES = 4  # that are looked at
_CERTAIN = 0.9  # a further face is at least so certain
_SHARE = 0.15  # and has this share of the first one's prominence


def at_once(faces: Sequence[Face]) -> list[Face]:
    """The faces of a picture that are people beside the one that is read, which comes first."""
    ranked = sorted(faces, key=prominence, reverse=True)
    return [
        face for face in ranked
        if face is ranked[0]
        or (face.score > _CERTAIN and prominence(face) > _SHARE * prominence(ranked[0]))
    ]  # fmt: skip


def pictures_of(job: Job) -> Frames | None:
    """Some pictures of a clip of whose face no model asks; None without any, or without MTCNN.

    For a remark nothing is fetched.
    """
    ready = any(asset.ready for asset in list_assets() if asset.name == "mtcnn")
    if job.video is None or not ready:
        return None
    try:
        if not is_still(job.video):
            with open_media(job.video) as container:
                if video_stream(container, job.video) is None:
                    return None  # before all of its sound is decoded in vain
        return decode_clip(
            job.video, start=job.start, end=job.end, frames=_PICTURES, want_audio=False,
            fps=job.fps, view=job.view,
        ).frames  # fmt: skip
    except MediaError:
        return None


def several_people(frames: Frames, finder: FaceFinder, read: bool = True) -> str | None:
    """A remark where a picture of a clip shows several people; None where none does.

    Args:
        frames: of the clip.
        finder: of faces.
        read: whether a model reads the face; else the remark is on the voice.
    """
    images, times = spread(frames, _PICTURES)
    shown = [(time, people) for time, faces in zip(times, finder.find_all(images), strict=True)
             if len(people := at_once(faces)) > 1]  # fmt: skip
    if not shown:
        return None
    time, people = max(shown, key=lambda pair: len(pair[1]))
    told = f"{len(people)} faces at once, e.g. at {time:.1f} s"
    if not read:
        return f"{told}; whoever speaks is read as one person"
    sides = {_side(people) for _, people in shown}
    if len(sides) > 1:
        return (
            f"{told}; the largest and most certain of each picture is read, not always one person"
        )
    return f"{told}; the {sides.pop()} one is read, the largest and most certain"


def _side(people: Sequence[Face]) -> str:
    """Where the first of some faces is among them."""
    centres = [face.box[0] + face.box[2] for face in people]
    place = sorted(centres).index(centres[0])
    return {0: "left", len(people) - 1: "right"}.get(place, "middle")
