"""Aff-Wild2 as HDF5 of targets and features, the layout of the ABAW 2022 systems of RUC.

`targets/<set>_valid_targets.h5` has a group for each video: `valence` [L] and `arousal` [L] from -1
to 1, `length` (L) and `special`. A video with unannotated frames is cut into its annotated
stretches, `<video>_<k>`, which are marked special. `features/<set>_<name>.h5` has a group of the
same name with `fts` [L, D], a row a frame.

They are converted to the usual formats: a text file of frames like the official annotations, and a
folder of `<id>.npy` for each feature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import atomic_path, write_text
from emollama.corpora.collection import Collection, require_root
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

SETS = ("train", "val", "test")
_STRETCH = re.compile(r"(?P<video>.+)_\d+")
_PERSON = re.compile(r"(?P<video>.+)_(?:left|right)")


def prepare_aff_wild2_h5(
    root: Path, out: Path, *, features: Sequence[str] = (), strict: bool = False
) -> PrepareReport:
    """Write a manifest, `frames/<id>.txt` and `tracks/<feature>/<id>.npy` beside it.

    The group is the video: its persons and stretches stay together. The test set has no targets;
    its samples have features only.

    Args:
        root: folder with `targets` and `features`.
        out: the manifest.
        features: names of features; all when empty.
        strict: a feature that lacks a video is an error.

    Raises:
        EmollamaError: no such set or feature, not an HDF5 file of this form, different lengths, a
            value that is not finite, a target outside -1 to 1.
    """
    require_root(root, "Aff-Wild2", "targets/train_valid_targets.h5, features/train_<name>.h5")
    known = sorted({p.stem.partition("_")[2] for s in SETS for p in _features(root, s)})
    for name in features:
        if name not in known:
            raise EmollamaError(f"{root}/features: has no '{name}'{did_you_mean(name, known)}")
    chosen = list(features) or known
    collection = Collection("aff-wild2", out, get_label_set("mosei"))
    for split in SETS:
        path = root / "targets" / f"{split}_valid_targets.h5"
        if not path.is_file():
            collection.notes.append(f"no targets/{path.name}: the split is left out")
            continue
        lengths = _targets(collection, path, split)
        for name in chosen:
            _tracks(collection, root / "features" / f"{split}_{name}.h5", split, name, lengths)
    if not collection.samples:
        raise EmollamaError(f"{root}: has no targets/train_valid_targets.h5, val_... or test_...")
    collection.notes += [f"features '{n}': npy:{out.parent / 'tracks' / n}" for n in chosen]
    return collection.finish({}, strict)


def _targets(collection: Collection, path: Path, split: str) -> dict[str, int]:
    """Samples of a set; {id: number of frames}."""
    lengths: dict[str, int] = {}
    with _opened(path) as file:
        for name, group in file.items():
            where = f"{path}: '{name}'"
            collection.count(name, split, "", where)
            lengths[name] = int(np.ravel(group["length"][()])[0])
            special = "special" in group and bool(np.ravel(group["special"][()])[0])
            targets = Targets()
            if "valence" in group:
                told = [_numbers(group[key], where, key) for key in ("valence", "arousal")]
                targets = _write_frames(collection.out, name, lengths[name], told, where)
            stretch = _STRETCH.fullmatch(name) if special else None
            video = stretch["video"] if stretch else name
            person = _PERSON.fullmatch(video)
            collection.samples.append(
                Sample(
                    id=name,
                    group=person["video"] if person else video,
                    split=split,
                    targets=targets,
                )
            )
    return lengths


def _write_frames(out: Path, name: str, length: int, told: list[np.ndarray], where: str) -> Targets:
    """Valence and arousal of each frame as the official text; their means."""
    for key, values in zip(("valence", "arousal"), told, strict=True):
        if values.shape != (length,):
            raise EmollamaError(f"{where}: {key} is {list(values.shape)}, length says {length}")
        if np.abs(values).max(initial=0) > 1:
            raise EmollamaError(f"{where}: {key} is not from -1 to 1")
    lines = [f"{v:.6g},{a:.6g}" for v, a in zip(*told, strict=True)]
    write_text(out.parent / "frames" / f"{name}.txt", "\n".join(["valence,arousal", *lines, ""]))
    valence, arousal = (round(float(values.mean()), 6) for values in told)
    return Targets(frames=f"frames/{name}.txt", valence=valence, arousal=arousal)


def _tracks(
    collection: Collection, path: Path, split: str, feature: str, lengths: dict[str, int]
) -> None:
    """Write a feature's tracks, float32 [L, D]; missing videos are noted."""
    if not path.is_file():
        collection.notes.append(f"no features/{path.name}: split '{split}' lacks '{feature}'")
        return
    with _opened(path) as file:
        if absent := [name for name in lengths if name not in file]:
            collection.faults.append(
                f"split '{split}': {len(absent)} of {len(lengths)} lack feature '{feature}', "
                f"e.g. '{absent[0]}'"
            )
        for name, length in lengths.items():
            if name not in file:
                continue
            where = f"{path}: '{name}'"
            values = _numbers(file[name]["fts"], where, "fts")
            if values.ndim != 2 or len(values) != length:
                raise EmollamaError(
                    f"{where}: fts is {list(values.shape)}; it must be [{length}, D], "
                    "one row per frame"
                )
            track = collection.out.parent / "tracks" / feature / f"{name}.npy"
            with atomic_path(track) as temporary, temporary.open("wb") as written:
                np.save(written, values.astype(np.float32), allow_pickle=False)


def _numbers(dataset: Any, where: str, key: str) -> np.ndarray:
    values = np.asarray(dataset[()])
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise EmollamaError(f"{where}: {key} must be finite numbers")
    return values


def _features(root: Path, split: str) -> list[Path]:
    return sorted((root / "features").glob(f"{split}_*.h5"))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file; anything else, or another form, is an `EmollamaError`."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise EmollamaError(f"{path}: is not an HDF5 file of Aff-Wild2: {error}") from error
