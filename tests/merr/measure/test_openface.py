"""OpenFace's CSV as it is written, and as it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.merr.measure.openface import read_openface

REAL = Path(__file__).parents[4] / "shared/data/real_files/py-feat"
"""Files of cosanlab/py-feat, feat/tests/data."""
FEX = "frame,FaceScore,AU01,AU12,AU43,anger,input\n"
"""Some of the columns of Feat_Test.csv in their order."""

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
        read_openface(write(tmp_path, text), shown=[0.0, 1.0])


def test_a_fex_of_py_feat_is_timed_by_the_clips_pictures(tmp_path: Path) -> None:
    """Rows as py-feat writes them: the first has Feat_Test.csv's numbers, the second no face."""
    rows = "0,0.9996811,0.5631302892259024,0.9643792749395256,0.14104226176733842,0.0004,a.mp4\n"
    rows += "1,,,,,,a.mp4\n2,0.6,0.5,0.5,0.5,0.1,a.mp4\n"
    row = read_openface(write(tmp_path, FEX + rows), shown=[0.0, 0.04, 0.09])
    assert row["signs"] == ["AU01", "AU12"] and row["found"] == [1, 0, 0]
    assert row["values"][0] == [2.816, 4.822] and row["times"] == [0.0, 0.04, 0.09]
    # The table of a film has its frame twice, as the index and as a column.
    twice = "frame," + FEX + "0,0,0.99,0.5,0.5,0.5,0.1,a.mp4\n"
    assert read_openface(write(tmp_path, twice), shown=[0.0])["found"] == [1]
    with pytest.raises(EmollamaError, match=r"clip\.csv: has frame 2, but the clip has 2 pictures"):
        read_openface(write(tmp_path, FEX + rows), shown=[0.0, 0.04])
    with pytest.raises(EmollamaError, match=r"clip\.csv:3: frame 0 comes after frame 0; keep one"):
        read_openface(write(tmp_path, FEX + rows.splitlines()[0] + "\n" + rows), shown=[0.0, 1.0])


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")
def test_real_tables_of_both() -> None:
    openface = read_openface(REAL / "OpenFace_Test.csv")  # its column names begin with blanks
    assert len(openface["frames"]) == 100 and openface["signs"][-1] == "AU45"
    assert openface["values"][0][:2] == [0.677, 0.427]
    fex = read_openface(REAL / "Feat_Test.csv", shown=[0.0])
    assert fex["signs"][:3] == ["AU01", "AU02", "AU04"] and fex["values"][0][0] == 2.816
