"""Files by which the artefact of a kind of model is known: each has one that no other has."""

PROCESSOR_FILE = "processor.json"
"""Of a language model."""
FUSION_FILE = "fusion.json"
"""Of a fusion model."""
