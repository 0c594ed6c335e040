"""Tables of features in one .npz: what is written, and what is refused before writing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.npz_tracks import import_npz
from emollama.features.external import ExternalTracks

GOOD = {
    "ids": np.array(["a", "b"]),
    "values": np.arange(6, dtype=np.float64).reshape(2, 3),
    "columns": np.array(["AU01", "AU02", "AU04"]),
}


def test_rows_come_back_as_external_tracks(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "units.npz", **GOOD)
    assert import_npz(tmp_path / "units.npz", tmp_path / "units") == 2
    tracks = ExternalTracks(tmp_path / "units")
    assert tracks.ids() == ["a", "b"] and tracks.columns == ("AU01", "AU02", "AU04")
    track = tracks.get("b")
    assert track is not None and track.values.dtype == np.float32
    np.testing.assert_array_equal(track.values, [[3, 4, 5]])
    assert np.load(tmp_path / "units" / "a.npy").shape == (3,)
    assert json.loads((tmp_path / "units" / "columns.json").read_text()) == ["AU01", "AU02", "AU04"]


def test_steps_other_keys_byte_ids_and_no_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", names=np.array([b"x"]), hubert=np.ones((1, 4, 2), np.float16))
    assert import_npz(tmp_path / "t.npz", tmp_path / "t", ids_key="names", values_key="hubert") == 1
    assert np.load(tmp_path / "t" / "x.npy").shape == (4, 2)
    assert not (tmp_path / "t" / "columns.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": np.array(["a", "a"])}, "'ids': 'a' occurs twice"),
        ({"ids": np.array(["a", "../b"])}, "'ids': '../b' cannot be the name of a file"),
        ({"ids": np.array(["a"])}, "'ids' is <U1 of shape [1]; it must be 2 strings"),
        ({"ids": np.array(["a", None], object)}, "array 'ids' is not plain numbers or strings"),
        ({"values": np.ones(2)}, "'values' is float64 of shape [2]; it must be numbers of shape"),
        ({"values": np.array([[1, 2, 3], [1, np.nan, 3]])}, "'values' of 'b' holds NaN"),
        ({"columns": np.array(["AU01"])}, "'columns' is <U4 of shape [1]; it must be 3 strings"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "bad.npz", **{**GOOD, **changes})
    with pytest.raises(EmollamaError, match=re.escape(message)):
        import_npz(tmp_path / "bad.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("ids,values\n")
    (tmp_path / "empty.npz").touch()
    np.savez(tmp_path / "whole.npz", **GOOD)
    cut = (tmp_path / "whole.npz").read_bytes()[:-40]
    (tmp_path / "cut.npz").write_bytes(cut)
    np.save(tmp_path / "one.npy", np.ones(3))
    for name in ("text.npz", "empty.npz", "cut.npz", "one.npy", "none.npz"):
        with pytest.raises(EmollamaError, match=re.escape(name)):
            import_npz(tmp_path / name, tmp_path / "out")
    with pytest.raises(EmollamaError, match="has no array 'value'; did you mean 'values'"):
        import_npz(tmp_path / "whole.npz", tmp_path / "out", values_key="value")
    with pytest.raises(EmollamaError, match="has no array 'cols'"):
        import_npz(tmp_path / "whole.npz", tmp_path / "out", columns_key="cols")
