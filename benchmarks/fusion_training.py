"""MERBench's attention model on as many utterance vectors as MER2023 has, 5 folds x 100 epochs.

python -m benchmarks.fusion_training [--epochs 100] [--loop-epochs 3] [--jobs 2] [--quick]

3,373 samples, vectors of widths 1,024, 1,024 and 768, hidden width 128, batches of 32, a label
and a value, a validation part every epoch. "here" is `emollama bench` whole: starting processes,
reading the features, training with validation, checkpoints and the best epoch kept on disk,
answering the test folds, tables with intervals. "a .npy loop" is what one would write without it:
a Dataset that loads three files a sample, a DataLoader, the same layers, loss, Adam and folds,
each epoch scored on the validation part and the best one's weights saved. Its few epochs run
before and after ours, as many folds side by side, and are scaled to as many epochs; starting its
processes is not counted. Targets: 180 s on 2 cores, and half the loop's time or less.

CPU seconds are of all processes of a side: on a machine that others use they say more than the
wall clock.
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import show
from emollama.base.files import read_json
from emollama.base.quiet import quiet_libraries
from emollama.bench.bench import run_bench
from emollama.bench.configuration import BenchConfig
from emollama.encoders.base import FeatureTrack
from emollama.features.shards import Entry, Extracted, write_shard
from emollama.features.store import EncoderRecord, write_index, write_record
from emollama.manifest.channels import Channel
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest

WIDTHS: dict[Channel, int] = {"voice": 1024, "words": 1024, "face": 768}
CLIPS, FOLDS, EPOCHS, HIDDEN, BATCH, TARGET = 3373, 5, 100, 128, 32, 180
LABELS = get_label_set("mer2023")


def make(folder: Path, clips: int) -> None:
    """Manifest and store for us, folders of .npy files and targets for the loop."""
    draw = np.random.default_rng(0)
    samples = [
        Sample(
            id=f"clip-{i:05d}",
            group=f"group-{i % 100}",
            targets=Targets(
                emotion=LABELS.labels[int(draw.integers(len(LABELS.labels)))],
                valence=float(draw.normal()),
            ),
        )
        for i in range(clips)
    ]
    write_manifest(folder / "manifest.jsonl", "made", LABELS, samples)
    for channel, width in WIDTHS.items():
        values = draw.normal(size=(clips, width)).astype(np.float32)
        (folder / channel).mkdir()
        items = []
        for sample, vector in zip(samples, values, strict=True):
            np.save(folder / channel / f"{sample.id}.npy", vector)
            track = FeatureTrack(vector[None], np.zeros(1, dtype=np.float32))
            items.append(Extracted(Entry(sample.id, "made", "ok"), track))
        place = folder / "store" / channel
        write_record(place, EncoderRecord(channel, channel, width, "made", ()))
        write_shard(place / "0.safetensors", width, "made", items)
        write_index(place, [("0.safetensors", [s.id for s in samples])])
    targets = [(LABELS.labels.index(str(s.targets.emotion)), s.targets.valence) for s in samples]
    np.save(folder / "targets.npy", np.array(targets, dtype=np.float32))


def here(folder: Path, epochs: int, jobs: int) -> None:
    """The bench."""
    modalities = [{"name": c, "channel": c, "source": c} for c in WIDTHS]
    run_bench(
        BenchConfig.model_validate(
            {
                "output": folder / "bench",
                "data": {"manifest": folder / "manifest.jsonl", "store": folder / "store"},
                "folds": {"folds": FOLDS, "validation": 10},
                "base": {
                    "fusion": {
                        "system": "merbench_attention",
                        "modalities": modalities,
                        "options": {"hidden": HIDDEN, "dropout": 0.3},
                    },
                    "task": {"kind": "label+values", "values": ["valence"]},
                    "training": {
                        "epochs": epochs,
                        "batch_size": BATCH,
                        "weight_decay": 1e-5,
                        "save_every_epochs": epochs,
                    },
                },
                "models": {"attention": {}},
                "baseline": False,
                "bootstrap": 100,
            }
        ),
        jobs,
    )


class Files(Dataset[tuple[Tensor, ...]]):
    """Three files a sample."""

    def __init__(self, folder: Path, rows: list[int]) -> None:
        self.folder = folder
        self.targets = np.load(folder / "targets.npy")
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> tuple[Tensor, ...]:
        i = self.rows[item]
        vectors = [torch.from_numpy(np.load(self.folder / c / f"clip-{i:05d}.npy")) for c in WIDTHS]
        label, value = self.targets[i]
        return (*vectors, torch.tensor(int(label)), torch.tensor(value))


def parts(clips: int, fold: int) -> tuple[list[int], list[int]]:
    """Rows that train and rows that validate in a fold; the rest is its test part."""
    kept = [i for i in range(clips) if i % 100 % FOLDS != fold]
    held = [i for i in kept if i % 100 // FOLDS % 10 == 0]
    return sorted(set(kept) - set(held)), held


class Plain(nn.Module):
    """The same layers."""

    def __init__(self) -> None:
        super().__init__()

        def network(width: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Dropout(0.3), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN),
                nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            )  # fmt: skip

        self.encoders = nn.ModuleList(network(width) for width in WIDTHS.values())
        self.weigher = nn.Sequential(network(HIDDEN * len(WIDTHS)), nn.Linear(HIDDEN, len(WIDTHS)))
        self.output = nn.Linear(HIDDEN, len(LABELS.labels) + 1)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Logits and value [B, labels + 1]."""
        encoded = torch.stack([e(v) for e, v in zip(self.encoders, vectors, strict=True)], 1)
        weights = self.weigher(encoded.flatten(1)).softmax(-1)
        output: Tensor = self.output((weights[..., None] * encoded).sum(1))
        return output


