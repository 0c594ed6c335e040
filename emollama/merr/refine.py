"""Stage `refine`: from a coarse caption to a reason, by a template, a local model or an endpoint.

Every reason is checked against the measured clues (`scoring.reasons`); one that fails is rejected
with the reason, and its clip stays in the set with its coarse caption.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import groupby

from emollama.base.errors import EmollamaError
from emollama.endpoints.answers import Answers, prompt_hash
from emollama.endpoints.client import Endpoint, Message
from emollama.endpoints.local import LocalModel
from emollama.endpoints.many import Many
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.merr.build import Build, Counts, Item
from emollama.merr.caption import CAPTION, clue_rows
from emollama.merr.describe import TONE
from emollama.merr.emotion import EMOTION
from emollama.merr.fill import Plan, Todo, each, fill
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.measure.tools import TRANSCRIPT
from emollama.merr.models.asking import endpoint_of
from emollama.merr.models.structured import Reason, ask_structured
from emollama.merr.norms import CORPUS
from emollama.merr.peak import PEAK
from emollama.merr.reason_words import varied_reason
from emollama.merr.settings import ModelSection
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table
from emollama.scoring.reasons import voice_words
from emollama.scoring.reasons.check import contradictions
from emollama.scoring.reasons.facts import Facts

REFINE = "refine"
_CODE = "local-2"  # raised whenever a local model would be asked in another way
_CHECK = 2  # raised whenever a reason would be checked in another way
_READS = (EMOTION, PEAK, TONE, TRANSCRIPT, CAPTION)


def run_refine(build: Build) -> Counts:
    """Reasons by the model that the settings name."""
    section, labels = build.settings.refine, get_label_set(build.settings.labels)
    prompts = read_table("prompts")
    checks = [_CHECK, labels.to_dict(), read_table("phrases")]
    if section.kind == "template":
        plan = Plan(REFINE, _READS, 1, [*checks, read_table("reasons")])
        return fill(
            build, plan, each(lambda i: _checked(i, template_reason(i), i_label(i), labels, {}))
        )
    if section.kind == "endpoint":
        endpoint = endpoint_of(section, REFINE)
        asked = endpoint.asked
        plan = Plan(REFINE, _READS, 1, [*checks, asked, prompts], retry=True)
        answers = Answers(build.out / "answers" / REFINE, asked)
        many = Many(section.concurrency, REFINE, section.url, answers.any())
        return fill(
            build, plan, lambda todo: many.rows(todo, lambda i: _ask(i, endpoint, answers, labels))
        )
    local = local_model(section)
    weights = hashlib.sha256(f"{_CODE}:{local.fingerprint}".encode()).hexdigest()[:16]
    asked = {"model": local.name, "fingerprint": weights, "temperature": 0.0,
             "max_tokens": section.max_tokens, "batch": section.batch}  # fmt: skip
    plan = Plan(REFINE, _READS, 1, [*checks, asked, prompts])
    answers = Answers(build.out / "answers" / REFINE, asked)
    return fill(build, plan, lambda todo: _local(build, plan, todo, local, answers, labels))


def local_model(section: ModelSection) -> LocalModel:
    """The model in a folder or asset that a section of the settings names."""
    return LocalModel(section.model, f"{REFINE}.model", "float32", repetition_penalty=1.1)


def i_label(item: Item) -> str:
    """The clip's label."""
    return str(item.rows[EMOTION]["label"])


def evidence_of(emotion: Row, peak: Row, tone: Row, transcript: Row) -> Facts:
    """The facts for checking a reason."""
    signs = {*emotion["signs"], *peak["signs"]}
    units = frozenset(s for s in signs if not s.startswith(EXPRESSION_PREFIX))
    looks = emotion["channels"]["face"]
    there = {"face": looks, "voice": tone["text"], "words": transcript["text"]}
    return Facts(
        label=emotion["label"],
        channels=frozenset(channel for channel, any_of_it in there.items() if any_of_it),
        units=None if any(s.startswith(EXPRESSION_PREFIX) for s in signs) else units,
        tone=tuple(tone["words"]) or ((voice_words.ORDINARY,) if tone["text"] else ()),
        text=transcript["text"],
        looks=frozenset({looks} if looks else ()),
    )


