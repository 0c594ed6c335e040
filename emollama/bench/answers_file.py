"""All answers of a bench in one compact file, from which every table can be rebuilt.

Label tasks store the answered label's index per clip and seed; tasks with several labels an integer
whose bit k is set if label k is answered; values four digits. Predictions with probabilities are
written beside it, one file per row and seed, as in every other evaluation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_json, write_json, write_text
from emollama.bench.corpus_scores import CORPUS
from emollama.bench.ensembles import together
from emollama.bench.folds import Fold
from emollama.bench.plan import Row, Run
from emollama.bench.workshop import RUNS, Workshop
from emollama.fusion.configuration import FusionTask
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import (
    Header,
    Predictions,
    read_predictions,
    write_predictions,
)

ANSWERS_VERSION = 1
LLM = "language model"
DIGITS = 4


def gather(shop: Workshop, say: Callable[[str], None]) -> dict[str, Any]:
    """The answers of all finished runs, of the baselines and of the language model.

    Raises:
        EmollamaError: the language model's files are not from these folds.
    """
    bench, task = shop.bench, shop.task
    tested = [(s, k) for k in range(len(shop.folds)) for s in shop.tested(k)]
    ids = [s.id for s, _ in tested]
    llm = _language_model(shop) if bench.llm else None
    rows: list[dict[str, Any]] = []
    reference: dict[str, Prediction] = {}
    everything: dict[str, list[list[Prediction]]] = {}
    for row in shop.rows.values():
        seeds: dict[str, list[Prediction]] = {}
        results: list[dict[str, Any]] = []
        for seed in bench.seeds:
            found = [_result(shop, Run(row.key, k, seed)) for k in range(len(shop.folds))]
            results += found
            predicted = [Prediction.model_validate(p) for r in found for p in r["rows"]]
            seeds[str(seed)] = predicted
            _write(shop, row, seed, predicted)
            reference |= {p.id: p for p in predicted}
        everything[row.key] = list(seeds.values())
        entry: dict[str, Any] = {
            "name": row.name,
            "kind": "model",
            "modalities": [m.name for m in row.modalities],
            "parameters": max(r["parameters"] for r in results),
            "seconds": round(sum(r["seconds"] for r in results), 1),
            "against": _baseline_name(shop, row),
            **_way(shop, row),
            "seeds": _columns(seeds, ids, task, shop.labels),
        }
        if row.search is not None:
            chosen = [shop.best_trial(row, k) for k in range(len(shop.folds))]
            entry["chosen"] = [r["drawn"] for r in chosen]
        rows.append(entry)
    for title, keys in shop.ensembles.items():
        rows.append(_ensemble(shop, title, keys, everything, ids))
    rows += _baselines(shop, ids, say)
    if llm is not None:
        columns = _columns({"0": llm}, ids, task, shop.labels)
        against = _baseline_name(shop, max(shop.rows.values(), key=lambda r: len(r.modalities)))
        rows.append(
            {"name": LLM, "kind": "llm", "modalities": list(llm[0].channels),
             "against": against, "seeds": columns}
        )  # fmt: skip
    return {
        "version": ANSWERS_VERSION,
        "corpus": shop.folds[0].manifest.corpus,
        "labels": shop.labels.to_dict(),
        "task": task.kind,
        "values": list(task.values),
        "metric": bench.metric,
        "by": bench.by,
        "bootstrap": bench.bootstrap,
        **({} if bench.compare is None else {"compare": bench.compare}),
        **({"scheme": CORPUS} if bench.folds.scheme == CORPUS else {}),
        **({"enrol": bench.enrol} if shop.by_person else {}),
        "folds": [_fold(shop, fold) for fold in shop.folds],
        "ids": ids,
        "fold": [k for _, k in tested],
        "group": [s.group or s.speaker for s, _ in tested],
        "reference": _reference([reference[i] for i in ids], task, shop.labels),
        "rows": rows,
    }


def require_compared(shop: Workshop) -> None:
    """Raise an error if bench.compare names an unknown row, before anything is trained."""
    names = {row.name for row in shop.rows.values()} | set(shop.ensembles)
    names |= {_baseline_name(shop, row) or "" for row in shop.rows.values()} - {""}
    if shop.bench.llm:
        names.add(LLM)
    if shop.bench.compare is not None and shop.bench.compare not in names:
        raise EmollamaError(
            "compare: no row is named "
            f"'{shop.bench.compare}'{did_you_mean(shop.bench.compare, names)}"
        )


def _ensemble(
    shop: Workshop,
    title: str,
    keys: Sequence[str],
    everything: Mapping[str, list[list[Prediction]]],
    ids: Sequence[str],
) -> dict[str, Any]:
    """An ensemble row of several rows' seeds; its baseline reads all their modalities."""
    found = together([rows for key in keys for rows in everything[key]], shop.labels)
    widest = max((shop.rows[key] for key in keys), key=lambda row: len(row.modalities))
    return {
        "name": title,
        "kind": "ensemble",
        "modalities": [m.name for m in widest.modalities],
        "against": _baseline_name(shop, widest),
        **_way(shop, widest),
        "seeds": _columns({"0": found}, ids, FusionTask(kind="label"), shop.labels),
    }


