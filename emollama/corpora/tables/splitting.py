"""The split of a table's clips: its own, by shares, by folds, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.shares import SHARES, Shared, parse_shares, split_by_shares
from emollama.corpora.split_names import usual_split
from emollama.corpora.splits import (
    k_fold,
    leave_one_group_out,
    require_whole_groups,
    stratum,
    with_split,
)
from emollama.manifest.sample import Sample


def split_table(
    samples: tuple[Sample, ...],
    table: Path,
    split: str | None,
    seed: int,
    shares: str | None,
    groups: bool,
) -> tuple[tuple[Sample, ...], list[str]]:
    """The samples with their split, and the lines of the report about it.

    Args:
        samples: with the split of their row, if any.
        table: for messages.
        split: None for the table's own split or, where it has none, one by `shares`; "fold=I/K"
            for fold I (from 0) of K by group, "leave=GROUP" to test on one group, "none".
        seed: of the folds and shares.
        shares: percent of train, val and test; replaces the table's own split.
        groups: whether the table has a column of groups, which no split may cut.

    Raises:
        EmollamaError: `split` or `shares` is invalid, or a split cuts a group.
    """
    if split is not None and shares is not None:
        raise EmollamaError(
            f"split '{split}': cannot be combined with shares {shares}; give one of them"
        )
    if split == "none":
        return tuple(s.model_copy(update={"split": None}) for s in samples), []
    if split is not None:
        kind, _, value = split.partition("=")
        fold, _, folds = value.partition("/")
        if kind == "leave" and value:
            _need_groups(samples, table)
            return with_split(samples, leave_one_group_out(samples, value)), []
        if kind != "fold" or not fold.isdecimal() or not folds.isdecimal():
            raise EmollamaError(f"split '{split}': must be 'fold=I/K' or 'leave=GROUP', or 'none'")
        _need_groups(samples, table)
        return with_split(samples, k_fold(samples, int(fold), int(folds), seed)), []
    if shares is not None or not any(s.split for s in samples):
        return _by_shares(samples, table, shares, seed)
    samples, notes = _usual_names(samples)
    try:
        require_whole_groups(samples, {s.id: s.split for s in samples})
    except EmollamaError as error:
        if groups:
            raise EmollamaError(f"{table}: {error}") from error
        # Official splits of some corpora (MELD's) do have the same speakers on both sides; who
        # gives speakers and no groups is told, not stopped.
        loose = tuple(s.model_copy(update={"group": None}) for s in samples)
        return loose, [*notes, f"the table's split separates clips of one speaker: {error}"]
    return samples, notes


def _usual_names(samples: tuple[Sample, ...]) -> tuple[tuple[Sample, ...], list[str]]:
    """Splits under the names that presets use; as written where two would become one."""
    written = dict.fromkeys(s.split for s in samples if s.split)
    usual = {name: usual_split(name) for name in written}
    changed = {name: now for name, now in usual.items() if name != now}
    if not changed or len(set(usual.values())) < len(usual):
        return samples, []
    told = ", ".join(f"'{name}' is {now}" for name, now in changed.items())
    renamed = tuple(
        s.model_copy(update={"split": usual[s.split]}) if s.split in changed else s for s in samples
    )
    return renamed, [f"splits: {told}"]


def _need_groups(samples: Sequence[Sample], table: Path) -> None:
    """Refuse to split by group where a sample has none."""
    alone = next((s.id for s in samples if s.group is None), None)
    if alone is not None:
        raise EmollamaError(
            f"{table}: '{alone}' has no group to split by; add a column 'speaker' "
            "or 'group', or leave out --split to split clip by clip"
        )


def _why_not_apart(found: Shared) -> str:
    """Why clips of one speaker may be in several splits."""
    if found.unknown:
        return f"{found.unknown} {'clip has' if found.unknown == 1 else 'clips have'} no speaker"
    few = "speaker is" if found.speakers_shared == 1 else "speakers are"
    return f"{found.speakers_shared} {few} too few to keep apart"


def _by_shares(
    samples: tuple[Sample, ...], table: Path, shares: str | None, seed: int
) -> tuple[tuple[Sample, ...], list[str]]:
    """Splits for a table without any, and the line that reports them."""
    if shares is None and not any(map(stratum, samples)):
        return samples, []  # clips to predict
    chosen = shares or SHARES
    try:
        found = split_by_shares(samples, parse_shares(chosen), seed)
    except EmollamaError as error:
        if shares is None:
            return samples, [f"no split in the table, and {error}"]
        raise EmollamaError(f"{table}: {error}") from error
    split = tuple(s.model_copy(update={"split": found.splits.get(s.id)}) for s in samples)
    why = "" if shares else "no split in the table: "
    how = f"{why}split {chosen} (train/val/test, %) by {found.by}, seed {seed}"
    if found.speakers_shared:
        # Groups that are cut would be an error in every later step.
        split = tuple(s.model_copy(update={"group": None}) for s in split)
        how += f", because {_why_not_apart(found)}: scores will be on speakers seen in training"
    return split, [f"{how}; change it with --shares and --seed, or leave it out with --split none"]
