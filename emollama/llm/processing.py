"""From a sample and its feature tracks to EmotionLlama's inputs.

The prompt is built here and nowhere else. Text from a user or a corpus (subtitles, chat turns,
reasons) is tokenized with special tokens split, so that `<|im_end|>` in a subtitle is six ordinary
tokens; only the backbone's own chat template yields special tokens.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from emollama.assets.tokenizer import open_tokenizer
from emollama.base.errors import EmollamaError, require_known
from emollama.base.files import read_json, write_json
from emollama.base.paths import PROCESSOR_FILE
from emollama.encoders.base import FeatureTrack
from emollama.inputs.segments import fit_steps
from emollama.llm import batch
from emollama.llm.batch import Encoded
from emollama.llm.configuration import StreamConfig
from emollama.llm.heads.channel_heads import ChannelHeads, read_heads, write_heads
from emollama.llm.instructions import instruction, instruction_pool
from emollama.llm.layout import FIELD, Layout
from emollama.llm.modeling import IGNORED, TEXT
from emollama.llm.options import Clues
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet

CHANNELS: tuple[Channel, ...] = ("voice", "face", "words")
LONGEST_TEXT = 300
"""Longest subtitle, in words."""
_TOKENIZING = threading.Lock()


@dataclass(frozen=True)
class Evidence:
    """The evidence of one clip: a track for each stream (or None), the subtitle, and measured clues
    in words. `channels` are the channels to use; others count as missing. `context` holds earlier
    turns, oldest first; it belongs to the words.
    """

    tracks: Mapping[str, FeatureTrack | None]
    text: str | None = None
    clues: Mapping[str, str] = field(default_factory=dict)
    channels: frozenset[str] = frozenset(CHANNELS)
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turn:
    """A turn of the conversation after the clip: role "user" or "assistant", and its text."""

    role: str
    text: str


def cut_text(text: str) -> str:
    """A subtitle, cut at a length that no real clip reaches."""
    words = text.split()
    return text if len(words) <= LONGEST_TEXT else " ".join(words[:LONGEST_TEXT])


def minigpt_answer(text: str) -> str:
    """A reference answer in the form that MiniGPT-v2 and Emotion-LLaMA learn."""
    words = re.sub(r"[.!\"()*#:;~]", " ", text.lower()).split()
    return " ".join(words[:200])


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; code beside it is never run."""
    try:
        return open_tokenizer(folder)
    except Exception as error:
        # The tokenizer libraries raise whatever their parsers do, Rust's bare Exception included.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EmollamaError(f"{folder}: the tokenizer cannot be loaded: {reason}") from error