def _checked(item: Item, reason: str, label: str, labels: LabelSet, facts: Row) -> Row:
    known = evidence_of(*(item.rows[n] for n in (EMOTION, PEAK, TONE, TRANSCRIPT)))
    against = contradictions(reason, known, labels)
    if label != known.label:
        against.append("gives another label")
    row: Row = {"text": reason, "label": label, **facts}
    if against:
        return {"status": "rejected", "reason": against[0], "detail": "; ".join(against),
                "against": against, **row}  # fmt: skip
    return {"status": "ok", **row}


def template_reason(item: Item) -> str:
    """A reason from measured clues only; see `reason_words`."""
    rows = item.rows
    return varied_reason(
        item.id, rows[EMOTION], rows[PEAK], rows[TONE], rows[TRANSCRIPT]["text"],
        rows[TONE].get("compared_with", CORPUS),
    )  # fmt: skip


def _ask(item: Item, endpoint: Endpoint, answers: Answers, labels: LabelSet) -> Row:
    prompt = read_table("prompts")[REFINE]
    user = prompt["user"].format(
        clues=clue_rows(item.rows[CAPTION]), label=i_label(item), labels=", ".join(labels.labels)
    )
    messages: list[Message] = [
        {"role": "system", "content": prompt["system"]}, {"role": "user", "content": user},
    ]  # fmt: skip
    found = ask_structured(messages, Reason, lambda m: answers.ask(m, endpoint.ask))
    facts: Row = {"model": endpoint.model, "answers": list(found.hashes)}
    if found.value is None:
        return {"status": "rejected", "reason": "invalid answer", "detail": found.problem, **facts}
    answer = found.value
    label = labels.canonical(answer.emotion)
    if answer.contradiction:
        return {"status": "rejected", "reason": "the model finds the clues contradictory",
                "text": answer.reason, "detail": answer.reason[:160], **facts}  # fmt: skip
    if label is None:
        return {"status": "rejected", "reason": "no such label", "text": answer.reason,
                "detail": f"'{answer.emotion}'", **facts}  # fmt: skip
    return _checked(item, " ".join(answer.reason.split()), label, labels, facts)


def _local(
    build: Build, plan: Plan, todo: Todo, model: LocalModel, answers: Answers, labels: LabelSet
) -> Iterator[tuple[str, Row]]:
    """Batches of clips by position, so that they do not depend on process or time."""
    section, prompt = build.settings.refine, read_table("prompts")[REFINE]
    wanted = {key for key, _ in todo}
    seen: set[str] = set()

    def place(item: Item) -> int:
        return item.index // section.batch

    for _, group in groupby(build.items(*plan.reads), key=place):
        batch = list(group)
        keys = [plan.key(item) for item in batch]
        if not wanted.intersection(keys):
            continue
        prompts = [
            prompt["local"].format(clues=clue_rows(i.rows[CAPTION]), label=i_label(i))
            for i in batch
        ]
        starts = [prompt["start"].format(label=i_label(item)) for item in batch]
        # A batch is asked as a whole, so the answers in it are kept under all of its prompts.
        messages = [
            [{"role": "user", "content": text}, {"role": "assistant", "content": start},
             {"role": "batch", "content": prompt_hash({}, [{"all": prompts}])}]
            for text, start in zip(prompts, starts, strict=True)
        ]  # fmt: skip
        hashes = [prompt_hash(answers.model, m) for m in messages]
        kept = [answers.known(name) for name in hashes]
        if not all(kept):
            if not model.has_chat_template:
                raise EmollamaError(f"{REFINE}.model: '{model.name}' has no chat template")
            replies = model.ask(prompts, section.max_tokens, starts)
            for name, message, reply in zip(hashes, messages, replies, strict=True):
                answers.keep(name, message, reply)
            kept = [answers.known(name) for name in hashes]
        for key, item, answer in zip(keys, batch, kept, strict=True):
            if key in wanted and key not in seen:
                seen.add(key)
                assert answer is not None, "it has just been kept"
                facts: Row = {"model": model.name, "answers": [answer.hash]}
                text = whole_sentences(answer.text)
                yield key, _checked(item, text, i_label(item), labels, facts)


def whole_sentences(text: str) -> str:
    """A text up to its last full stop, on one line."""
    flat = " ".join(text.split())
    ends = [m.end() for m in re.finditer(r"[.!?][\"”']?(?=\s|$)", flat)]
    return flat[: ends[-1]] if ends else flat
