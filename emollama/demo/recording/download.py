"""Everything that was found in a recording, under the names that people have now, as one zip."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from emollama.demo.recording.shelf import Shelf
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.recording.answering.samples import MANIFEST
from emollama.recording.export import write_all
from emollama.recording.parts import Analysis
from emollama.recording.result.naming import named_samples
from emollama.serving.jobs import Job


def zipped(shelf: Shelf, job: Job, analysis: Analysis, show_faces: bool, folder: Path) -> Path:
    """The files of an analysis without the recording, which they expect beside them.

    Args:
        shelf: of the recording.
        job: its analysis.
        analysis: with the names that people have now.
        show_faces: whether the report shows faces that can be recognised.
        folder: of the zip.
    """
    stem = Path(job.name).stem[:60] or "recording"
    # An empty folder may have been swept away.
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / f"{stem}-analysis.zip"
    with tempfile.TemporaryDirectory(dir=shelf.jobs.folder / job.id) as name:
        out = Path(name)
        media = shelf.named(job, out)
        files = write_all(replace(analysis, recording=media), out, show_faces=show_faces)
        made = read_manifest(shelf.jobs.files(job)[MANIFEST])
        samples = named_samples(made.samples, analysis, media.name)
        write_manifest(out / MANIFEST, made.corpus, made.labels, samples)
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for file in (*files, out / MANIFEST):
                archive.write(file, file.name)
    return path
