"""Training of fusion models: one short loop on accelerate. `emollama train` runs it for
configurations with `fusion:`.

A strategy owns models, optimizers and steps; the loop distributes batches, validates, keeps the
best epoch and writes checkpoints. All random draws are functions of the seed, the epoch and the
sample or step, so a killed and resumed run ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.utils.tensorboard import SummaryWriter

from emollama.base import torchrun
from emollama.base.errors import EmollamaError
from emollama.base.paths import FUSION_FILE
from emollama.fusion import artefact
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.readout import answers
from emollama.fusion.trained import About
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.dealing import Dealer
from emollama.fusion.training.optimising import seed_step
from emollama.fusion.training.progress import (
    Progress,
    forget_best_but,
    keep_best,
    load_best,
    read_checkpoint,
    write_checkpoint,
)
from emollama.fusion.training.setup import Setup, another, set_up, start_from
from emollama.fusion.training.strategies.base import Plan, Strategy
from emollama.fusion.training.strategies.table import strategy_class
from emollama.fusion.training.validation import Validation, selected, validate_corpora
from emollama.fusion.weights import MAIN
from emollama.inputs.familiarity_fit import fit_familiarity
from emollama.inputs.mixture import balance_of, corpora_sha256, mixture_record, tell_mixture
from emollama.manifest.sample import Manifest
from emollama.runs.card import model_card
from emollama.runs.checkpoints import CHECKPOINTS, MODEL, checkpoint_to_resume, claim_output
from emollama.runs.run_folder import run_record, speaker
from emollama.scoring.metrics.tasks import TITLES, better

MAY_CHANGE = tuple(
    ("training", key)
    for key in ("log_every_epochs", "save_every_epochs", "save_every_steps", "resume")
)
"""Settings that may change when a run is resumed."""


def train_fusion(config: FusionTrainConfig) -> Path:
    """Train as configured and return the artefact's folder, `<output>/model`.

    Raises:
        EmollamaError: for every mistake the user can fix, and if training diverges.
    """
    with ExitStack() as held:
        return FusionRun(config, held).run()


class FusionRun:
    """One run, from configuration to artefact.

    Args:
        config: of the run.
        held: resources closed with it.
        setup: data and model, if they exist already; by default read and built as configured.
        say: prints lines for the user.
    """

    def __init__(
        self,
        config: FusionTrainConfig,
        held: ExitStack,
        setup: Setup | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        rank = torchrun.rank()
        self.say: Callable[[str], None] = say or speaker(rank)
        self.checkpoints = config.output / CHECKPOINTS
        asked = config.training.resume
        resume = checkpoint_to_resume(config.output, config, asked, MAY_CHANGE, FUSION_FILE)
        self.setup: Setup = setup or set_up(config, self.say)
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self.device: torch.device = self.accelerator.device
        self.first = self.accelerator.is_main_process
        self.metric = selected(config.task, config.training.select)

        model = self.setup.model.to(self.device)
        start = config.fusion.initialise_from
        if start is not None and resume is not None and not start.exists():
            start = None  # a checkpoint of this run holds everything
        if start is not None:
            self.say(start_from(model, start))
        self.dealer = Dealer(
            self.setup.train, config.training.batch_size, config.modality_dropout, config.seed,
            {m.name: m.channel for m in config.fusion.modalities},
            rank=self.accelerator.process_index, world=self.accelerator.num_processes,
            people=self.setup.people,
            balance=balance_of(self.setup.manifest, self.setup.train.samples),
        )  # fmt: skip
        kind, options = strategy_class(config.strategy.name), config.strategy_options()
        self.epochs = kind.epochs(options, config.training.epochs)
        plan = Plan(
            settings=config.training,
            epochs=self.epochs,
            batches=self.dealer.batches,
            another=lambda name, options: another(model, config.seed, name, options),
            seed=config.seed,
        )
        self.strategy: Strategy = kind(model, options, plan)
        if start is not None:
            self._start_others(start)
        self.parameters = sum(
            p.numel() for m in self.strategy.models.values() for p in m.parameters()
        )
        self.progress = Progress()
        if self.first:
            # "model-*" are of values, see `keep_per_target`.
            own = [p.parent for p in config.output.glob(f"model-*/{FUSION_FILE}")]
            leftovers = [config.output / "tensorboard", *own]
            claim_output(
                config.output, config, held, resume is not None, asked, self.say, leftovers
            )
        self.accelerator.wait_for_everyone()
        if resume is not None:
            self.say(f"resuming from {resume}")
            state, self.progress = read_checkpoint(resume, self.device)
            self.strategy.load_state_dict(state)
        self.board: SummaryWriter | None = None
        if self.first:
            folder = str(config.output / "tensorboard")
            self.board = held.enter_context(
                SummaryWriter(folder, purge_step=self.progress.epoch + 1)
            )

    def _start_others(self, start: Path) -> None:
        """Load weights of a strategy's further models, or report that the artefact lacks them."""
        for name, model in self.strategy.models.items():
            if name == MAIN:
                continue
            if (start / name).is_dir():
                self.say(start_from(model, start / name))
            else:
                self.say(f"{start}: has no model '{name}'; it starts from new weights")

    def run(self) -> Path:
        """Run all remaining epochs, then write the artefact."""
        train, validation = self.setup.train, self.setup.validation
        for line in tell_mixture(self.setup.manifest, train.samples):
            self.say(line)
        self.say(
            f"{len(train)} samples, {self.epochs} epochs of {self.dealer.batches} steps x "
            f"{self.config.training.batch_size}; {self.parameters:,} parameters on "
            f"{self.device.type}"
        )
        if validation is None:
            self.say(
                "no validation split: the last epoch is kept"
                + (
                    ", with a threshold of 0.5 for every label"
                    * (self.config.task.kind == "labels")
                )
            )
        started, first = time.monotonic(), self.progress.epoch
        patience = self.config.training.patience
        while self.progress.epoch < self.epochs and not self.progress.out_of_patience(patience):
            self._epoch()
            self._tell(started, first)
        if self.progress.epoch < self.epochs:
            self.say(
                f"no improvement in {patience} epochs: stopped after epoch {self.progress.epoch}"
            )
        folder = self._save()
        if self.accelerator.num_processes > 1:
            self.accelerator.wait_for_everyone()
            dist.destroy_process_group()
        return folder

    def _epoch(self) -> None:
        now, settings = self.progress, self.config.training
        epoch = now.epoch
        self.strategy.begin_epoch(epoch)
        self.strategy.set_training()
        if now.batch == 0:
            now.learning_rate = self.strategy.learning_rate
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for index in range(now.batch, self.dealer.batches):
            batch, share, mine = self.dealer.batch(epoch, index)
            seed_step(self.config.seed, epoch, index, self.accelerator.process_index)
            total += self.strategy.step(batch.to(self.device), share) * mine
            now.batch = index + 1
            between = settings.save_every_steps and now.batch % settings.save_every_steps == 0
            if between and now.batch < self.dealer.batches:
                now.loss += self._summed(total)
                total.zero_()
                self._checkpoint()
        now.loss += self._summed(total)
        loss = now.loss / len(self.setup.train)
        if not math.isfinite(loss):
            raise EmollamaError(
                f"the loss is {loss} in epoch {epoch + 1}: training has diverged; lower "
                "training.learning_rate and start again with training.resume=never"
            )
        now.log.append({"epoch": epoch + 1, "loss": loss, "learning_rate": now.learning_rate})
        now.epoch, now.batch, now.loss = epoch + 1, 0, 0.0
        last = now.epoch == self.epochs
        score = None
        due = last or now.epoch % settings.evaluate_every_epochs == 0
        if self.setup.validation is not None and due:
            score = self._validate()
        self.strategy.end_epoch(epoch, score)
        done = last or now.out_of_patience(settings.patience)
        if done or now.epoch % settings.save_every_epochs == 0:
            self._checkpoint()

    def _validate(self) -> float:
        """Score the validation split and keep the epoch if it is the best; returns its merit."""
        found: list[Any] = [None]
        if self.first:
            data = self.setup.validation
            assert data is not None
            config = self.strategy.model.config
            self.strategy.set_evaluating()
            said = answers(config, self.strategy.answer, data.in_order(), self.device)
            manifest = self.setup.manifest
            found = [validate_corpora(config.goal, config.labels, said, data, manifest)]
        broadcast_object_list(found)
        result: Validation = found[0]
        now = self.progress
        now.validation.append({"epoch": now.epoch, **result.scores})
        now.best = self._better(now.best, self.metric, result)
        if self.config.training.keep_per_target:
            for name in self.config.task.values:
                known = now.best_of.get(name, {})
                now.best_of[name] = self._better(known, f"ccc_{name}", result)
        if self.first and now.epoch in now.kept:
            keep_best(self.config.output, self.strategy.models, now.epoch)
        return better(self.metric, result.scores[self.metric])

    def _better(self, best: dict[str, Any], metric: str, result: Validation) -> dict[str, Any]:
        """This epoch if its score is above the best one's, else the best one."""
        value = better(metric, result.scores[metric])
        if best and not value > best["merit"]:
            return best
        return {
            "epoch": self.progress.epoch,
            "metric": metric,
            "value": result.scores[metric],
            "merit": value,
            "thresholds": result.thresholds,
        }

    def _checkpoint(self) -> None:
        if not self.first:
            return
        now = self.progress
        step = now.epoch * self.dealer.batches + now.batch
        write_checkpoint(self.checkpoints, step, self.strategy.state_dict(), now)
        # Not earlier: until now a killed run would have gone on with an older best epoch.
        if now.best:
            forget_best_but(self.config.output, now.kept)

    def _summed(self, total: torch.Tensor) -> float:
        if self.accelerator.num_processes > 1:
            total = total.clone()
            dist.all_reduce(total)
        return float(total)

    def _tell(self, started: float, first: int) -> None:
        now = self.progress
        entry = now.log[-1]
        scored = now.validation[-1] if now.validation else {}
        fresh = scored.get("epoch") == now.epoch
        if self.board is not None:
            for name in ("loss", "learning_rate"):
                self.board.add_scalar(f"train/{name}", entry[name], now.epoch)
            for name, value in scored.items() if fresh else ():
                self.board.add_scalar(f"validation/{name}", value, now.epoch)
        if now.epoch % self.config.training.log_every_epochs and now.epoch != self.epochs:
            return
        seconds = time.monotonic() - started
        done = now.epoch - first
        left = seconds / done * (self.epochs - now.epoch)
        score = ""
        if fresh:
            best = f" (best {now.best['value']:.4f} in epoch {now.best['epoch']})"
            score = f"  validation {TITLES[self.metric]} {scored[self.metric]:.4f}{best}"
        self.say(
            f"epoch {now.epoch}/{self.epochs}  loss {entry['loss']:.4f}{score}  "
            f"{done * len(self.setup.train) / max(seconds, 1e-9):.1f} samples/s  "
            f"{int(left // 60)}:{int(left % 60):02d} left"
        )

    def _save(self) -> Path:
        """Write the artefact, and one per value if each value keeps its own best epoch."""
        folder = self.config.output / MODEL
        if self.first:
            for name, best in self.progress.best_of.items():
                self._save_epoch(folder.with_name(f"model-{name}"), best)
            self._save_epoch(folder, self.progress.best)
        return folder

    def _save_epoch(self, folder: Path, best: dict[str, Any]) -> None:
        config, now = self.config, self.progress
        if best:
            load_best(config.output, self.strategy.models, best["epoch"])
        manifest, train, held_out = self.setup.manifest, self.setup.train, self.setup.validation
        record = (
            run_record(
                config,
                manifest,
                corpora_sha256(manifest),
                len(train),
                train.left_out,
                self.device,
                self.accelerator.num_processes,
            )
            | {
                "parameters": self.parameters,
                "epochs": now.epoch,
                "steps": now.epoch * self.dealer.batches,
                "final_loss": now.log[-1]["loss"],
                "log": now.log,
                "validation": now.validation,
                "best": best or None,
            }
            | mixture_record(manifest, train.samples, held_out.samples if held_out else ())
        )
        card = _card(config, manifest, self.strategy.model.config, record)
        people = self.setup.people
        prior = people.prior if people else None
        sections = self.strategy.model.config.sections
        familiarity = fit_familiarity(sections, self.setup.readers, train.samples, prior)
        artefact.save(
            self.strategy.models, self.about(best), folder, record, card, prior, familiarity
        )
        kept = f"epoch {best['epoch']}" if best else "the last epoch"
        self.say(f"artefact of {kept} written to {folder}")

    def about(self, best: dict[str, Any]) -> About:
        """The artefact's description of the models, whose weights are those of the best epoch."""
        strategy, manifest = self.config.strategy, self.setup.manifest
        return About(
            labels=manifest.labels,
            strategy=strategy.name,
            options=strategy.options,
            thresholds=best.get("thresholds", {}),
            models=tuple(self.strategy.models),
            corpus=manifest.corpus,
            split_sha256=manifest.split_sha256,
        )


