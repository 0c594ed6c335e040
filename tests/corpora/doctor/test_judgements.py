"""What counts as a fault, and what does not: facts in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.doctor.clips import Looked, clip_findings
from emollama.corpora.doctor.duplicates import media_duplicates, plain, text_duplicates
from emollama.corpora.doctor.labels import label_counts, label_findings
from emollama.corpora.doctor.limits import Limits
from emollama.corpora.doctor.look import FaceFacts, FileFacts, MediaFacts
from emollama.corpora.doctor.splits import split_findings
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, Targets
from emollama.workers.worker import Failure

TEN = FileFacts("ten", 10.0, (0.0, 10.0), (0.0, 10.0), True, True, 8, -20.0, "tone", 0)


def clip(name: str, facts: FileFacts = TEN, **fields: object) -> Looked:
    sample = Sample.model_validate({"id": name, "video": "ten.mp4", **fields})
    return Looked(sample, MediaFacts(facts, None), None)


def kinds(looked: Looked, **limits: float) -> list[str]:
    return [f.kind for f in clip_findings(looked, Limits(**limits))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "limits", "expected"),
    [
        ({}, {}, []),
        ({"start": 2.0, "end": 3.0}, {}, []),
        ({"start": 2.0, "end": 2.3}, {}, ["too short"]),
        ({"start": 2.0, "end": 2.3}, {"min_seconds": 0.2}, []),
        ({}, {"max_seconds": 9.0}, ["too long"]),
        ({"start": 9.0, "end": 10.4}, {}, []),
        ({"start": 9.0, "end": 10.6}, {}, ["not as declared"]),
        ({"start": 9.0, "end": 10.6}, {"tolerance": 1.0}, []),
    ],
)
def test_a_span_is_judged_by_itself(
    fields: dict[str, float], limits: dict[str, float], expected: list[str]
) -> None:
    assert kinds(clip("a", **fields), **limits) == expected


def test_picture_and_sound_are_compared_where_the_span_is() -> None:
    late = replace(TEN, sound=(3.0, 10.0))
    assert kinds(clip("a", late)) == ["picture and sound differ"]
    assert kinds(clip("a", late, start=4.0, end=6.0)) == []
    assert kinds(clip("a", late, start=2.0, end=6.0)) == ["picture and sound differ"]
    voice = replace(TEN, picture=None, sound=(0.0, 8.0), stated=8.0, has_picture=False)
    both = Looked(Sample(id="b", video="v.mp4", audio="a.wav"), MediaFacts(TEN, voice), None)
    assert kinds(both) == ["picture and sound differ"]


def test_a_clip_that_cannot_be_opened_is_told_once() -> None:
    gone = Failure("missing", "v.mp4: does not exist")
    looked = Looked(Sample(id="a", video="v.mp4"), MediaFacts(gone, None), gone)
    assert kinds(looked) == ["missing"]
    died = Failure("worker died", "a worker process died (signal 11)")
    assert kinds(Looked(looked.sample, died, died)) == ["crash"]
    assert kinds(Looked(looked.sample, MediaFacts(TEN, None), died)) == ["crash"]
    both = Looked(
        Sample(id="a", video="v.mp4", audio="a.wav"),
        MediaFacts(gone, Failure("unreadable", "a.wav: is empty")),
        gone,
    )
    assert kinds(both) == ["missing", "unreadable"]


def test_one_face_is_enough_and_no_picture_is_no_missing_face() -> None:
    for facts, expected in (((8, 1), []), ((8, 0), ["faceless"]), ((0, 0), [])):
        looked = replace(clip("a"), face=FaceFacts(*facts))
        assert kinds(looked) == expected


def test_spans_of_one_recording() -> None:
    def found(*clips: Looked) -> set[tuple[str, tuple[str, ...]]]:
        findings = [*split_findings(clips), *media_duplicates(clips, Limits())]
        return {(f.kind, f.ids) for f in findings}

    def span(name: str, start: float, end: float, split: str | None) -> Looked:
        facts = replace(TEN, sound_digest=f"{start}-{end}")
        return clip(name, facts, start=start, end=end, split=split)

    # People of a conversation may interrupt each other; what has no split is in none.
    assert not found(span("a", 0, 5, "train"), span("b", 4, 9, "train"), span("c", 1, 2, None))
    shared = "recording in several splits"
    apart = found(span("a", 0, 5, "train"), span("b", 5, 9, "test"))
    assert apart == {(shared, ("a", "b"))}
    nested = found(span("a", 0, 9, "train"), span("b", 1, 2, "train"), span("c", 3, 4, "test"))
    assert nested == {(shared, ("a", "b", "c")), ("overlapping spans", ("a", "c"))}
    same = found(span("a", 0, 5, "train"), span("b", 0, 5, "test"))
    assert same == {("duplicate media across splits", ("a", "b"))}


def test_silence_is_no_duplicate() -> None:
    files = [replace(TEN, digest=d, level=-96.0, sound_digest="nothing") for d in "ab"]
    assert not media_duplicates([clip("a", files[0]), clip("b", files[1])], Limits())
    loud = [replace(facts, level=-20.0) for facts in files]
    (finding,) = media_duplicates([clip("a", loud[0]), clip("b", loud[1])], Limits())
    assert finding.detail.startswith("the same sound")


def test_short_texts_are_said_again() -> None:
    texts = ["Oh, my God!", "oh my god", "I don’t know what you mean.", "i dont know what you mean"]
    samples = [Sample(id=str(i), text=text, split="train") for i, text in enumerate(texts)]
    assert [f.ids for f in text_duplicates(samples, Limits())] == [("2", "3")]
    assert len(text_duplicates(samples, Limits(text_words=1))) == 2
    assert plain("  “Ｗell”—it's\n2 late… ") == "well its 2 late"
    assert plain("?!…") == ""


def test_a_speaker_is_told_of_unless_the_group_is() -> None:
    def person(name: str, split: str, group: str | None) -> Looked:
        return clip(name, replace(TEN, digest=name), speaker="anna", group=group, split=split)

    whole = split_findings([person("a", "train", "anna"), person("b", "test", "anna")])
    assert [f.kind for f in whole] == ["group in several splits"]
    scenes = split_findings([person("a", "train", "scene 1"), person("b", "test", "scene 2")])
    assert [f.kind for f in scenes] == ["speaker in several splits"]


def test_labels_are_judged_where_there_are_any() -> None:
    labels = LabelSet("two", ("happy", "sad"))

    def samples(**counts: tuple[int, int]) -> list[Sample]:
        return [
            Sample(id=f"{split}-{label}-{i}", split=split, targets=Targets(emotion=label))
            for split, numbers in counts.items()
            for label, n in zip(labels.labels, numbers, strict=True)
            for i in range(n)
        ]

    def found(made: list[Sample]) -> list[tuple[str, str]]:
        findings = label_findings(label_counts(made, labels), Limits())
        return [(f.kind, f.detail) for f in findings]

    assert not found(samples(train=(10, 10), test=(10, 12)))
    assert not found([*samples(train=(10, 10)), Sample(id="x", split="unlabelled")])
    assert not found([Sample(id="x", split="train")])
    assert found(samples(train=(10, 0), test=(10, 10))) == [
        ("label not in train", "'sad': 0 in train, 10 in test")
    ]
    assert found(samples(train=(10, 0))) == [("rare label", "'sad': no samples in any split")]
    assert found(samples(a=(10, 3), b=(10, 0))) == [
        ("rare label", f"'sad': {n} in {split}, fewer than 10") for split, n in (("a", 3), ("b", 0))
    ]
    several = [
        Sample(id=str(i), split="train", targets=Targets(emotions={"happy": 1.0, "sad": i / 2}))
        for i in range(3)
    ]
    assert label_counts(several, labels) == {"train": {"happy": 3, "sad": 2}}


@pytest.mark.parametrize(
    "limits", [{"min_seconds": 5, "max_seconds": 4}, {"tolerance": float("nan")}]
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(EmollamaError, match="--"):
        Limits(**limits)  # type: ignore[arg-type]


def test_a_speaker_in_two_groups_and_a_group_of_two_speakers() -> None:
    def found(*rows: tuple[str, str | None, str]) -> list[str]:
        clips = [
            clip(str(i), replace(TEN, digest=str(i)), group=group, speaker=speaker, split=split)
            for i, (group, speaker, split) in enumerate(rows)
        ]
        return [f.kind for f in split_findings(clips)]

    speaker, group = "speaker in several splits", "group in several splits"
    assert found(("sam", "sam", "train"), ("g2", "sam", "test")) == [speaker]
    assert found(("sam", "sam", "train"), ("sam", None, "test")) == [group]
    assert found(("sam", "sam", "train"), ("sam", "sam", "test")) == [group]
