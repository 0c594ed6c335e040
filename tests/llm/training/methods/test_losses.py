"""The losses of DPO and GRPO: TRL's on the same numbers, and the rows that they are taken from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.llm.batch import Branched
from emollama.llm.decoding import Sampling, generate
from emollama.llm.training.methods.dpo import preference
from emollama.llm.training.methods.grpo import advantages, improvement
from emollama.llm.training.methods.reference import Reference, token_logs
from tests.llm.conftest import evidence
from tests.llm.training.methods.make_golden import FILE, numbers

GOLDEN = json.loads(Path(FILE).read_text(encoding="utf-8"))
EXACT = 1e-9


def test_dpo_is_that_of_trl() -> None:
    """`make_golden` says how its numbers were made; there the preferred answers come first."""
    logs, reference, _ = numbers()
    logs.requires_grad_()
    pairs = [torch.stack([x[:3].sum(1), x[3:].sum(1)], 1) for x in (logs, reference)]
    found = preference(*pairs, GOLDEN["beta"])
    found.loss.backward()
    assert found.loss.item() == pytest.approx(GOLDEN["dpo"]["loss"], abs=EXACT)
    assert found.margin.item() == pytest.approx(GOLDEN["dpo"]["rewards/margins"], abs=1e-6)
    assert found.right.item() == GOLDEN["dpo"]["rewards/accuracies"]
    assert torch.allclose(logs.grad, torch.tensor(GOLDEN["dpo"]["gradient"]).double(), atol=1e-7)


def test_grpo_is_that_of_trl() -> None:
    logs, reference, held = numbers()
    logs.requires_grad_()
    golden = GOLDEN["grpo"]
    gained = advantages(torch.tensor(golden["rewards"]).double()).flatten()
    assert gained.tolist() == pytest.approx(golden["advantages"], abs=1e-6)
    found = improvement(logs, reference, held, gained, GOLDEN["beta"])
    found.loss.backward()
    assert found.loss.item() == pytest.approx(golden["loss"], abs=1e-6)
    assert torch.allclose(logs.grad, torch.tensor(golden["gradient"]).double(), atol=1e-7)
    assert found.divergence > 0


def test_a_group_that_earns_alike_teaches_nothing() -> None:
    assert advantages(torch.full((2, 4), 0.3)).abs().max() == 0


def asked(processor, answers: list[list[str]]) -> list[Branched]:
    found = []
    for i, texts in enumerate(answers):
        prompt = processor.encode_prompt(evidence(i, "Well. " * (i + 1)), "Why?")
        ids = [[*processor.text_ids(text), processor.end_id] for text in texts]
        found.append(
            Branched(prompt.input_ids, prompt.stream_ids, prompt.labels, prompt.features,
                     prompt.present, answers=ids)
        )  # fmt: skip
    return found


def test_branches_of_one_row_are_read_as_rows_of_their_own(built) -> None:
    """Each answer sees its prompt and itself: not its neighbour, nor padding."""
    from emollama.llm.batch import branched

    model, processor = built
    model.eval()
    texts = [["It is sad.", "The voice is loud, so it is angry."], ["No.", "It is happy, happy."]]
    questions = asked(processor, texts)
    row = branched(questions, processor.streams, processor.pad_id)
    logs, held = token_logs(model(**row))
    assert held.sum(1).tolist() == [len(a) for q in questions for a in q.answers]
    place = 0
    for question, answers in zip(questions, texts, strict=True):
        for text in answers:
            alone = processor.collate([processor.with_answer(question, text)])
            expected, _ = token_logs(model(**alone))
            assert torch.allclose(logs[place][held[place]], expected[0], atol=1e-4), text
            place += 1
    assert max(q.positions for q in questions) == row["input_ids"].shape[1]


def test_several_answers_to_a_prompt_are_drawn_as_if_it_stood_there_as_often(built) -> None:
    model, processor = built
    base = model.get_base_model().eval()
    prompts = [processor.encode_prompt(evidence(i), "Why?") for i in range(2)]
    sampling = Sampling(1.0, max_new_tokens=8, seed=5)
    repeated = [p for p in prompts for _ in range(3)]
    together = generate(base, processor, prompts, sampling, each=3)
    assert together == generate(base, processor, repeated, sampling)
    assert len({tuple(a) for a in together}) > 3


def test_the_reference_stays_where_training_began(built, tmp_path: Path) -> None:
    model, processor = built
    model.eval()
    reference = Reference(model)
    reference.keep(tmp_path)
    batch = processor.collate(
        [processor.with_answer(processor.encode_prompt(evidence(0), "Why?"), "It is sad.")]
    )
    before = model(**batch).loss.item()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "lora_B" in name:
                parameter += 0.1
    after = model(**batch).loss.item()
    assert abs(after - before) > 1e-3
    late = Reference(model)  # of a run that goes on: it must be told where it began
    late.restore(tmp_path)
    for kept in (reference, late):
        with kept.in_place():
            assert model(**batch).loss.item() == before
        assert model(**batch).loss.item() == after
        with pytest.raises(KeyError), kept.in_place():
            raise KeyError
        assert model(**batch).loss.item() == after
    with pytest.raises(EmollamaError, match="starts from scratch"):
        late.restore(tmp_path / "lost")
