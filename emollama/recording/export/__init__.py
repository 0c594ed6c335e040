"""What a researcher opens: tables, turns, subtitles, tiers and the report, made from an `Analysis`.

Every file's bytes depend only on the analysis (and the recording, for thumbnails of faces), so that
a run that was resumed writes the same files as one that was not interrupted.
"""

from emollama.recording.export.files import FORMATS, write_all

__all__ = ["FORMATS", "write_all"]
