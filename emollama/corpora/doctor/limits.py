"""Where the doctor draws its lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from emollama.base.errors import EmollamaError
from emollama.media.decode import MAX_SECONDS


@dataclass(frozen=True)
class Limits:
    """From where on something is a finding.

    They judge facts that have been recorded: other limits need no second look at the media.

    Attributes:
        min_seconds: a shorter clip is too short.
        max_seconds: a longer clip is too long; by default what an encoder would not hear.
        tolerance: seconds that lengths may differ by.
        silence: dBFS; a clip whose loudest tenth of a second is quieter is silent. Full scale is
            0, a voice from -50 to -10, the noise of a 16-bit file without any signal about -96.
        min_label: fewer samples of a label in a split are too few.
        text_words: shorter texts ("oh my god") are no duplicates; people do say them again.
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
            raise EmollamaError(f"--silence {self.silence:g}: dB below full scale are 0 or less")
        for name, value in asdict(self).items():
            if name != "silence" and not value >= 0:
                raise EmollamaError(f"--{name.replace('_', '-')} {value:g}: must be 0 or more")
