"""The doctor: checks every clip of a manifest and reports what would spoil a result.

`look` runs in worker processes and records facts about one clip; `record` keeps them on disk;
`clips`, `splits`, `duplicates`, `labels` and `tracks` are pure functions from facts to findings;
`examine` runs them all.
"""

from emollama.corpora.doctor.examine import Examination, examine
from emollama.corpora.doctor.findings import KINDS, Finding
from emollama.corpora.doctor.limits import Limits

__all__ = ["KINDS", "Examination", "Finding", "Limits", "examine"]
