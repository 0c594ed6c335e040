"""The doctor's thresholds."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from emollama.base.errors import EmollamaError
from emollama.media.decode import MAX_SECONDS


@dataclass(frozen=True)
class Limits:
    """Thresholds of the findings.

    They apply to recorded facts: other limits need no second check of the media.

    Attributes:
        min_seconds: a shorter clip is too short.
        max_seconds: a longer clip is too long; by default the length that encoders cut off.
        tolerance: allowed difference of lengths in seconds.
        silence: dBFS; a clip is silent if its loudest tenth of a second is quieter. Full scale is
            0, a voice from -50 to -10, and the noise of a 16-bit file without signal about -96.
        min_label: fewer samples of a label in a split are too few.
        text_words: shorter texts ("oh my god") are not reported as duplicates; people do repeat
            them.
    """

    min_seconds: float = 0.5
    max_seconds: float = MAX_SECONDS
    tolerance: float = 0.5
    silence: float = -60.0
    min_label: int = 10
    text_words: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.min_seconds < self.max_seconds:
            raise EmollamaError(
                f"--min-seconds {self.min_seconds:g} must be 0 or more and below --max-seconds "
                f"{self.max_seconds:g}"
            )
        if not self.silence <= 0:
            raise EmollamaError(
                f"--silence {self.silence:g}: must be 0 or less, in dB relative to full scale"
            )
        for name, value in asdict(self).items():
            if name != "silence" and not value >= 0:
                raise EmollamaError(f"--{name.replace('_', '-')} {value:g}: must be 0 or more")