def write_answers(path: Path, compact: Mapping[str, Any]) -> None:
    """Write the compact file, one line per row."""
    head = {k: v for k, v in compact.items() if k != "rows"}
    lines = ",\n".join(_json(row) for row in compact["rows"])
    write_text(path, f'{_json(head)[:-1]},"rows":[\n{lines}\n]}}\n')


def read_answers(path: Path) -> dict[str, Any]:
    """Read a file from `write_answers`.

    Raises:
        EmollamaError: it is not such a file, or a row does not cover all clips.
    """
    found = read_json(path)
    try:
        if found["version"] != ANSWERS_VERSION:
            raise EmollamaError(
                f"{path}: version {found['version']} is not supported by this release"
            )
        count = len(found["ids"])
        for row in found["rows"]:
            for seed, columns in row["seeds"].items():
                for name, values in columns.items():
                    if len(values) != count:
                        raise EmollamaError(
                            f"{path}: row '{row['name']}', seed {seed}: {len(values)} {name} of "
                            f"{count} clips"
                        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EmollamaError(f"{path}: holds no answers of a bench ({error!r})") from error
    return dict(found)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _result(shop: Workshop, run: Run) -> dict[str, Any]:
    found = shop.finished(run, shop.configured(run))
    if found is None:
        raise EmollamaError(f"{shop.bench.output}: run {run.key} is not finished")
    return found


def _write(shop: Workshop, row: Row, seed: int, rows: Sequence[Prediction]) -> None:
    """A predictions file of a row and seed, over all folds."""
    digests = "".join(f.sha256 for f in shop.folds)
    header = Header(
        labels=shop.labels,
        corpus=shop.folds[0].manifest.corpus,
        split="test",
        split_sha256=shop.folds[0].sha256
        if len(shop.folds) == 1
        else hashlib.sha256(digests.encode()).hexdigest(),
        model=row.name,
        seed=seed,
    )
    folder = shop.bench.output / "predictions" / row.key / f"seed-{seed}"
    write_predictions(folder / "predictions.jsonl", header, rows)


def _baseline_name(shop: Workshop, row: Row) -> str | None:
    """The baseline on a row's modalities; for single-label tasks only."""
    if not shop.bench.baseline or shop.task.kind not in ("label", "label+values"):
        return None
    way = ", person" if row.way == "person" else ""
    return f"logistic regression{way}: {' + '.join(m.name for m in row.modalities)}"


def _way(shop: Workshop, row: Row) -> dict[str, str]:
    """How a row's features are standardised, where any row's are by person."""
    return {"standardise": row.way} if shop.by_person else {}


def _fold(shop: Workshop, fold: Fold) -> dict[str, Any]:
    """What the compact file says of a fold."""
    own = {} if fold.labels == shop.labels else {"labels": list(fold.labels.labels)}
    return {"name": fold.name, "split_sha256": fold.sha256, **own}


def _baselines(
    shop: Workshop, ids: Sequence[str], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """One row for every set of modalities; fitted baselines are stored like runs."""
    wanted = {_baseline_name(shop, row): row for row in reversed(shop.rows.values())}
    found = []
    for name, row in reversed(wanted.items()):
        if name is None:
            continue
        predicted: list[Prediction] = []
        for k, fold in enumerate(shop.folds):
            about = [m.model_dump_json() for m in row.modalities] + [fold.sha256]
            about += [str(shop.bench.enrol)] * (row.way == "person")
            digest = hashlib.sha256("".join(about).encode()).hexdigest()
            path = shop.bench.output / RUNS / "logistic-regression" / f"{digest[:16]}.json"
            if not path.is_file():
                say(f"{name}  fold {fold.name}")
                fitted = shop.baseline(row, k)
                write_json(path, [p.model_dump(mode="json", exclude_none=True) for p in fitted])
            predicted += [Prediction.model_validate(p) for p in read_json(path)]
        task = FusionTask(kind="label")
        found.append(
            {
                "name": name,
                "kind": "baseline",
                "modalities": [m.name for m in row.modalities],
                "against": None,
                **_way(shop, row),
                "seeds": _columns({"0": predicted}, ids, task, shop.labels),
            }
        )
    return found


def _language_model(shop: Workshop) -> list[Prediction]:
    """The rows of the language model's files, one file per fold."""
    taken: dict[int, Path] = {}
    rows: list[Prediction] = []
    for path in shop.bench.llm:
        file = read_predictions(path)
        fold = _fold_of(shop, file, path)
        if fold in taken:
            raise EmollamaError(f"llm: {path} and {taken[fold]} are both for fold {fold}")
        taken[fold] = path
        if file.header.labels.labels != shop.labels.labels:
            raise EmollamaError(f"llm: {path}: its labels differ from those of the corpus")
        answered = file.select(max(file.channel_sets(MODEL), key=len, default=()), MODEL)
        wanted, given = {s.id for s in shop.tested(fold)}, {r.id for r in answered}
        if wanted != given:
            odd = sorted(wanted ^ given)[0]
            where = "has no answer" if odd in wanted else "is not in the fold's test split"
            raise EmollamaError(
                f"llm: {path}: id '{odd}' {where}; the file must answer the "
                f"{len(wanted)} test clips of fold {shop.folds[fold].name}"
            )
        rows += answered
    missing = [f.name for k, f in enumerate(shop.folds) if k not in taken]
    if missing:
        raise EmollamaError(
            f"llm: no file is for fold {missing[0]}; there must be one for each fold"
        )
    return rows


def _fold_of(shop: Workshop, file: Predictions, path: Path) -> int:
    sha256 = file.header.split_sha256
    for k, fold in enumerate(shop.folds):
        if sha256 in fold.accepted:
            return k
    if sha256 is None:
        # Made with a manifest's own splits: known by the clips that it answers, all and no others.
        answered = {row.id for row in file.rows}
        for k in range(len(shop.folds)):
            if {s.id for s in shop.tested(k)} == answered:
                return k
    raise EmollamaError(
        f"llm: {path}: its split_sha256 {sha256} matches none of the folds; evaluate with "
        f"data.split_file={shop.bench.output}/folds/fold-0.jsonl (and so on)"
    )


def _columns(
    seeds: Mapping[str, Iterable[Prediction]],
    ids: Sequence[str],
    task: FusionTask,
    labels: LabelSet,
) -> dict[str, dict[str, list[Any]]]:
    """By seed: the answers in the order of `ids`."""
    found = {}
    for seed, rows in seeds.items():
        by_id = {row.id: row for row in rows}
        ordered = [by_id[i] for i in ids]
        found[seed] = _coded(ordered, task, labels, "label", "labels", "values")
    return found


def _reference(
    rows: Sequence[Prediction], task: FusionTask, labels: LabelSet
) -> dict[str, list[Any]]:
    return _coded(rows, task, labels, "reference", "reference_labels", "reference_values")


def _coded(
    rows: Sequence[Prediction], task: FusionTask, labels: LabelSet, *names: str
) -> dict[str, list[Any]]:
    """Compact numbers for the task; None where a row has no answer."""
    one, several, values = names
    code = {label: k for k, label in enumerate(labels.labels)}
    found: dict[str, list[Any]] = {}
    if task.kind in ("label", "label+values"):
        found["label"] = [code.get(getattr(r, one)) for r in rows]
    if task.kind == "labels":
        sets = [getattr(r, several) for r in rows]
        found["labels"] = [None if s is None else sum(1 << code[x] for x in s) for s in sets]
    for name in task.values:
        numbers = [(getattr(r, values) or {}).get(name) for r in rows]
        found[name] = [None if x is None else round(float(x), DIGITS) for x in numbers]
    return found
