"""The rule tables of `merr` against people's annotations: MERR's own, and acted emotions.

python -m benchmarks.merr.rules [--merr DIR] [--reasons N] [--ravdess DIR] [--prosody STORE]

MERR (`MERR_fine_grained.json`): the units listed for each clip and for its peak through both rule
tables against the published label; the published reasons through `merr`'s contradiction check,
and their faithfulness to the listed units beside that of shuffled reasons. RAVDESS
(`openface_au_mean.npz`, `manifest.csv`): clip means of OpenFace's intensities through both tables,
absolute, relative to the corpus and to the actor, and prosody through the voice table (out of a
feature store where there is one, else measured from `audio/`), against the acted emotion.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import show
from emollama.base.csv_rows import read_rows
from emollama.corpora.readers.merr import prepare_merr
from emollama.encoders.prosody import ProsodyEncoder
from emollama.features.store import FeatureStore
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.manifest.sample import Sample, read_manifest
from emollama.media.decode import decode_clip
from emollama.merr.emotion import voice_odds
from emollama.merr.quality.measures import MeasuredClip, faithfulness
from emollama.merr.rules import Rules
from emollama.scoring.metrics.formulas import accuracy, one_hot, uar, weighted_f1
from emollama.scoring.reasons.check import contradictions
from emollama.scoring.reasons.facts import Facts

TABLES = ("merr_published", "emfacs")


def scores(true: Sequence[str], told: Sequence[str | None], labels: LabelSet) -> dict[str, Any]:
    """Accuracy, weighted F1 and UAR, beside the majority's share; no label is wrong."""
    place = {label: k for k, label in enumerate(labels.labels)}
    truth = one_hot([place[a] for a in true], len(place))
    answer = one_hot([place.get(b or "", -1) for b in told], len(place))
    cases = (truth, answer, np.ones((1, len(true))))
    counts = Counter(true)
    return {
        "clips": len(true),
        "no_label": sum(b is None for b in told),
        "accuracy": round(float(accuracy(*cases)[0]), 3),
        "weighted_f1": round(float(weighted_f1(*cases)[0]), 3),
        "uar": round(float(uar(*cases)[0]), 3),
        "majority": round(counts.most_common(1)[0][1] / len(true), 3),
        "chance_uar": round(1 / len(counts), 3),
    }


def on_merr(folder: Path, out: Path, most: int) -> None:
    """Rules and contradiction check on the published annotations."""
    labels = get_label_set("merr")
    prepare_merr(folder, out, part="fine")
    samples = [s for s in read_manifest(out).samples if s.targets.emotion and "units" in s.truth]
    rows = []
    for table in TABLES:
        rules = Rules(table, labels, relative=False)
        for where in ("units", "peak_units"):
            told = []
            for sample in samples:
                listed = sample.truth.get(where, ())
                # A list holds presence only; every unit there is as strong as "strongly".
                signs = {u: 2.4 * (u in listed) for u in _units(rules)}
                told.append(rules.judge(signs).label)
            true = [str(s.targets.emotion) for s in samples]
            rows.append({"rules": table, "units of": where, **scores(true, told, labels)})
    show("merr_rules_on_merr", rows)
    against: Counter[str] = Counter()
    told_rows = []
    samples = samples[: most or None]
    for sample in samples:
        known = evidence(sample)
        found = contradictions(sample.targets.reason or "", known, labels)
        against.update(found or ["none"])
        told_rows.append(
            MeasuredClip(
                sample.id, known.label, {}, 1.0, known, sample.targets.reason or "", "", "", None
            )
        )
    rows = [{"against": name, "reasons": n, "share": round(n / len(samples), 3)}
            for name, n in against.most_common()]  # fmt: skip
    show("merr_contradictions_on_merr", rows, **faithfulness(told_rows))


def evidence(sample: Sample) -> Facts:
    """What MERR lists of a clip; its tone is free text, which our words are not held against."""
    units = frozenset((*sample.truth.get("units", ()), *sample.truth.get("peak_units", ())))
    return Facts(str(sample.targets.emotion), units=units, tone=None, text=sample.text or "")