def _card(
    config: FusionTrainConfig, manifest: Manifest, model: FusionConfig, record: dict[str, Any]
) -> str:
    best = record["best"]
    kept = (
        f"the weights are those of epoch {best['epoch']}, the best on "
        f"`{config.data.validation_split}` ({best['metric']} {best['value']:.4f})"
        if best
        else "the weights are those of the last epoch, because there was no validation split"
    )
    predicted = [*model.labels, *model.goal.values]
    return model_card(
        config.output.name,
        f"A fusion model: system `{config.fusion.system}`, {record['parameters']:,} parameters, "
        f"trained by\nstrategy `{config.strategy.name}` for {record['epochs']} epochs on "
        f"{record['samples']} samples of\n`{manifest.corpus}`; {kept}.",
        ("modality", "channel", "features", "width"),
        [(s.name, s.channel, _features(s), s.width or "") for s in model.sections],
        f"Predicts (task `{model.goal.kind}`): {', '.join(predicted)}",
        manifest.corpus,
        mixture=record.get("mixture", ()),
    )


def _features(section: ModalitySection) -> str:
    """What a modality reads: a track, or the clip's own media through an encoder of the model."""
    if section.kind == "track":
        return f"`{section.source}`"
    return f"{section.kind}, `{section.source}`" if section.source else section.kind
