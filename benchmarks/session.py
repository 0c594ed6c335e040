"""The first question about a clip against the second: how soon does the answer begin?

python -m benchmarks.session [--repeats 5] [--dtype auto|float32|bfloat16] [--model DIR] [--quick]

A fresh process has been warmed up by another clip. The first question pays for decoding, encoding
and reading the prompt; the second reads its own words behind what is kept of the clip. What is
timed is the time to the first piece of the answer. Without --model a SmolLM2-135M with untrained
projectors and the quickstart's encoders is asked; the cost does not depend on what it says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from emollama.base.quiet import quiet_libraries
from emollama.encoders.table import parse_encoder
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.options import LoraSection
from emollama.manifest.labels import get_label_set
from emollama.probe.plan import Settings, plan_clip
from emollama.probe.render import render_clip
from emollama.probe.voice import Speaker
from emollama.session import ClipView, LlmSession, Sampling, Turn, open_session

STREAMS = (
    ("voice_states", "voice", "whisper-tiny.en+layer=2+segments=8"),
    ("prosody", "voice", "prosody+segments=1"),
    ("expression", "face", "expression+frames=8"),
    ("meaning", "words", "smollm2-135m-instruct"),
)
FIRST, SECOND = "Which emotion does the person show?", "What in the voice says so?"


def untrained(folder: Path) -> Path:
    """An artefact of the quickstart's shape with fresh projectors."""
    streams = []
    for name, channel, source in STREAMS:
        encoder = parse_encoder(source)
        streams.append(
            StreamConfig(name, channel, source, width=encoder.width,  # type: ignore[arg-type]
                         fingerprint=encoder.fingerprint)
        )  # fmt: skip
    model, processor = artefact.build(
        "smollm2-135m-instruct", "emollama-chat", streams, get_label_set("mer2023"),
        LoraSection(), torch.float32, seed=0,
    )  # fmt: skip
    artefact.save(model, processor, ClueWords(), folder / "model", {}, "# card\n")
    return folder / "model"


def clips(folder: Path, count: int) -> list[Path]:
    """Clips of the probe corpus."""
    made = []
    with Speaker() as speaker:
        for i in range(count):
            plan = plan_clip(Settings(seed=23), "test", i)
            made.append(folder / f"{plan.clip_id}.mp4")
            render_clip(plan, speaker, made[-1])
    return made


def begins(session: LlmSession, look: ClipView, question: str) -> float:
    """Seconds until the first piece of an answer."""
    started = time.perf_counter()
    next(iter(session.ask(look, [Turn("user", question)], Sampling(max_new_tokens=4))), "")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    repeats = 1 if options.quick else options.repeats
    rows: list[tuple[float, float, float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session = open_session(options.model or untrained(folder), options.dtype)
        assert isinstance(session, LlmSession), "a fusion model cannot be asked questions"
        first, *others = clips(folder, repeats + 1)
        begins(session, session.look(first), FIRST)
        for clip in others:
            started = time.perf_counter()
            look = session.look(clip)
            looked = time.perf_counter() - started
            asked, again = (begins(session, look, q) for q in (FIRST, SECOND))
            # The same question without what is kept: the gain of the key-value cache alone.
            session.prefixes.forget()
            rows.append((looked, asked, again, begins(session, look, SECOND)))
    looked, asked, again, anew = (median(column) for column in zip(*rows, strict=True))
    print(f"{len(rows)} clips, medians, seconds until the answer begins")
    print(f"  first question   {looked + asked:7.3f}  (looking at the clip {looked:.3f})")
    print(f"  second question  {again:7.3f}  ({(looked + asked) / again:.1f} times sooner)")
    print(f"  second, its prompt read anew {anew:7.3f}  ({anew / again:.1f} times as long)")


if __name__ == "__main__":
    main()