def _units(rules: Rules) -> set[str]:
    return {unit for units in rules.table.emotions.values() for unit in units}


def on_ravdess(folder: Path, store: Path | None) -> None:
    """Faces and voices of actors; "calm" has no rule and is counted as what it is: not found."""
    labels = get_label_set("ravdess")
    rows = {row.require("name"): row.cells for row in read_rows(
        folder / "manifest.csv", ("name", "audio", "emotion", "actor"))}  # fmt: skip
    with np.load(folder / "openface_au_mean.npz") as archive:
        ids = [str(i) for i in archive["ids"]]
        columns = [str(c) for c in archive["columns"]]
        values = archive["values"]
    used = [k for k, name in enumerate(columns) if name.endswith("_r")]
    units = [columns[k].removesuffix("_r") for k in used]
    face = {i: v[used].astype(float) for i, v in zip(ids, values, strict=True) if i in rows}
    names = sorted(face)
    true = [labels.require(rows[i]["emotion"], i) for i in names]
    actors = [rows[i]["actor"] for i in names]
    matrix = np.stack([face[i] for i in names])
    results = []
    for table in TABLES:
        for way, used_matrix in (
            ("absolute", matrix),
            ("relative to the corpus", relative(matrix, ["all"] * len(names))),
            ("relative to the actor", relative(matrix, actors)),
        ):
            rules = Rules(table, labels, relative=way != "absolute")
            told = [rules.judge(dict(zip(units, row, strict=True))).label for row in used_matrix]
            results.append(
                {"channel": "face", "by": f"{table}, {way}", **scores(true, told, labels)}
            )
    prosody = measured_prosody(folder, names, rows, store)
    for way, groups in (("corpus", ["all"] * len(names)), ("actor", actors)):
        table_columns = ProsodyEncoder.columns
        z = relative(prosody, groups)
        told = []
        for row in z:
            odds = voice_odds(dict(zip(table_columns, row.tolist(), strict=True)), labels)
            told.append(max(odds, key=odds.__getitem__))
        results.append(
            {"channel": "voice", "by": f"relative to the {way}", **scores(true, told, labels)}
        )
    show("merr_rules_on_ravdess", results)


def relative(matrix: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Deviations from the group's mean, in deviations about those means."""
    centred = matrix.copy()
    of = np.array(groups)
    for group in set(groups):
        centred[of == group] -= matrix[of == group].mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), 1e-6)


def measured_prosody(
    folder: Path, names: Sequence[str], rows: Mapping[str, Mapping[str, str]], store: Path | None
) -> np.ndarray:
    """Prosody [clips, 18], from a store or from the sound."""
    if store is not None:
        reader = FeatureStore.open(store).reader("prosody+segments=1")
        tracks = [reader.get(name) for name in names]
    else:
        encoder = ProsodyEncoder()
        clips = (decode_clip(None, folder / rows[n]["audio"], want_video=False) for n in names)
        tracks = [encoder.encode([clip])[0] for clip in clips]
    assert all(track is not None for track in tracks), "actors are never silent"
    return np.stack([track.values[0] for track in tracks if track is not None]).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--merr", type=Path, help="folder of MERR_fine_grained.json")
    parser.add_argument("--reasons", type=int, default=0, help="check the first so many; 0: all")
    parser.add_argument("--ravdess", type=Path, help="folder of manifest.csv and the units")
    parser.add_argument("--prosody", type=Path, help="feature store with RAVDESS' prosody")
    options = parser.parse_args()
    if options.merr is None and options.ravdess is None:
        parser.error("give --merr, --ravdess or both")
    if options.merr is not None:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            on_merr(options.merr, Path(folder) / "merr.jsonl", options.reasons)
    if options.ravdess is not None:
        on_ravdess(options.ravdess, options.prosody)


if __name__ == "__main__":
    main()
