"""ELAN's .eaf: tiers for each person, labels to choose from, and the recording beside it.

Format: EAF 2.8 (Max Planck Institute for Psycholinguistics, EAF_Annotation_Format).
"""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from pympi import Elan

from emollama.base.files import write_text
from emollama.manifest.paths import path_in_manifest
from emollama.recording.export.tiers import clean, tiers_of
from emollama.recording.parts import Analysis

_DATE = "1970-01-01T00:00:00+00:00"  # the format wants one; files depend on the analysis alone
_LABELS = "labels"


def write_eaf(analysis: Analysis, path: Path) -> None:
    """Tiers "A emotion", "A text" and "A words"; emotions are chosen from the model's labels."""
    eaf = Elan.Eaf(author="emollama")
    eaf.adocument["DATE"] = _DATE
    eaf.header = {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    eaf.add_language("und", "http://cdb.iso.org/lg/CDB-00130975-001", "undetermined (und)")
    eaf.add_controlled_vocabulary(_LABELS)
    for i, label in enumerate(analysis.labels):
        eaf.add_cv_entry(_LABELS, f"label{i}", [(clean(label), "und", None)])
    eaf.add_linguistic_type(
        "emotion",
        param_dict={
            "LINGUISTIC_TYPE_ID": "emotion",
            "TIME_ALIGNABLE": "true",
            "GRAPHIC_REFERENCES": "false",
            "CONTROLLED_VOCABULARY_REF": _LABELS,
        },
    )
    eaf.add_linguistic_type("speech")
    for tier in tiers_of(analysis):
        ling = "emotion" if tier.kind == "emotion" else "speech"
        eaf.add_tier(tier.name, ling, part=tier.person)
        for one in tier.intervals:
            eaf.add_annotation(tier.name, round(one.start * 1000), round(one.end * 1000), one.words)
    eaf.remove_tier("default")
    eaf.remove_linguistic_type("default-lt")
    # Not mimetypes.guess_type, which also asks the machine's own tables.
    kind = mimetypes.MimeTypes().guess_type(analysis.recording.name)[0] or "unknown"
    eaf.add_linked_file(
        analysis.recording.absolute().as_uri(), media_address(analysis.recording, path), kind
    )
    document = ElementTree.tostring(Elan.to_adocument(eaf), encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n')


def media_address(media: Path, file: Path) -> str:
    """The recording's address relative to the folder of `file`, escaped as in a URL.

    Absolute (file:///...) where the two have no folder in common.
    """
    written = path_in_manifest(media, file)
    return (
        Path(written).as_uri()
        if Path(written).is_absolute()
        else quote(os.fsencode(f"./{written}"))
    )
