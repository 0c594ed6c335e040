"""The whole way on a tiny fusion model and a tiny EmotionLlama: pictures, pages, summary."""

from __future__ import annotations

import json
import re
from copy import copy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.cli.explain import explain
from emollama.explain.case import Settings
from emollama.explain.explaining import Chosen, explain_clip, explain_split
from emollama.explain.gate_noise import gate_noise
from emollama.explain.page import page
from emollama.fusion import artefact
from emollama.fusion.artefact import About, FusionArtefact
from emollama.fusion.data.data import FusionData, fit_standardisers, open_modalities, read_data
from emollama.fusion.readout import answers
from emollama.fusion.samples import FusionSamples
from emollama.fusion.subject import FusionSubject, rows_of
from emollama.fusion.systems.table import fusion_system
from emollama.llm import artefact as llm_artefact
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.layout import LAYOUTS
from emollama.llm.options import LoraSection
from emollama.llm.processing import Evidence
from emollama.llm.subject import LlmSubject
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest
from emollama.runs.subject import View
from emollama.scoring.reasons.check import CheckedReason
from emollama.session import Answer
from emollama.session.llm_session import LlmSession
from tests.features.made import voice
from tests.fusion.corpus import LABELS, make
from tests.llm.conftest import STREAMS, built, evidence, llm  # noqa: F401  fixtures
from tests.llm.training.corpus import WIDTHS
from tests.llm.training.corpus import make as make_llm
from tests.session.made import tiny_artefact

SMALL = {"width": 8, "heads": 2, "decoder_hidden": 16, "gate_hidden": 6, "dropout": 0.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder)
    config_class, model_class = fusion_system("hri_emo")
    sections, readers = open_modalities(folder / "store", config_class(
        modalities=[{"name": c, "channel": c, "source": c} for c in ("voice", "words")]
    ).sections)  # fmt: skip
    torch.manual_seed(0)
    config = config_class(
        modalities=[s.model_dump() for s in sections], labels=list(LABELS.labels), options=SMALL
    )
    model = model_class(config).eval()
    manifest = read_manifest(folder / "manifest.jsonl")
    data = read_data(manifest, "train", config.goal, LABELS, sections, readers)
    fit_standardisers(model, data)
    artefact.save({"model": model}, About(LABELS), folder / "model", {}, "")
    return folder


@pytest.fixture(scope="module")
def loaded(corpus: Path) -> tuple[FusionArtefact, FusionData]:
    found = artefact.load(corpus / "model")
    sections, readers = open_modalities(corpus / "store", found.config.sections)
    manifest = read_manifest(corpus / "manifest.jsonl")
    return found, read_data(manifest, "test", found.config.goal, LABELS, sections, readers)


def test_views_of_a_fusion_model_are_its_own_answers(
    loaded: tuple[FusionArtefact, FusionData],
) -> None:
    model, data = loaded
    subject = FusionSubject(model, rows_of([data.batch(range(len(data)))]))
    cpu = torch.device("cpu")
    for hidden in ((), ("voice",), ("voice", "words")):
        said = answers(model.config, model.models["model"], data.in_order(), cpu, hidden)
        names = frozenset({"voice", "words"} - set(hidden))
        mine = subject.scores([View(i, names) for i in range(len(data))])
        np.testing.assert_allclose(mine, said.labels, atol=1e-5)
    # Hiding every step is the same as lacking the modality; hiding none is nothing.
    row = next(i for i in range(len(data)) if int(data.tracks["voice"].length[i]) > 1)
    count = int(data.tracks["voice"].length[row])
    both = frozenset(("voice", "words"))
    every, none, some, gone, whole = subject.scores([
        View(row, both, {"voice": np.ones(count, bool)}),
        View(row, both, {"voice": np.zeros(count, bool)}),
        View(row, both, {"voice": np.arange(count) == 0}),
        View(row, frozenset(("words",))),
        View(row, both),
    ])  # fmt: skip
    np.testing.assert_allclose(every, gone, atol=1e-7)
    np.testing.assert_allclose(none, whole, atol=1e-7)
    assert np.abs(some - whole).max() > 1e-6


