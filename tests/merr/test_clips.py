"""The clips of a manifest, with the people that it names."""

from __future__ import annotations

from pathlib import Path

from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, write_manifest
from emollama.merr.clips import find_clips


def test_a_manifest_names_who_speaks_and_who_is_seen_and_a_table_overrides_it(
    tmp_path: Path,
) -> None:
    samples = [
        Sample(id="dubbed", video="a.mp4", speaker="anna", face="ben"),
        Sample(id="plain", video="b.mp4", speaker="carla"),
    ]
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, "films", get_label_set("mer2023"), samples)
    assert [(c.speaker, c.face) for c in find_clips(manifest)] == [("anna", "ben"), ("carla", None)]
    table = tmp_path / "speakers.csv"
    table.write_text("name,speaker,face\nplain,dora,emil\n")
    found = find_clips(manifest, speakers=table)
    assert [(c.speaker, c.face) for c in found] == [("anna", "ben"), ("dora", "emil")]
    table.write_text("name,speaker\ndubbed,dora\n")  # which says nothing of faces
    found = find_clips(manifest, speakers=table)
    assert (found[0].speaker, found[0].face) == ("dora", "ben")
