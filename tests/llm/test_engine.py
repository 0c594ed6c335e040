"""An engine writes what our own loop writes, and is refused where it could not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.endpoints.vllm import need_loopback
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.decoding import Reply, Sampling
from emollama.llm.inference import written
from emollama.llm.interop.engine import EngineReply, PromptEngine
from emollama.llm.interop.export import export
from tests.llm.conftest import evidence
from tests.llm.vllm import Served, running_vllm

CLIPS = [evidence(0), evidence(1, voice=True), evidence(2, text=None, face=True)]


@pytest.fixture(scope="module")
def opened(llm: Path, tmp_path_factory: pytest.TempPathFactory) -> artefact.LlmArtefact:
    from emollama.llm.options import LoraSection
    from emollama.manifest.labels import get_label_set
    from tests.llm.conftest import STREAMS

    folder = tmp_path_factory.mktemp("engine")
    model, processor = artefact.build(
        str(llm), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip
    artefact.save(model, processor, ClueWords(), folder / "model", {}, "")
    export(folder / "model", folder / "llm", form="llm")
    return artefact.load(folder / "model", torch.float32)


@pytest.fixture
def served(opened: artefact.LlmArtefact) -> Iterator[Served]:
    with running_vllm(opened.folder.parent / "llm") as found:
        yield found


def test_an_engine_writes_what_we_write(opened: artefact.LlmArtefact, served: Served) -> None:
    model, processor = opened.model, opened.processor
    engine = PromptEngine(served.url, model, processor)
    ours = written(model, processor, CLIPS, "reason", 12)
    assert written(model, processor, CLIPS, "reason", 12, engine=engine) == ours
    prompt = processor.encode_prompt(CLIPS[0], processor.instruction("reason"))
    sampling = Sampling(max_new_tokens=12, stops=(ours[0][4:6],))
    reply = EngineReply(engine, model, processor, prompt, sampling)
    plain = Reply(model, processor, prompt, None, sampling)
    assert ("".join(reply), reply.finish) == ("".join(plain), plain.finish)
    assert (reply.prompt_tokens, reply.new_tokens) == (plain.prompt_tokens, plain.new_tokens)


def test_an_artefact_is_written_for_by_an_engine(
    opened: artefact.LlmArtefact, served: Served
) -> None:
    mine = replace(opened)
    mine.write_by(served.url + "/v1/")
    assert mine.engine is not None and mine.engine.url == served.url + "/v1"


def test_an_engine_of_another_model_is_refused(
    opened: artefact.LlmArtefact, served: Served, tmp_path: Path
) -> None:
    model, processor = opened.model, opened.processor
    with torch.no_grad():  # of the same shape
        served.model.model.norm.weight.mul_(3)
    with pytest.raises(EmollamaError, match="answers otherwise than this model; serve the folder"):
        PromptEngine(served.url, model, processor)
    served.asked.clear()
    config = json.loads((Path(served.root) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    served.root = str(tmp_path)
    with pytest.raises(EmollamaError, match=r"serves another model: hidden_size is 64 in .*, 32"):
        PromptEngine(served.url, model, processor)
    served.root = "owner/name"
    with pytest.raises(EmollamaError, match="'owner/name', which is no folder here"):
        PromptEngine(served.url, model, processor)
    assert not served.asked  # nothing that could not fit was sent


def test_wrong_embeddings_are_refused_before_they_are_sent(
    opened: artefact.LlmArtefact, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PromptEngine(served.url, opened.model, opened.processor)
    prompt = opened.processor.encode_prompt(CLIPS[0], "Why?")
    served.asked.clear()
    with pytest.raises(EmollamaError, match="exceeds the engine's limit of 1024"):
        list(engine.tokens(prompt, Sampling(max_new_tokens=1000)))
    for made, told in (
        (torch.zeros(4, 33), r"takes embeddings \[T, 32\], not \[4, 33\]"),
        (torch.zeros(1, 4, 32), r"not \[1, 4, 32\]"),
        (torch.full((4, 32), torch.nan), "are not finite"),
    ):
        monkeypatch.setattr(type(engine._embeddings), "embed", lambda *_, made=made: made)
        with pytest.raises(EmollamaError, match=told):
            list(engine.tokens(prompt, Sampling()))
    assert not served.asked


def test_where_no_engine_answers_it_is_one_line(opened: artefact.LlmArtefact) -> None:
    with pytest.raises(EmollamaError, match=r"engine http://127.0.0.1:9/v1: does not answer \("):
        PromptEngine("http://127.0.0.1:9", opened.model, opened.processor)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://localhost/", "http://", "http://[::1"])
def test_what_is_no_url_is_one_line(url: str) -> None:
    with pytest.raises(EmollamaError, match=r"is not a URL; write for example http://127.0.0.1"):
        need_loopback(url)


@pytest.mark.parametrize("host", ["example.org", "192.168.0.4", "127.0.0.1.nip.io"])
def test_an_engine_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(EmollamaError, match="is on another machine; prompts hold what was seen"):
        need_loopback(f"http://{host}:8000")
    assert need_loopback("http://[::1]:8000/v1") == "http://[::1]:8000/v1"
