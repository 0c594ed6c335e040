"""Tiny artefacts of both families that measure the voice against people; clips of two people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from emollama.encoders.prosody import ProsodyEncoder
from emollama.fusion import artefact
from emollama.inputs.person import PersonPrior, moments_of
from emollama.inputs.person_fit import fit_person_prior
from emollama.manifest.labels import LabelSet
from emollama.media.clip import Clip
from tests.features.made import voice
from tests.fusion.systems_made import LABELS, model_of, section
from tests.media.vowels import vowels
from tests.session.made import tiny_artefact

ENCODER = ProsodyEncoder(segments=4)
LOW, HIGH = (105, 112, 121, 128), (208, 222, 230, 241)
"""Pitches of the clips of two people, in Hz."""


def made_prior(name: str, seconds: float = 1.2) -> PersonPrior:
    """Of four people of two labels, of which one is a little higher."""
    pitches = [
        (base + (18 if label == "angry" else 0) + 3 * take, str(base), label)
        for base in (95, 130, 175, 220)
        for label in ("neutral", "angry")
        for take in range(2)
    ]
    clips = [Clip(None, vowels(f0, seconds), seconds) for f0, _, _ in pitches]
    tracks = ENCODER.encode(clips)
    found = fit_person_prior(
        {name: ENCODER.width},
        [moments_of([track], [ENCODER.width]) for track in tracks],
        [person for _, person, _ in pitches],
        [label for _, _, label in pitches],
        ("neutral", "angry"),
    )
    # Made voices are far more alike than those of people.
    return replace(found, noise=np.maximum(found.noise, 0.1))


def llm_of_people(folder: Path) -> Path:
    """A language model whose one stream, prosody, is measured against people."""
    return tiny_artefact(folder, prior=made_prior("prosody"))


def fusion_of_people(folder: Path) -> Path:
    """A fusion model whose one modality, the voice, is measured against people."""
    one = section("voice") | {"source": ENCODER.key, "width": ENCODER.width,
                              "fingerprint": ENCODER.fingerprint,
                              "standardise": "person"}  # fmt: skip
    model = model_of("early", {}, [one], "label")
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    folder = folder / "model"
    artefact.save({artefact.MAIN: model}, about, folder, {}, "# card\n", made_prior("voice"))
    return folder


FAMILIES: dict[str, Callable[[Path], Path]] = {"llm": llm_of_people, "fusion": fusion_of_people}


def people_clips(folder: Path) -> dict[str, list[Path]]:
    """Four clips each of a low and of a high voice."""
    found: dict[str, list[Path]] = {}
    for name, pitches in (("low", LOW), ("high", HIGH)):
        found[name] = [folder / f"{name}-{i}.wav" for i in range(len(pitches))]
        for path, f0 in zip(found[name], pitches, strict=True):
            voice(path, f0, 1.2)
    return found
