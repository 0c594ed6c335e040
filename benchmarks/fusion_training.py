"""MERBench's attention model on as many utterance vectors as MER2023 has, 5 folds x 100 epochs.

python -m benchmarks.fusion_training [--epochs 100] [--loop-epochs 3] [--jobs 2] [--quick]

3,373 samples, vectors of widths 1,024, 1,024 and 768, hidden width 128, batches of 32, a label
and a value, a validation part every epoch. "here" is `emollama bench` whole: reading the features,
training with validation and the best epoch kept, answering the test folds. "a .npy loop" is what
one would write without it: a Dataset that loads three files a sample, a DataLoader, the same
model, loss and Adam; its few epochs are scaled to as many, in as many processes as `--jobs`.
Targets: 180 s, and half the loop's time or less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import show
from emollama.bench.bench import run_bench
from emollama.bench.configuration import BenchConfig
from emollama.encoders.base import Channel, FeatureTrack
from emollama.features.shards import Entry, Extracted, write_shard
from emollama.features.store import EncoderRecord, write_index, write_record
from emollama.labels import get_label_set
from emollama.sample import Sample, Targets, write_manifest

WIDTHS: dict[Channel, int] = {"voice": 1024, "words": 1024, "face": 768}
CLIPS, FOLDS, HIDDEN, BATCH, TARGET = 3373, 5, 128, 32, 180
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
                        "save_every": epochs,
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

    def __init__(self, folder: Path, fold: int, train: bool) -> None:
        self.folder = folder
        self.targets = np.load(folder / "targets.npy")
        self.rows = [i for i in range(len(self.targets)) if (i % FOLDS != fold) == train]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> tuple[Tensor, ...]:
        i = self.rows[item]
        vectors = [torch.from_numpy(np.load(self.folder / c / f"clip-{i:05d}.npy")) for c in WIDTHS]
        label, value = self.targets[i]
        return (*vectors, torch.tensor(int(label)), torch.tensor(value))


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


def npy_loop(folder: Path, epochs: int, fold: int) -> float:
    """Seconds of so many epochs of one fold, each validated."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Plain()
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=1e-5)
    train = DataLoader(Files(folder, fold, True), BATCH, shuffle=True)
    held = DataLoader(Files(folder, fold, False), BATCH)
    started = time.perf_counter()
    for _ in range(epochs):
        model.train()
        for *vectors, label, value in train:
            output = model(vectors)
            loss = F.cross_entropy(output[:, :-1], label) + F.mse_loss(output[:, -1], value)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for *vectors, _, _ in held:
                model(vectors)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--loop-epochs", type=int, default=3, help="epochs a fold of the .npy loop")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="300 clips, 2 epochs, one process")
    options = parser.parse_args()
    clips, epochs, jobs = (300, 2, 1) if options.quick else (CLIPS, options.epochs, options.jobs)
    looped = min(options.loop_epochs, epochs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, clips)
        started = time.perf_counter()
        here(folder, epochs, jobs)
        ours = time.perf_counter() - started
        # Folds side by side as above; starting the processes is not counted against the loop.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            each = list(pool.map(partial(npy_loop, folder, looped), range(FOLDS)))
        theirs = sum(each) / jobs * epochs / looped
    rows = [
        {"way": "here", "seconds": round(ours, 1), "ratio": 1.0},
        {"way": "a .npy loop", "seconds": round(theirs, 1), "ratio": round(theirs / ours, 2)},
    ]
    show(
        f"MERBench's attention model, {FOLDS} folds x {epochs} epochs", rows,
        clips=clips, epochs=epochs, jobs=jobs, loop_epochs=looped, target_s=TARGET,
    )  # fmt: skip


if __name__ == "__main__":
    main()
