"""Checks settings before hours are spent on stages that would fail."""

from __future__ import annotations

from collections.abc import Collection

from emollama.base.errors import EmollamaError
from emollama.encoders.table import parse_encoder
from emollama.manifest.labels import get_label_set
from emollama.merr.describe import TONE, VISUAL, describer
from emollama.merr.measure.readers import require_package
from emollama.merr.measure.tools import TRANSCRIPT, UNITS, build_tool
from emollama.merr.models.asking import endpoint_of
from emollama.merr.refine import REFINE, local_model
from emollama.merr.rules import Rules
from emollama.merr.settings import ModelSection, Settings
from emollama.merr.stages import STAGES
from emollama.merr.words import WORDS


def check(settings: Settings, stages: Collection[str] = tuple(STAGES)) -> None:
    """Check the settings of some stages without reading clips or loading models.

    Raises:
        EmollamaError: naming the first invalid key, and valid values.
    """
    labels = get_label_set(settings.labels)
    Rules(settings.rules, labels, settings.faces.relative)
    if not any((settings.evidence.face, settings.evidence.voice, settings.evidence.words)):
        raise EmollamaError("evidence: face, voice and words are all 0; set at least one above 0")
    if UNITS in stages:
        build_tool(UNITS, settings)
        if settings.faces.backend == "mediapipe":
            require_package()
    if TRANSCRIPT in stages:
        build_tool(TRANSCRIPT, settings)
    if WORDS in stages and settings.evidence.words:
        sentences = settings.evidence.sentences
        if parse_encoder(sentences).channel != "words":
            raise EmollamaError(f"evidence.sentences: '{sentences}' is not a text encoder")
    for name in (VISUAL, TONE):
        section: ModelSection = getattr(settings, name)
        if name in stages and section.kind != "template":
            describer(section, name)
    if REFINE in stages and settings.refine.kind == "endpoint":
        endpoint_of(settings.refine, REFINE)
    elif REFINE in stages and settings.refine.kind == "local":
        local_model(settings.refine)