class Fetched(HTMLParser):
    """Collects what a page would fetch or run: anything but pictures inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "object", "base"):
            self.found.append(tag)
        for key, value in attrs:
            inside = key == "src" and str(value).startswith("data:image/png;base64,")
            if key.startswith("on") or (key in ("src", "href", "srcset") and not inside):
                self.found.append(f"{tag} {key}")


def external(html: str) -> list[str]:
    parser = Fetched()
    parser.feed(html)
    style = html.split("<style>")[1].split("</style>")[0]
    return parser.found + re.findall(r"@import|url\(", style)


def test_a_split_of_a_fusion_model(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(tmp_path, model=corpus / "model", manifest=corpus / "manifest.jsonl",
            store=corpus / "store", count=6, sheets=2, noise=True, orders=2)  # fmt: skip
    told = capsys.readouterr().out
    assert "channels: the explanation's order" in told and "noise on voice: it" in told
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["clips"] == 6 == len(summary["cases"])
    assert {d["lane"] for d in summary["deletion"]} <= {"voice", "channels"}
    for case in summary["cases"]:
        for found in case["shapley"]:
            total = sum(found["probability"].values())
            assert total == pytest.approx(found["full"] - found["empty"], abs=1e-9)
    text = (tmp_path / "summary.md").read_text()
    assert "| channels |" in text and "| channel | mean" in text and "odalit" not in text
    assert "## The gate under noise" in text
    pages = sorted((tmp_path / "cases").glob("*.html"))
    assert len(pages) == 2
    for one in pages:
        html = one.read_text()
        assert html.count("data:image/png;base64,") == 2 and external(html) == []
        for name in (f"{one.stem}.png", f"{one.stem}-maps.png"):
            assert (one.parent / name).read_bytes().startswith(b"\x89PNG")


def test_a_gate_of_zeros_is_denied_and_one_that_hears_noise_is_not(
    loaded: tuple[FusionArtefact, FusionData],
) -> None:
    model, data = loaded
    samples = FusionSamples(model, data, {})
    before = {g.modality: g for g in gate_noise(model, samples, levels=(0.0, 4.0), resamples=100)}
    assert before["voice"].weights[0.0] == before["words"].weights[0.0]
    assert before["voice"].change.value != 0
    gate = model.models["model"].gate
    kept = {k: v.clone() for k, v in gate.state_dict().items()}
    for parameter in gate.parameters():
        parameter.data.zero_()
    try:
        for found in gate_noise(
            model, FusionSamples(model, data, {}), levels=(0.0, 4.0), resamples=100
        ):
            assert found.weights[4.0]["voice"].value == pytest.approx(0.5)
            assert "does not follow signal quality" in found.line()
    finally:
        gate.load_state_dict(kept)


def test_text_of_a_page_is_escaped(loaded: tuple[FusionArtefact, FusionData]) -> None:
    from emollama.explain.case import explain_row

    model, data = loaded
    subject = FusionSubject(model, rows_of([data.batch([0])]))
    evil = '<script src="http://x.y/z.js"></script>" onload="a()'
    case = explain_row(subject, 0, evil, Settings(orders=1), text=evil, true="sad",
                       notes=(evil,))  # fmt: skip
    case = case.because(CheckedReason(evil, "model"))
    html = page(case, [(evil, b"\x89PNG")])
    assert html.count("&lt;script") >= 5 and "<script" not in html
    assert external(html) == []
    assert '" onload=' not in html


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llm")
    make_llm(folder)
    streams = [
        StreamConfig("voice", "voice", f"npy:{folder / 'voice'}", WIDTHS["voice"], tokens=3),
        StreamConfig("face", "face", f"npy:{folder / 'face'}", WIDTHS["face"]),
    ]
    model, processor = llm_artefact.build(
        str(folder / "llm"), "emollama-chat", streams, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip
    llm_artefact.save(model, processor, ClueWords(), folder / "model", {}, "# card\n")
    return folder


def test_a_split_of_a_language_model(spoken: Path, tmp_path: Path) -> None:
    chosen = Chosen(spoken / "manifest.jsonl", split="val", ids=("clip-000", "clip-004"))
    found = explain_split(spoken / "model", chosen, tmp_path, Settings(orders=1), reason=True,
                          dtype="float32")  # fmt: skip
    assert found.clips == 2 and set(found.values) == {"voice", "face", "words"}
    (case, other) = json.loads((tmp_path / "summary.json").read_text())["cases"]
    words = next(c for c in case["occlusion"] if c["lane"] == "words: text")
    assert words["words"] == ["This", "is", "sentence", "0."] and len(words["drop"]) == 4
    assert case["reason"] is not None and other["id"] == "clip-004"
    html = (tmp_path / "cases/clip-000.html").read_text()
    assert "<h2>Reason</h2>" in html and external(html) == []


def test_the_reason_explains_the_label_of_the_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 the same clip, asked again, may come out with the second of two near labels."""
    voice(tmp_path / "voice.wav", 180, 1.0)
    answers = LlmSession.answers

    def otherwise(self: LlmSession, *given: Any, **more: Any) -> list[Answer]:
        found = answers(self, *given, **more)
        return [replace(one, label=min(one.scores, key=lambda k: one.scores[k])) for one in found]

    monkeypatch.setattr(LlmSession, "answers", otherwise)
    case = explain_clip(
        tiny_artefact(tmp_path), tmp_path / "voice.wav", tmp_path / "out", Settings(orders=1),
        text="They broke it.", reason=True, dtype="float32",
    )  # fmt: skip
    assert case.reason is not None and case.answered.label in case.reason


