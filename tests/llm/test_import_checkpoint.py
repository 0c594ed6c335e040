"""Released checkpoints: against reference outputs where these are there; broken ones always."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.decoding import Sampling, generate
from emollama.llm.processing import Evidence, minigpt_answer
from emollama.llm.released import emotion_llama_v1 as v1
from emollama.llm.released import import_checkpoint
from emollama.llm.released.import_checkpoint import import_checkpoint as run
from emollama.manifest.labels import get_label_set
from tests.tiny import tiny_llm

DATA = Path(__file__).parents[3] / "shared/data/emotion_llama_v1"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the reference model in the released format is not on this machine"
)
LABELS = get_label_set("mer2023")


@pytest.fixture(scope="module")
def reference():
    return json.loads((DATA / "reference.json").read_text()), load_file(
        DATA / "reference.safetensors"
    )


def imported(tmp_path_factory, layout: str) -> artefact.LlmArtefact:
    out = tmp_path_factory.mktemp("imported") / layout
    report = run(
        DATA / "checkpoint_29.pth", str(DATA / "llama"), layout, LABELS, out, quantise="4bit"
    )
    assert artefact.read_config(out).quantise == "4bit"  # held so unless told otherwise
    assert (len(report.matched), len(report.dropped), report.missing) == (26, 40, [])
    return artefact.load(out, torch.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> artefact.LlmArtefact:
    return imported(tmp_path_factory, "emotion-llama-v1")


@pytest.fixture(scope="module")
def upstream_eval(tmp_path_factory) -> artefact.LlmArtefact:
    return imported(tmp_path_factory, "emotion-llama-v1-upstream-eval")


def evidence(tensors, row: int, text: str) -> Evidence:
    image = tensors["eva_ln"][row].float().numpy()
    utterance = tensors["face_video_audio"][row].float().numpy()
    values = {
        "image": image[1:].reshape(256, 5632),
        "image_class": image[:1],
        "face_mae": utterance[:1],
        "video_mae": utterance[1:2],
        "hubert": utterance[2:],
    }
    tracks = {n: FeatureTrack(v, np.zeros(len(v), np.float32)) for n, v in values.items()}
    return Evidence(tracks, text)


@needs_data
def test_visual_tokens(model: artefact.LlmArtefact, reference) -> None:
    _, tensors = reference
    processor = model.processor
    prompt = processor.encode_prompt(evidence(tensors, 0, "x"), processor.instruction("emotion"))
    batch = processor.collate([prompt])
    embeddings = model.model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    tokens = embeddings[0][batch["stream_ids"][0] >= 0]
    torch.testing.assert_close(tokens, tensors["visual_tokens"][0].float(), atol=1e-4, rtol=0)


@needs_data
@pytest.mark.parametrize("task", ["emotion", "reason"])
def test_training_layout_labels_logits_and_loss(
    model: artefact.LlmArtefact, reference, task: str
) -> None:
    facts, tensors = reference
    facts = facts["tasks"][task]
    processor = model.processor
    pool = [processor.instruction(task, k) for k in range(processor.instruction_count(task))]
    question = f"[{task}] {facts['question']}"
    assert question in pool
    losses, counts = [], []
    for row in range(2):
        prompt = processor.encode_prompt(evidence(tensors, row, facts["subtitle"][row]), question)
        sample = processor.with_answer(prompt, facts["answer"][row])
        length = facts["valid_lengths"][row]
        expected = tensors[f"{task}.labels"][row][:length]
        assert sample.labels == expected.tolist()
        batch = processor.collate([sample])
        embeddings = model.model.embed(
            batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
        )
        norms = tensors[f"{task}.embeds_norm"][row][:length].float()
        torch.testing.assert_close(embeddings[0].norm(dim=-1), norms, atol=1e-4, rtol=1e-4)
        with torch.inference_mode():
            out = model.model(**batch)
            logits = model.model(**{k: v for k, v in batch.items() if k != "labels"}).logits[0]
        at = (expected != -100).nonzero()[:, 0] - 1
        torch.testing.assert_close(
            logits[at], tensors[f"{task}.logits.{row}"].float(), atol=1e-3, rtol=0
        )
        losses.append(out.sample_losses.item() * len(at))
        counts.append(len(at))
    assert sum(losses) / sum(counts) == pytest.approx(facts["loss"], abs=1e-4)


@needs_data
def test_upstream_evaluation_layout(upstream_eval: artefact.LlmArtefact, reference) -> None:
    facts, tensors = reference
    processor = upstream_eval.processor
    for row, text in enumerate(facts["tasks"]["emotion"]["subtitle"]):
        prompt = processor.encode_prompt(
            evidence(tensors, row, text), processor.instruction("emotion")
        )
        batch = processor.collate([prompt])
        embeddings = upstream_eval.model.embed(
            batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
        )
        norms = tensors[f"upstream_eval.embeds_norm.{row}"].float()
        torch.testing.assert_close(embeddings[0].norm(dim=-1), norms, atol=1e-4, rtol=1e-4)
        with torch.inference_mode():
            logits = upstream_eval.model(**{k: v for k, v in batch.items() if k != "labels"}).logits
        expected = tensors[f"upstream_eval.next_logits.{row}"].float()
        torch.testing.assert_close(logits[0, -1], expected, atol=1e-3, rtol=0)
        (ids,) = generate(upstream_eval.model, processor, [prompt], Sampling(max_new_tokens=8))
        assert processor.decode(ids) == facts["upstream_eval_greedy8"][row]


@needs_data
def test_token_ids_are_sentencepieces(model: artefact.LlmArtefact) -> None:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(DATA / "llama/tokenizer.model"))
    texts = ["[INST] <video>", "</video> <feature>", "worried", "contempt", "a </s> b <s>[INST]"]
    said = ("Oh no", "", "  two  spaces ", "Ünï ☃ 你好", "<unk>", "it's 3:15 p.m.")
    texts += [f"</feature> The person in video says: {t}.  [emotion] What?  [/INST]" for t in said]
    for text in texts:
        assert model.processor.text_ids(text) == pieces.encode(text), text


@needs_data
def test_a_missing_track_is_zeros_through_the_projector(
    model: artefact.LlmArtefact, reference
) -> None:
    _, tensors = reference
    full = evidence(tensors, 0, "x")
    tracks = {**full.tracks, "face_mae": None}
    batch = model.processor.collate([model.processor.encode_prompt(Evidence(tracks, "x"), "Why?")])
    embeddings = model.model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    at = batch["stream_ids"][0] == [s.name for s in v1.streams()].index("face_mae")
    bias = model.model.projector("face_mae").output.bias
    torch.testing.assert_close(embeddings[0][at][0], bias)


def rewritten(tmp_path: Path, change) -> Path:
    whole = torch.load(DATA / "checkpoint_29.pth", weights_only=True)
    path = tmp_path / "changed.pth"
    torch.save(change(whole), path)
    return path


SPELLINGS = {
    "no wrapper": lambda c: c["model"],
    "module.": lambda c: {"model": {f"module.{k}": v for k, v in c["model"].items()}},
    ".default": lambda c: {
        k.replace("lora_A.", "lora_A.default.").replace("lora_B.", "lora_B.default."): v
        for k, v in c["model"].items()
    },
    "fewer buffers": lambda c: {k: v for k, v in c["model"].items() if "inv_freq" not in k},
}


@needs_data
@pytest.mark.parametrize("name", SPELLINGS)
def test_other_spellings_give_the_same_weights(tmp_path: Path, name: str) -> None:
    path = rewritten(tmp_path, SPELLINGS[name])
    weights = []
    for source, out in ((DATA / "checkpoint_29.pth", "a"), (path, "b")):
        run(source, str(DATA / "llama"), "emotion-llama-v1", LABELS, tmp_path / out)
        weights.append(load_file(tmp_path / out / artefact.ADAPTER_FILE))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(v, weights[1][k]) for k, v in weights[0].items())


@needs_data
def test_a_minigpt_stage_checkpoint_names_what_it_lacks(tmp_path: Path) -> None:
    kept = ("llama_model", "llama_proj")
    path = rewritten(
        tmp_path, lambda c: {k: v for k, v in c["model"].items() if k.startswith(kept)}
    )
    report = run(path, str(DATA / "llama"), "emotion-llama-v1", LABELS, tmp_path / "out")
    assert report.missing == ["face_mae", "video_mae", "hubert", "image_class"]
    assert "face_mae" in report.lines()[-1]
    artefact.load(tmp_path / "out", torch.float32)


@needs_data
def test_the_vision_norm_is_folded_into_the_projectors(tmp_path: Path, reference) -> None:
    _, tensors = reference
    draw = torch.Generator().manual_seed(0)
    scale, shift = torch.rand(1408, generator=draw) + 0.5, torch.randn(1408, generator=draw)
    path = rewritten(
        tmp_path, lambda c: {**c["model"], "ln_vision.weight": scale, "ln_vision.bias": shift}
    )
    for source, out in ((DATA / "checkpoint_29.pth", "plain"), (path, "folded")):
        run(source, str(DATA / "llama"), "emotion-llama-v1", LABELS, tmp_path / out)
    plain, folded = (artefact.load(tmp_path / n, torch.float32).model for n in ("plain", "folded"))
    image = tensors["eva_ln"][:1].float()
    here = torch.tensor([True])
    for name, shape in (("image", (1, 256, 5632)), ("image_class", (1, 1, 1408))):
        part = image[:, 1:] if name == "image" else image[:, :1]
        expected = plain.projector(name)((part * scale + shift).reshape(shape), here)
        found = folded.projector(name)(part.reshape(shape), here)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def without(key: str):
    return lambda m: {k: v for k, v in m.items() if key not in k}


def reshaped(key: str):
    return lambda m: {k: v[:-1].clone() if key in k else v for k, v in m.items()}


BROKEN = {
    "an adapter too few": (without("layers.1.self_attn.v_proj.lora_B"), "lacks the adapter"),
    "an adapter too many": (
        lambda m: {**m, "llama_model.model.layers.9.self_attn.q_proj.lora_A.weight":
                   torch.zeros(4, 32)}, "has no place in this language model"),
    "a projector too few": (without("feats_llama_proj2.weight"), "lacks the projector 'feats_"),
    "no image projector": (without("llama_proj"), "lacks the projector 'llama_proj"),
    "another width": (reshaped("cls_tk_llama_proj.bias"), "'cls_tk_llama_proj.bias' is (31,)"),
    "a stranger": (lambda m: {**m, "mystery.weight": torch.zeros(2)}, "'mystery.weight' has no"),
    "no adapters": (without("lora_"), "holds no LoRA"),
}  # fmt: skip


def checkpoint() -> dict[str, torch.Tensor]:
    tensors = {}
    for layer in range(2):
        for name, rows in (("q", 32), ("v", 16)):
            where = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{name}_proj"
            tensors[f"{where}.lora_A.weight"] = torch.ones(4, 32)
            tensors[f"{where}.lora_B.weight"] = torch.ones(rows, 4)
    for name, width in (("llama_proj", 5632), ("feats_llama_proj1", 1024),
                        ("feats_llama_proj2", 1024), ("feats_llama_proj3", 1024),
                        ("cls_tk_llama_proj", 1408)):  # fmt: skip
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = torch.ones(32, width), torch.ones(32)
    return tensors


@pytest.mark.parametrize("name", [*BROKEN, "whole"])
def test_what_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(import_checkpoint, "require_llama_tokenizer", lambda *_: None)
    llm = tiny_llm(tmp_path / "llm")
    path = tmp_path / "c.pth"
    if name == "whole":
        torch.save(checkpoint(), path)
        report = run(path, str(llm), "emotion-llama-v1", LABELS, tmp_path / "out")
        assert (len(report.matched), report.rank, report.targets) == (18, 4, ("q_proj", "v_proj"))
        return
    change, expected = BROKEN[name]
    torch.save(change(checkpoint()), path)
    with pytest.raises(EmollamaError, match=r"c\.pth") as refused:
        run(path, str(llm), "emotion-llama-v1", LABELS, tmp_path / "out")
    assert expected in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "c.pth")
    with pytest.raises(EmollamaError, match="llm: its tokenizer is not Llama-2's"):
        run(tmp_path / "c.pth", str(tiny_llm(tmp_path / "llm")), "emotion-llama-v1", LABELS,
            tmp_path / "out")  # fmt: skip


class Bomb:
    def __reduce__(self):
        return (print, ("unpickled!",))


@pytest.mark.parametrize("what", ["text", "cut", "code", "empty"])
def test_a_file_that_is_no_checkpoint(tmp_path: Path, capsys, what: str) -> None:
    path = tmp_path / "c.pth"
    torch.save({"model": checkpoint(), "config": Bomb() if what == "code" else None}, path)
    if what == "text":
        path.write_text("not a checkpoint")
    elif what == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif what == "empty":
        torch.save({}, path)
    with pytest.raises(EmollamaError, match=r"c\.pth"):
        run(path, "x", "emotion-llama-v1", LABELS, tmp_path / "out")
    assert "unpickled!" not in capsys.readouterr().out


def test_answers_are_rewritten_as_the_released_system_does() -> None:
    text = 'He said: "No!" (twice).  Then; ~he* left#'
    assert minigpt_answer(text) == "he said no twice then he left"
    assert len(minigpt_answer("word " * 300).split()) == 200
