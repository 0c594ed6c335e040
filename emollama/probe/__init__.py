"""The probe corpus: synthetic talking faces whose voice, face and words are known to agree or not.

It measures which channel a model listens to, and lets the whole pipeline run on a machine that has
no recordings. It is never evidence of accuracy on people.
"""

from emollama.probe.contact import contact_sheet
from emollama.probe.plan import Settings
from emollama.probe.synthesize import synthesize
from emollama.probe.vocabulary import PHRASES, clues_in, rendered_clues

__all__ = ["PHRASES", "Settings", "clues_in", "contact_sheet", "rendered_clues", "synthesize"]
