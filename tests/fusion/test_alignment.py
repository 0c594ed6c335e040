"""Tracks on one clock: by hand, with times and without."""

from __future__ import annotations

import torch

from emollama.fusion.alignment import pool, reference_grid, resample
from emollama.fusion.layers import Tokens
from tests.fusion.systems_made import close


def tokens(values: list[float], times: list[float], valid: list[int] | None = None) -> Tokens:
    mask = torch.ones(1, len(values), dtype=torch.bool)
    if valid is not None:
        mask = torch.tensor([valid], dtype=torch.bool)
    return Tokens(torch.tensor(values)[None, :, None], mask, torch.tensor([times]))


WORDS = tokens([0.0, 0.0, 0.0], [1.0, 2.0, 4.0])


def on_words(how: str, track: Tokens) -> list[float]:
    grid = reference_grid({"text": WORDS, "audio": track}, ["text", "audio"])
    found = pool(track, grid, "audio") if how == "pool" else resample(track, grid, "audio", how)  # type: ignore[arg-type]
    return [round(x, 4) for x in found[0, :, 0].tolist()]


def test_tracks_come_onto_the_words_by_time() -> None:
    track = tokens([10.0, 20.0, 30.0, 40.0, 50.0], [0.0, 1.4, 1.8, 3.5, 9.0])
    assert on_words("pool", track) == [15.0, 30.0, 45.0]
    assert on_words("nearest", track) == [20.0, 30.0, 40.0]
    assert on_words("linear", track) == [17.1429, 31.1765, 40.9091]


def test_order_in_memory_and_what_is_not_valid_do_not_matter() -> None:
    plain = tokens([10.0, 20.0], [1.0, 4.0])
    mixed = tokens([torch.nan, 20.0, torch.inf, 10.0], [2.0, 4.0, 1.0, 1.0], [0, 1, 0, 1])
    for how in ("pool", "nearest", "linear"):
        assert on_words(how, mixed) == on_words(how, plain)


def test_a_step_to_which_none_is_nearest_takes_the_nearest() -> None:
    assert on_words("pool", tokens([10.0, 50.0], [0.9, 4.2])) == [10.0, 10.0, 50.0]


def test_unknown_times_are_spread_evenly_over_the_same_span() -> None:
    assert on_words("pool", tokens([1.0, 2, 3, 4, 5, 6], [0.0] * 6)) == [1.5, 3.5, 5.5]
    assert on_words("pool", tokens([7.0], [2.0])) == [7.0, 7.0, 7.0]
    assert on_words("linear", tokens([7.0], [0.0])) == [7.0, 7.0, 7.0]


def test_each_row_has_the_steps_of_its_first_present_modality() -> None:
    text = Tokens(
        torch.ones(2, 2, 1),
        torch.tensor([[True, True], [False, False]]),
        torch.tensor([[1.0, 2], [0, 0]]),
    )
    audio = Tokens(
        torch.arange(6.0).reshape(2, 3, 1),
        torch.tensor([[True, False, False], [True, True, True]]),
        torch.tensor([[1.0, 0, 0], [1, 1, 2]]),
    )
    grid = reference_grid({"audio": audio, "text": text}, ["text", "audio"])
    assert grid.valid.tolist() == [[True, True, False], [True, True, True]]
    assert grid.times.tolist() == [[1, 2, 0], [1, 1, 2]]
    # On its own steps a track is itself, also where two have the same time.
    close(pool(audio, grid, "audio")[1, :, 0], torch.tensor([3.0, 4, 5]))
    close(resample(audio, grid, "audio")[1, :, 0], torch.tensor([3.0, 4, 5]))
    assert pool(text, grid, "text")[1].abs().sum() == 0
