"""The doctor: looks at every clip of a manifest and says what would spoil a result.

`look` runs in worker processes and states facts of one clip; `record` keeps them on disk; `clips`,
`splits`, `duplicates`, `labels` and `tracks` are pure functions from facts to findings; `examine`
goes through all of them.
"""

from emollama.corpora.doctor.examine import Examination, examine
from emollama.corpora.doctor.findings import KINDS, Finding
from emollama.corpora.doctor.limits import Limits

__all__ = ["KINDS", "Examination", "Finding", "Limits", "examine"]