def test_views_of_a_language_model(built) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    model, processor = built
    bare = llm_artefact.bare(model).eval()
    subject = LlmSubject(bare, processor, [evidence(0)])
    every = frozenset(("voice", "face", "words"))
    assert subject.present(0) == every
    shown = subject.shown(View(0, every, {"text": np.array([True, False, False, True])}))
    assert shown.text == "look at"
    hidden = subject.shown(View(0, every, {"face": np.arange(6) < 2})).tracks["face"]
    own = evidence(0).tracks["face"]
    assert hidden is not None and own is not None
    np.testing.assert_allclose(
        hidden.values[:2], np.tile(own.values[2:].mean(0), (2, 1)), rtol=1e-5
    )
    nothing = Evidence({s.name: None for s in STREAMS}, None)
    empty = LlmSubject(bare, processor, [nothing]).scores([View(0, frozenset())])
    np.testing.assert_allclose(subject.scores([View(0, frozenset())]), empty, atol=1e-6)


def test_a_model_that_reads_no_words_has_no_share_of_them(built) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    model, processor = built
    deaf = copy(processor)
    deaf.layout = LAYOUTS["emollama-no-words"]
    subject = LlmSubject(llm_artefact.bare(model).eval(), deaf, [evidence(0)])
    assert [m.name for m in subject.modalities] == ["voice", "face"]
    assert "text" not in subject.steps(0) and "text" not in subject.tracks


def test_mistakes_are_one_line(corpus: Path, spoken: Path, tmp_path: Path) -> None:
    manifest, store = corpus / "manifest.jsonl", corpus / "store"
    for wrong, message in (
        ({}, "give a CLIP, or --manifest"),
        ({"manifest": manifest, "store": store, "ids": "clip-0003"}, "did you mean 'clip-003'"),
        ({"manifest": manifest, "store": store, "reason": True}, "leave --reason out"),
        ({"manifest": manifest, "ids": "a", "count": 1}, "--ids or --count, not both"),
        ({"clip": Path("x.mp4"), "noise": True}, "measured over a split"),
    ):
        with pytest.raises(EmollamaError, match=message):
            explain(tmp_path / "out", model=corpus / "model", **wrong)  # type: ignore[arg-type]
    with pytest.raises(EmollamaError, match="that has no gate"):
        explain(
            tmp_path / "out", model=spoken / "model", manifest=spoken / "manifest.jsonl",
            split="val", noise=True,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
