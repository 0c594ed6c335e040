"""Words in another language: what the transcribers hear of it, and what SmolLM2 makes of it.

python -m benchmarks.languages --emodb DIR --ravdess DIR [--clips 20]

DIR holds `manifest.csv` with the file of each clip (`audio`) and its sentence (`text` or
`statement`). Clips are drawn by seed 0, from EMO-DB as many of each sentence. Then a regression on
the words' states of SmolLM2-135M-Instruct (the encoder `smollm2-135m-instruct`, untuned) is fitted
to the probe corpus's English sentences, 30 of each emotion, and asked about the other ten of each:
in English, and in a German translation of ours.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emollama.base.quiet import quiet_libraries
from emollama.encoders.table import parse_encoder
from emollama.media.decode import decode_clip
from emollama.media.transcript import Transcriber
from emollama.media.whispers import WHISPER, Whisper
from emollama.merr.quality.against import word_errors
from emollama.probe.cast import sentences
from emollama.session.observing import tracks_of

GERMAN = {
    "angry": (
        "Ich bin wütend, du hast dein Versprechen schon wieder gebrochen.",
        "Wie können sie es wagen, meine Familie so zu beleidigen.",
        "Halt den Mund und verschwende nicht länger meine Zeit.",
        "Ich habe dein unhöfliches und egoistisches Benehmen satt.",
        "Du Idiot, du hast meine ganze Arbeit zerstört.",
        "Das ist eine Unverschämtheit, ich werde mich bei deinem Chef beschweren.",
        "Lass mich in Ruhe, ich hasse deine Lügen.",
        "Für wen hältst du dich eigentlich, du arroganter Tyrann?",
        "Sie haben uns ausgeraubt und müssen bestraft werden.",
        "Ich habe genug, geh mir aus den Augen.",
    ),
    "happy": (
        "Ich bin so froh, unser Traum ist wahr geworden.",
        "Dieser Kuchen ist köstlich, vielen herzlichen Dank.",
        "Wir haben gelacht und getanzt, es war ein wunderschöner Abend.",
        "Tolle Neuigkeiten, sie hat die Stelle bekommen, die sie liebt.",
        "Ich fühle mich fantastisch, es ist ein schöner Morgen.",
        "Unser Urlaub war perfekt und die Sonne schien.",
        "Ich bin so stolz und dankbar, danke euch allen.",
        "Die Kinder liebten das Geschenk, sie waren begeistert.",
        "Es ist wunderbar, mit meinen Freunden zu Hause zu sein.",
        "Ich habe diesen Tag so genossen, das Leben ist schön.",
    ),
    "sad": (
        "Wir haben unser Baby verloren, und der Schmerz hört nicht auf.",
        "Meine arme alte Katze ist in der Nacht gestorben.",
        "Ich sitze allein und weine über ihren Briefen.",
        "Er hat mich verlassen, und es gibt keine Hoffnung mehr.",
        "Ich vermisse ihn schrecklich seit der Beerdigung.",
        "Alles, was ich liebte, ist verloren und vorbei.",
        "Es bricht mir das Herz, Abschied zu nehmen.",
        "Das leere Haus bringt mich zum Weinen.",
        "Ich habe meine Freunde verloren und fühle mich so einsam.",
        "Ich weinte, als sie meinen Vater begruben.",
    ),
    "neutral": (
        "Die Uhr an der Wand zeigt halb vier.",
        "Der Fluss fließt unter der alten Steinbrücke.",
        "Das Büro ist im Erdgeschoss.",
        "Auf der Liste stehen fünfzehn Namen.",
        "Der Parkplatz ist hinter dem Supermarkt.",
        "Die Stunde dauert fünfundvierzig Minuten.",
        "Das Papier liegt im unteren Schrank.",
        "Die nächste Haltestelle ist der Hauptbahnhof.",
        "Der Tisch ist aus Holz und Metall.",
        "Der Brief wurde mit der normalen Post verschickt.",
    ),
}
"""The probe corpus's test sentences, in their order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--emodb", type=Path)
    parser.add_argument("--ravdess", type=Path)
    parser.add_argument("--clips", type=int, default=20)
    options = parser.parse_args()
    quiet_libraries()
    for name, root in (("EMO-DB", options.emodb), ("RAVDESS", options.ravdess)):
        if root is not None:
            print(f"{name}, {options.clips} clips")
            hear(drawn(root, options.clips, name == "EMO-DB"))
    read()


def drawn(root: Path, count: int, each_sentence: bool) -> list[tuple[Path, str]]:
    """Files and sentences of some clips."""
    with (root / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng = random.Random(0)
    chosen = rng.sample(rows, count) if not each_sentence else []
    if each_sentence:
        by_sentence = defaultdict(list)
        for row in rows:
            by_sentence[row["text"]].append(row)
        for same in (by_sentence[text] for text in sorted(by_sentence)):
            chosen += rng.sample(same, count // len(by_sentence))
    return [(root / row["audio"], row.get("text") or row["statement"]) for row in chosen]


def hear(clips: list[tuple[Path, str]]) -> None:
    """Print the word error rate of both transcribers, and the languages that they tell."""
    for name in (WHISPER, "whisper-base"):
        transcriber = Transcriber.open(Whisper(name))
        errors = words = silent = 0
        told: Counter[str] = Counter()
        for path, text in clips:
            audio = decode_clip(path, None, want_video=False).audio
            assert audio is not None
            said = transcriber.transcribe(audio)
            wrong, count = word_errors(text, " ".join(phrase.text for phrase in said.phrases))
            errors, words, silent = errors + wrong, words + count, silent + (not said.phrases)
            told[said.language.code if said.language else "none told"] += 1
        rate = f"{errors / words:.3f} ({errors} of {words} words)"
        print(f"  {name:<16} word error rate {rate}, no words in {silent} clips, {dict(told)}")


def read() -> None:
    """Print how often the regression is right about sentences in English and German."""
    encoder = parse_encoder("smollm2-135m-instruct")

    def state(text: str) -> np.ndarray:
        (track,) = tracks_of({encoder.key: encoder}, text).values()
        assert track is not None
        return track.values.reshape(-1)

    def of(split: str) -> list[tuple[str, str]]:
        return [(s.text, emotion) for emotion in GERMAN for s in sentences(emotion, split)]

    known = of("train") + of("val")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    model.fit([state(text) for text, _ in known], [emotion for _, emotion in known])
    german = [(text, emotion) for emotion, texts in GERMAN.items() for text in texts]
    for name, asked in (("English", of("test")), ("German", german)):
        answers = model.predict([state(text) for text, _ in asked])
        right = sum(answer == emotion for answer, (_, emotion) in zip(answers, asked, strict=True))
        print(f"{name}: {right} of {len(asked)} right, answers {dict(Counter(map(str, answers)))}")


if __name__ == "__main__":
    main()