def npy_loop(folder: Path, clips: int, epochs: int, fold: int) -> tuple[int, float, float]:
    """Steps, wall seconds and CPU seconds of so many epochs of one fold."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Plain()
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=1e-5)
    rows, held = parts(clips, fold)
    train = DataLoader(Files(folder, rows), BATCH, shuffle=True)
    validation = DataLoader(Files(folder, held), BATCH)
    best = -math.inf
    started, worked = time.perf_counter(), time.process_time()
    for _ in range(epochs):
        model.train()
        for *vectors, label, value in train:
            output = model(vectors)
            loss = F.cross_entropy(output[:, :-1], label) + F.mse_loss(output[:, -1], value)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        answers, labels, values = [], [], []
        with torch.no_grad():
            for *vectors, label, value in validation:
                answers.append(model(vectors))
                labels.append(label)
                values.append(value)
        answer, truth = torch.cat(answers), torch.cat(labels)
        score = f1_score(truth, answer[:, :-1].argmax(1), average="weighted")
        score -= 0.25 * float(F.mse_loss(answer[:, -1], torch.cat(values)))
        if score > best:
            best = score
            torch.save(model.state_dict(), folder / f"best-{fold}.pt")
    return epochs * len(train), time.perf_counter() - started, time.process_time() - worked


@dataclass
class Side:
    """What one way took for all folds.

    `steps`, `trained` and `worked` are sums over folds: steps, wall and CPU seconds of the epochs
    alone. `wall` and `cpu` are of the whole.
    """

    epochs: int
    steps: float
    wall: float
    cpu: float
    trained: float
    worked: float

    def row(self, way: str, epochs: int, rounds: int) -> dict[str, Any]:
        """A row of the table; what the epochs took is scaled to `epochs`, the rest is not.

        Steps a second are of one process. `rounds`: how many folds a process does, one after
        another.
        """
        more = epochs / self.epochs - 1
        return {
            "way": way,
            "s": round(self.wall, 1),
            f"s of {epochs}": round(self.wall + more * self.trained / FOLDS * rounds, 1),
            "steps/s": round(self.steps / self.trained, 1),
            f"CPU s of {epochs}": round(self.cpu + more * self.worked, 1),
            "CPU ms/step": round(1000 * self.worked / self.steps, 2),
        }


def loop_side(folder: Path, clips: int, epochs: int, jobs: int) -> Side:
    """The .npy loop on all folds, side by side."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        each = list(pool.map(partial(npy_loop, folder, clips, epochs), range(FOLDS)))
    trained, worked = sum(wall for _, wall, _ in each), sum(cpu for _, _, cpu in each)
    return Side(
        epochs=epochs,
        steps=sum(steps for steps, _, _ in each),
        wall=trained / FOLDS * math.ceil(FOLDS / jobs),
        cpu=worked,
        trained=trained,
        worked=worked,
    )


def our_side(folder: Path, clips: int, epochs: int, jobs: int) -> Side:
    """`emollama bench` on all folds, from start to table."""
    started, worked = time.perf_counter(), _cpu_seconds()
    here(folder, epochs, jobs)
    runs = [read_json(path) for path in (folder / "bench" / "runs").rglob("*.json")]
    return Side(
        epochs=epochs,
        steps=sum(epochs * -(-len(parts(clips, fold)[0]) // BATCH) for fold in range(FOLDS)),
        wall=time.perf_counter() - started,
        cpu=_cpu_seconds() - worked,
        trained=sum(run["seconds"] for run in runs),
        worked=sum(run["cpu_seconds"] for run in runs),
    )


def _cpu_seconds() -> float:
    """Of this process and of all that it started and that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="that are run; scaled to 100")
    parser.add_argument("--loop-epochs", type=int, default=3, help="epochs a fold of the .npy loop")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="300 clips, 2 epochs, one process")
    options = parser.parse_args()
    quiet_libraries()
    clips, epochs, jobs = (300, 2, 1) if options.quick else (CLIPS, options.epochs, options.jobs)
    if jobs == 1:
        torch.set_num_threads(1)
    looped = min(options.loop_epochs, epochs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, clips)
        before = loop_side(folder, clips, looped, jobs)
        ours = our_side(folder, clips, epochs, jobs)
        after = loop_side(folder, clips, looped, jobs)
    loop = Side(
        looped, *(mean(pair) for pair in zip(astuple(before)[1:], astuple(after)[1:], strict=True))
    )
    rounds = math.ceil(FOLDS / jobs)
    rows = [ours.row("here", EPOCHS, rounds), loop.row("a .npy loop", EPOCHS, rounds)]
    for name, key in (("ratio", f"s of {EPOCHS}"), ("in CPU", f"CPU s of {EPOCHS}")):
        rows[0][name], rows[1][name] = 1.0, round(rows[1][key] / rows[0][key], 2)
    show(
        f"MERBench's attention model, {FOLDS} folds x {EPOCHS} epochs", rows,
        clips=clips, jobs=jobs, epochs=epochs, loop_epochs=looped, target_s=TARGET,
    )  # fmt: skip


if __name__ == "__main__":
    main()
