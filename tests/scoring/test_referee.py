"""The referee: conflicts are between channels that the clip has."""

from __future__ import annotations

from emollama.manifest.channels import Channel
from emollama.scoring.metrics.referee import referee
from emollama.scoring.predictions.prediction import CHANNELS, Prediction

SURE = {"sad": 1.0, "happy": 0.0}
OTHER = {"sad": 0.0, "happy": 1.0}


def answers(
    name: str, said: dict[Channel, dict[str, float]], **shown: str
) -> tuple[Prediction, list[Prediction]]:
    """The answer with all channels and of each alone; the clip has those that are `shown`."""
    fields = {"id": name, "reference": "sad", "label": "sad", "truth": shown}
    lacks = tuple(c for c in CHANNELS if c not in shown)
    whole = Prediction(scores=SURE, lacks=lacks or None, **fields)
    return whole, [Prediction(channels=(c,), scores=said[c], **fields) for c in CHANNELS]


def test_a_channel_that_a_clip_lacks_has_no_say_in_its_conflict() -> None:
    """Asked alone about a clip without a face, a model answers its prior."""
    agree: dict[Channel, dict[str, float]] = {"voice": SURE, "face": OTHER, "words": SURE}
    clash: dict[Channel, dict[str, float]] = {"voice": SURE, "face": SURE, "words": OTHER}
    rows = [
        answers("faceless", agree, voice="sad", words="sad"),
        answers("clash", clash, voice="sad", face="sad", words="happy"),
        answers("voice only", agree, voice="sad"),  # with whom should it be in conflict?
    ]
    singles = [[alone[k] for _, alone in rows] for k in range(3)]
    found = referee([whole for whole, _ in rows], singles, resamples=50)
    assert found is not None
    assert (found.detection.value, found.detection.n_scored) == (1.0, 2)
