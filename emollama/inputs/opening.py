"""Opens the feature tracks of a model, before or after its training.

Everything here uses `InputSpec`, the same for language models and fusion models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.features.same_encoder import require_same_encoder
from emollama.features.store import StoredTracks, open_tracks, relocated_sources
from emollama.features.tracks import TrackReader
from emollama.inputs.mixed_tracks import AbsentTracks, MixedTracks
from emollama.inputs.spec import Described, InputSpec
from emollama.manifest.channels import Channel

Readers = dict[str, TrackReader]
"""Readers of tracks, by input."""
Store = Path | Callable[[InputSpec], TrackReader] | None
"""A feature store, or what opens the tracks of an input (`mixture.Mixture.tracks`)."""


def open_inputs(store: Store, inputs: Sequence[Described]) -> tuple[list[InputSpec], Readers]:
    """Inputs as a model stores them (full source, width, encoder), and readers of their tracks."""
    found: list[InputSpec] = []
    readers: Readers = {}
    for spec in (one.spec for one in inputs):
        if spec.cached:
            reader = store(spec) if callable(store) else open_tracks(store, spec.source)
            key = reader.key if isinstance(reader, StoredTracks | MixedTracks) else None
            source = key or spec.source
            spec = replace(
                spec,
                source=source,
                width=spec.width_of(reader.width),
                fingerprint=reader.fingerprint,
            )
            readers[spec.name] = reader
        found.append(spec)
    return found, readers


def reopen_inputs(
    store: Path | None,
    inputs: Sequence[Described],
    features: Path | None = None,
    lacks: frozenset[Channel] = frozenset(),
) -> Readers:
    """Readers for the tracks of a trained model, which must come from the same encoders.

    Args:
        store: the feature store.
        inputs: as the model stores them.
        features: folder with `npy:` folders of the same names, for another corpus.
        lacks: channels of the corpus that are not read.

    Raises:
        EmollamaError: other widths, another version of an encoder, or two sources that would
            become one folder.
    """
    cached = [one.spec for one in inputs if one.spec.cached]
    readers: Readers = {}
    sources = relocated_sources([s.source for s in cached], features)
    for spec, source in zip(cached, sources, strict=True):
        if spec.channel in lacks:
            readers[spec.name] = AbsentTracks(spec.width // spec.width_of(1), spec.fingerprint)
            continue
        reader = open_tracks(store, source)
        if spec.width_of(reader.width) != spec.width:
            raise EmollamaError(
                f"{spec}: {source} is {reader.width} columns wide, but the model was built for "
                f"{spec.width // spec.width_of(1)}"
            )
        require_same_encoder(spec, reader.fingerprint, str(store or source))
        readers[spec.name] = reader
    return readers
