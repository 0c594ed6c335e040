"""OpenFace's CSV as it is written, and as it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.merr.measure.openface import read_openface

HEAD = "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU01_c, AU12_c\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "clip.csv"
    path.write_text(text)
    return path


def test_frames_intensities_and_doubtful_faces(tmp_path: Path) -> None:
    text = HEAD + "1, 0, 0.00, 0.98, 1, 0.5, 2.25, 0, 1\n2, 0, 0.04, 0.40, 1, 9, 9, 0, 0\n"
    row = read_openface(write(tmp_path, text + "3, 0, 0.08, 0.98, 0, 0, 0, 0, 0\n"), seconds=0.08)
    assert row["signs"] == ["AU01", "AU12"] and row["values"][0] == [0.5, 2.25]
    assert row["frames"] == [0, 1] and row["found"] == [1, 0] and row["times"] == [0.0, 0.04]


def test_a_clip_without_a_sure_face_is_rejected(tmp_path: Path) -> None:
    row = read_openface(write(tmp_path, HEAD + "1, 0, 0, 0.1, 1, 0, 0, 0, 0\n"))
    assert (row["status"], row["reason"]) == ("rejected", "no face")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "holds no frames"),
        ("", "is empty"),
        ("frame, success\n1, 1\n", "has no column 'timestamp'"),
        ("timestamp, success\n0, 1\n", "has no column such as AU01_r"),
        (HEAD + "1, 0, 0.0, 0.9, 1, nan, 0, 0, 0\n", "'nan' is not a number"),
        (HEAD + "1, 0, 0.0, 0.9\n", "has 4 cells"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EmollamaError, match=f"clip.csv.*{message}"):
        read_openface(write(tmp_path, text))


def test_frames_have_the_numbers_that_openface_gives_them(tmp_path: Path) -> None:
    text = HEAD + "4, 0, 0.12, 0.98, 1, 0.5, 2.25, 0, 1\n5, 0, 0.16, 0.98, 1, 9, 9, 0, 0\n"
    assert read_openface(write(tmp_path, text))["frames"] == [3, 4]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1, 0, 0.00", "1, 1, 0.00"], "frame 1 comes after frame 1.*FeatureExtraction"),
        (["2, 0, 0.04", "1, 0, 0.00"], "frame 1 comes after frame 2"),
        (["1.5, 0, 0.04"], "frame '1.5'"),
        (["1, 0, 0.0", "40, 0, 1.6"], "continues to 1.6 s.*clip ends at 1.0 s"),
    ],
)
def test_a_table_of_several_faces_or_of_another_clip_is_refused(
    tmp_path: Path, rows: list[str], message: str
) -> None:
    text = HEAD + "".join(f"{row}, 0.98, 1, 0.5, 2.25, 0, 1\n" for row in rows)
    with pytest.raises(EmollamaError, match=f"clip.csv.*{message}"):
        read_openface(write(tmp_path, text), ends=1.0)