class EmotionLlamaProcessor:
    """Tokenizer, layout, streams and label set, saved together with the model.

    `clues`: whether prompts contain clues in words: for "reasons" only, "always" (also for
    emotions), or "never". `context`: number of earlier turns to read.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        layout: Layout,
        streams: Sequence[StreamConfig],
        labels: LabelSet,
        clues: Clues = "reasons",
        context: int = 0,
    ) -> None:
        require_known("clues", clues, get_args(Clues))
        self.tokenizer = tokenizer
        self.layout = layout
        self.streams = tuple(streams)
        self.labels = labels
        self.clues = clues
        self.context = context
        self.heads: ChannelHeads | None = None
        end = tokenizer.eos_token_id
        if end is None:
            raise EmollamaError("the tokenizer has no end-of-sequence token, which answers need")
        if not layout.plain and tokenizer.chat_template is None:
            raise EmollamaError(
                f"layout '{layout.name}' needs a chat template, but this tokenizer has "
                "none; use a chat model, or model.layout=llama2-inst for LLaMA-2"
            )
        self.end_id = int(end)
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end)
        names = {s.name for s in self.streams}
        channels = {s.channel for s in self.streams}
        used = layout.fields
        for stream in self.streams:
            if stream.name not in used and stream.channel not in used:
                raise EmollamaError(
                    f"layout '{layout.name}' has no place for stream '{stream.name}'"
                )
        self._fields = names | channels

    # --- prompts -------------------------------------------------------------------------------

    def encode_prompt(
        self, evidence: Evidence, instruction: str, turns: Sequence[Turn] = ()
    ) -> Encoded:
        """The prompt up to the point where the model's answer begins."""
        first: list[str | int] = []
        for line in self.layout.lines:
            first.extend(self._line(line, evidence, instruction))
        messages: list[tuple[str, list[str | int]]] = [
            ("system", [self.layout.system]),
            ("user", first),
        ]
        messages += [(turn.role, [turn.text]) for turn in turns]
        input_ids: list[int] = []
        stream_ids: list[int] = []
        features: dict[str, np.ndarray] = {}
        present: dict[str, bool] = {}
        chunks = self._plain(first, turns) if self.layout.plain else self._template(messages)
        for chunk in chunks:
            if isinstance(chunk, int):
                stream = self.streams[chunk]
                values = self._track(stream, evidence)
                input_ids += [self.pad_id] * stream.tokens
                stream_ids += [chunk] * stream.tokens
                present[stream.name] = values is not None
                features[stream.name] = (
                    np.zeros((stream.tokens, stream.width), np.float32)
                    if values is None
                    else values
                )
            else:
                input_ids += chunk
                stream_ids += [TEXT] * len(chunk)
        return Encoded(input_ids, stream_ids, [IGNORED] * len(input_ids), features, present)

    def with_answer(self, prompt: Encoded, answer: str, weight: float = 1.0) -> Encoded:
        """The prompt followed by the reference answer; only the answer is supervised."""
        if self.layout.answers == "minigpt":
            answer = minigpt_answer(answer)
        ids = [*self.text_ids(answer), self.end_id]
        return Encoded(
            prompt.input_ids + ids,
            prompt.stream_ids + [TEXT] * len(ids),
            prompt.labels + ids,
            prompt.features,
            prompt.present,
            weight,
        )

    def label_answer(self, label: str) -> str:
        """A label in the form of the model's answer."""
        return self.layout.label_answer.replace("{label}", label)

    def instruction(self, task: str, choice: int = 0) -> str:
        """One question of a task: from the layout's own pool, else ours with labels filled in."""
        pool = self.layout.instructions.get(task)
        if pool:
            return pool[choice % len(pool)]
        return instruction(task, self.labels, choice)

    def instruction_count(self, task: str) -> int:
        """Number of wordings of a task's question."""
        return len(self.layout.instructions.get(task) or instruction_pool(task))

    def label_ids(self) -> list[list[int]]:
        """For each label the token ids of the whole answer, its end included."""
        return [[*self.text_ids(self.label_answer(w)), self.end_id] for w in self.labels.labels]

    def text_ids(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it are read as text."""
        return self._ids(text, plain=True)

    def _ids(self, text: str, plain: bool) -> list[int]:
        # A fast tokenizer keeps the switch in a state that all threads share.
        with _TOKENIZING:
            found = self.tokenizer(text, add_special_tokens=False, split_special_tokens=plain)
        return found.input_ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of an answer, without special tokens and surrounding space."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def _line(self, line: str, evidence: Evidence, instruction: str) -> list[str | int]:
        """The pieces of one line, or nothing when all of its fields are empty."""
        pieces: list[str | int] = []
        filled = False
        for index, part in enumerate(FIELD.split(line)):
            if index % 2 == 0:
                pieces.append(part)
                continue
            content = self._field(part, evidence, instruction)
            filled = filled or bool(content)
            pieces.extend(content)
        return pieces if filled or len(pieces) == 1 else []

    def _field(self, name: str, evidence: Evidence, instruction: str) -> list[str | int]:
        if name == "instruction":
            return [instruction]
        heard = evidence.text if "words" in evidence.channels else None
        if name == "text":
            return [cut_text(heard) if heard else self.layout.text_absent]
        if name == "context":
            before = evidence.context[-self.context :] if self.context else ()
            return [" / ".join(map(cut_text, before))] if before and heard else []
        if name == "clues":
            if self.clues == "never":
                return []
            words = [w for c, w in evidence.clues.items() if c in evidence.channels and w]
            return ["; ".join(words)] if words else []
        if name not in self._fields:
            return []
        return [
            index
            for index, stream in enumerate(self.streams)
            if name in (stream.name, stream.channel)
            and not (stream.absent == "omit" and self._track(stream, evidence) is None)
        ]

    @property
    def reads_text(self) -> bool:
        """Whether prompts contain the subtitle."""
        return "text" in self.layout.fields

    def channels(self, evidence: Evidence) -> tuple[Channel, ...]:
        """The channels of a clip: with a track of one of our streams, a subtitle, or clues if
        emotion questions include them.
        """
        return tuple(
            c
            for c in CHANNELS
            if (c == "words" and self.reads_text and evidence.text)
            or (self.clues == "always" and evidence.clues.get(c))
            or any(s.channel == c and evidence.tracks.get(s.name) is not None for s in self.streams)
        )

    def for_label(self, evidence: Evidence, channels: Iterable[str] = CHANNELS) -> Evidence:
        """The evidence of these channels for an emotion question."""
        clues = evidence.clues if self.clues == "always" else {}
        return replace(evidence, clues=clues, channels=evidence.channels & frozenset(channels))

    def combined(self, distributions: np.ndarray, evidence: Sequence[Evidence]) -> np.ndarray:
        """The language model's distributions [n, K] with the channel heads, if the model has them
        and is asked for its own labels.
        """
        if self.heads is None:
            return distributions
        return self.heads.combined(distributions, evidence)

    def _track(self, stream: StreamConfig, evidence: Evidence) -> np.ndarray | None:
        track = evidence.tracks.get(stream.name)
        if track is None or stream.channel not in evidence.channels:
            return None
        if track.values.ndim != 2 or track.values.shape[1] != stream.width:
            raise EmollamaError(
                f"stream '{stream.name}': features are {track.values.shape[-1]} columns "
                f"wide, but the model was built for {stream.width} ({stream.source})"
            )
        return fit_steps(np.asarray(track.values, np.float32), stream.tokens)

    def _template(self, messages: Sequence[tuple[str, list[str | int]]]) -> list[list[int] | int]:
        """The backbone's chat template around our pieces: id lists, and stream indices."""
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        turns = [{"role": role, "content": m} for (role, _), m in zip(messages, marks, strict=True)]
        try:
            rendered = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except TemplateError:
            # Templates without a system role (Gemma's): the system sentence opens the user's turn.
            turns[1]["content"] = f"{marks[0]}\n\n{marks[1]}"
            rendered = self.tokenizer.apply_chat_template(
                turns[1:], tokenize=False, add_generation_prompt=True
            )
        chunks: list[list[int] | int] = []
        for index, part in enumerate(re.split(r"\ue000(\d+)\ue001", str(rendered))):
            if index % 2 == 0:
                if part:
                    chunks.append(self._ids(part, plain=False))
                continue
            chunks.extend(self._runs(messages[int(part)][1]))
        return chunks

    def _plain(self, first: Sequence[str | int], turns: Sequence[Turn]) -> list[list[int] | int]:
        """The layout's own text without a chat template, each run of text tokenized by itself."""
        start = self.tokenizer.bos_token_id
        if start is None and self.layout.start_tokens:
            raise EmollamaError(
                f"layout '{self.layout.name}' begins with a start token, but this "
                "tokenizer has none"
            )
        chunks: list[list[int] | int] = [[start] * self.layout.start_tokens, *self._runs(first)]
        for turn in turns:
            if turn.role == "assistant":
                chunks.append([*self.text_ids(turn.text), self.end_id])
            else:
                question = self.layout.turn.replace("{instruction}", turn.text)
                chunks.append([start] * bool(self.layout.start_tokens) + self.text_ids(question))
        return chunks

    def _runs(self, pieces: Sequence[str | int]) -> list[list[int] | int]:
        """Token ids of each run of text between streams, and the streams."""
        chunks: list[list[int] | int] = []
        text = ""
        for piece in pieces:
            if isinstance(piece, str):
                text += piece
                continue
            if text:
                chunks.append(self.text_ids(text))
                text = ""
            chunks.append(piece)
        if text:
            chunks.append(self.text_ids(text))
        return chunks

    # --- batches -------------------------------------------------------------------------------

    def collate(self, samples: Sequence[Encoded]) -> dict[str, Any]:
        """Left-padded rows for `EmotionLlama.forward`; see there for their shapes."""
        return batch.padded(samples, self.streams, self.pad_id)

    def pack(self, samples: Sequence[Encoded]) -> dict[str, Any]:
        """The same samples in one row without padding."""
        return batch.packed(samples, self.streams)

    # --- files ---------------------------------------------------------------------------------

    def save_pretrained(self, folder: Path) -> None:
        """Write tokenizer, layout, streams and label set into an artefact's folder."""
        self.tokenizer.save_pretrained(folder)
        write_json(
            folder / PROCESSOR_FILE,
            {
                "layout": self.layout.to_dict(),
                "streams": [asdict(s) for s in self.streams],
                "labels": self.labels.to_dict(),
                "clues": self.clues,
                "context": self.context,
            },
        )
        if self.heads is not None:
            write_heads(self.heads, folder)

    @classmethod
    def from_pretrained(cls, folder: Path) -> EmotionLlamaProcessor:
        """Load the files of `save_pretrained`."""
        saved = read_json(folder / PROCESSOR_FILE)
        tokenizer = load_tokenizer(folder)
        try:
            labels = LabelSet(
                saved["labels"]["name"],
                tuple(saved["labels"]["labels"]),
                dict(saved["labels"]["synonyms"]),
            )
            layout = Layout.from_dict(saved["layout"])
            streams = [StreamConfig.from_dict(s) for s in saved["streams"]]
            clues = saved["clues"]
            context = int(saved.get("context", 0))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EmollamaError(f"{folder / PROCESSOR_FILE}: lacks {error}") from error
        processor = cls(tokenizer, layout, streams, labels, clues, context)
        processor.heads = read_heads(folder, streams, len(labels.labels))
        return processor
