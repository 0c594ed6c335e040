"""The peak frames of a `merr` build against how far each expression had unfolded when drawn.

python -m benchmarks.merr.peaks OUT --probe runs/probe

OUT is a build over clips of the probe corpus at --probe. How an expression rises and falls is not
in the corpus' manifest; it is drawn again from the corpus' seed, with the clip's speech, whose
length it depends on. Beside the peak found stand the middle frame, the first, and any at random.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import show
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.merr.peak import PEAK
from emollama.merr.stagefile import read_rows
from emollama.probe.plan import Settings, plan_clip
from emollama.probe.render import expression_envelope, frame_times, with_room_tone
from emollama.probe.voice import Speaker


def unfolding(settings: Settings, clip: str, speaker: Speaker) -> tuple[np.ndarray, str]:
    """How far a clip's expression has unfolded in each frame, [N] 0..1, and which it is."""
    split, _, number = clip.rpartition("-")
    plan: Any = plan_clip(settings, split, int(number))  # type: ignore[arg-type]
    generator = np.random.default_rng(plan.drawing)
    speech, rate = speaker.speak(plan.casting.voice, plan.casting.sentence.text, plan.prosody)
    sound = with_room_tone(generator, speech, rate)
    seconds = sound.size / rate
    return expression_envelope(generator, frame_times(seconds), seconds), plan.face


def summary(places: list[int], truths: list[np.ndarray]) -> dict[str, Any]:
    """Distance in frames to the highest frame, and intensity as a share of the highest."""
    away = [abs(place - int(t.argmax())) for place, t in zip(places, truths, strict=True)]
    share = np.array([t[place] / t.max() for place, t in zip(places, truths, strict=True)])
    return {
        "clips": len(truths),
        "frames_away_median": float(np.median(away)),
        "frames_away_mean": round(float(np.mean(away)), 1),
        "intensity": round(float(share.mean()), 3),
        "at_least_0.9": round(float((share >= 0.9).mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--probe", type=Path, required=True)
    options = parser.parse_args()
    made = read_json(options.probe / "settings.json")
    settings = Settings(**{k: v for k, v in made.items() if k != "recipe"})
    rows = [r for r in read_rows(options.out / "stages" / f"{PEAK}.jsonl") if r["status"] == "ok"]
    if not rows:
        raise EmollamaError(f"{options.out}: stage 'peak' has no clip")
    with Speaker() as speaker:
        drawn = [unfolding(settings, str(row["id"]), speaker) for row in rows]
    table = []
    for about in ("all", "not neutral"):
        kept = [i for i, (_, face) in enumerate(drawn) if about == "all" or face != "neutral"]
        truths = [drawn[i][0] for i in kept]
        found = [min(int(rows[i]["frame"]), len(drawn[i][0]) - 1) for i in kept]
        middle = [len(t) // 2 for t in truths]
        for how, places in (("found", found), ("middle", middle), ("first", [0] * len(kept))):
            table.append({"faces": about, "frame": how, **summary(places, truths)})
        chance = np.mean([t.mean() / t.max() for t in truths])
        table.append({"faces": about, "frame": "random", "clips": len(kept),
                      "frames_away_median": "", "frames_away_mean": "",
                      "intensity": round(float(chance), 3), "at_least_0.9": ""})  # fmt: skip
    show("merr_peaks", table)


if __name__ == "__main__":
    main()
