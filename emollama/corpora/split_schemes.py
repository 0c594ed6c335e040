"""The schemes of `emollama split`: from a manifest to a split file, with remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.listed_splits import split_by_lists
from emollama.corpora.published_splits import PUBLISHED_SPLITS, published_split
from emollama.corpora.report import PrepareReport
from emollama.corpora.splits import by_id_hash, k_fold, leave_one_group_out, random_split
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import SplitFile, apply_split, leakage, write_split_file

OFFICIAL, K_FOLD, LEAVE_ONE_OUT, RANDOM, ID_HASH, LISTS = (
    "official", "k-fold", "leave-one-group-out", "random-80-10-10", "id-hash", "lists",
)  # fmt: skip

DEFAULTS: dict[str, dict[str, Any]] = {
    OFFICIAL: {},
    K_FOLD: {"fold": None, "folds": 5, "seed": 0, "by": "group", "val": True},
    LEAVE_ONE_OUT: {"group": None, "val_group": None, "by": "group"},
    RANDOM: {"seed": 0},
    ID_HASH: {"fold": 0, "folds": 5},
    LISTS: {"train": None, "val": None, "test": None, "column": None},
    **{name: {"lists": None} for name in PUBLISHED_SPLITS},
}
"""{scheme: its options with their defaults}."""

REQUIRED = {
    K_FOLD: "fold", LEAVE_ONE_OUT: "group", **dict.fromkeys(PUBLISHED_SPLITS, "lists"),
}  # fmt: skip
"""The required option of a scheme."""


@dataclass(frozen=True)
class SplitReport:
    """A split file that was written; `notes` and `warnings` have one line each."""

    file: SplitFile
    counts: PrepareReport
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """The readable report."""
        told = [f"WARNING: {line}" for line in self.warnings]
        told += [f"  {line}" for line in self.notes]
        return [*self.counts.lines(), *told, f"  SHA-256 {self.file.sha256}"]


def write_split(
    manifest: Manifest, out: Path, scheme: str, given: Mapping[str, Any]
) -> SplitReport:
    """Split a manifest's samples and write the split file.

    Args:
        manifest: every sample of it gets a line.
        out: the split file.
        scheme: one of `DEFAULTS`.
        given: options from the user; see `DEFAULTS`.

    Raises:
        EmollamaError: an unknown scheme, an option that it does not take, a required option that is
            missing, or samples that cannot be split in this way.
    """
    options = _options(scheme, given)
    splits, notes = _split(manifest, scheme, options)
    # A list is recorded by its name: where it lay says nothing elsewhere.
    written = {
        k: v.name if isinstance(v, Path) else v
        for k, v in options.items()
        if v is not None and k != "lists"
    }
    file = write_split_file(out, manifest.corpus, scheme, written, splits)
    placed = [s for s in apply_split(manifest, file).samples if s.split is not None]
    if not any(s.speaker or s.group for s in placed):
        notes = [*notes, "no sample names a speaker or a group, so leaks cannot be detected"]
    return SplitReport(
        file,
        PrepareReport.of(out, placed, {}),
        tuple(notes),
        tuple(str(found) for found in leakage(placed)),
    )


def _options(scheme: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if scheme not in DEFAULTS:
        raise EmollamaError(f"--scheme '{scheme}' is unknown{did_you_mean(scheme, DEFAULTS)}")
    known = DEFAULTS[scheme]
    for name, value in given.items():
        if value is not None and name not in known:
            takes = ", ".join(_flag(k) for k in known) or "no options"
            raise EmollamaError(
                f"{_flag(name)}: scheme '{scheme}' does not take it; it takes {takes}"
            )
    if scheme in (K_FOLD, LISTS) and isinstance(
        given.get("val"), bool if scheme == LISTS else Path
    ):
        flag, other = ("--no-val", K_FOLD) if scheme == LISTS else ("--val", LISTS)
        raise EmollamaError(f"{flag}: scheme '{scheme}' does not take it; it is for '{other}'")
    options = {k: v if given.get(k) is None else given[k] for k, v in known.items()}
    needed = REQUIRED.get(scheme)
    if needed and options[needed] is None:
        raise EmollamaError(f"scheme '{scheme}' needs {_flag(needed)}")
    return options


def _split(
    manifest: Manifest, scheme: str, options: Mapping[str, Any]
) -> tuple[Mapping[str, str | None], list[str]]:
    """{id: split} of every sample, and remarks."""
    samples: Sequence[Sample] = manifest.samples
    if scheme in PUBLISHED_SPLITS:
        ids = [s.id for s in samples]
        return published_split(scheme, options["lists"], manifest.corpus, ids)
    if scheme == LISTS:
        files = {part: options[part] for part in ("train", "val", "test") if options[part]}
        if not files:
            raise EmollamaError(f"scheme '{LISTS}' needs a list: --train, --val or --test FILE")
        return split_by_lists(samples, files, options["column"])
    if scheme == OFFICIAL:
        if not any(s.split for s in samples):
            raise EmollamaError(f"{manifest.path}: no sample has a split; choose another scheme")
        return {s.id: s.split for s in samples}, []
    if scheme == RANDOM:
        return random_split(samples, options["seed"]), []
    if scheme == ID_HASH:
        return by_id_hash(samples, options["fold"], options["folds"]), []
    by = options["by"]
    if by == "speaker":
        samples = [s.model_copy(update={"group": s.speaker}) for s in samples]
    alone = next((s.id for s in samples if s.group is None), None)
    if alone is not None and by != "none":
        loose = "; use '--by none' to split sample by sample" if scheme == K_FOLD else ""
        raise EmollamaError(f"{manifest.path}: sample '{alone}' has no {by} to split by{loose}")
    if scheme == LEAVE_ONE_OUT and by == "none":
        raise EmollamaError(f"--by none: scheme '{scheme}' needs --by group or --by speaker")
    if scheme == LEAVE_ONE_OUT:
        return leave_one_group_out(samples, options["group"], options["val_group"]), []
    folds = k_fold(
        samples, options["fold"], options["folds"], options["seed"],
        validate=options["val"], whole_groups=by != "none",
    )  # fmt: skip
    return folds, []


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
