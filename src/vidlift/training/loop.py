"""The training loop: plain, deterministic, and able to go on where it was killed.

Muon (orthogonalised momentum) for kernels and Adam for the rest, L1, a cosine, an average of
the weights. Measured against Adam and SOAP with and without re-parameterised branches, this
gets further in the same time (``docs/training.md``).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_optimizer import Muon
from torch import Tensor, nn

from vidlift.errors import OutputError, UsageError
from vidlift.training import architectures, checkpoint, dataset, pictures
from vidlift.training.checkpoint import Checkpoint
from vidlift.training.recipe import Recipe

SAVE_EVERY = 120.0
"""Seconds between checkpoints."""

LOG_EVERY = 200
"""Steps between lines of the log."""

VALIDATE_EVERY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is."""

    step: int
    steps: int
    loss: float
    """Mean of the last steps, in code values of 8 bits."""

    psnr: float | None
    """PSNR-Y on the validation split as last measured, dB."""

    seconds_left: float


Report = Callable[[Status], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a run computes on. ``bf16`` None: as measured to be faster."""

    device: str = "auto"
    threads: int | None = None
    bf16: bool | None = None

    def resolved(self) -> str:
        """``cpu`` or ``cuda``. Raises ``UsageError`` for a device that is not there."""
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"device {self.device!r} is none of auto, cpu, cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UsageError("device cuda: torch finds no GPU here; use --device cpu")
        return "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    machine: Machine | None = None,
    report: Report = lambda _status: None,
    stop_at: int | None = None,
) -> Checkpoint:
    """Train to the last step, or to ``stop_at``; goes on from ``out/checkpoint.pt`` if it is there.

    ``data`` is what the recipe's folders are relative to. Leaves ``checkpoint.pt`` and
    ``log.jsonl`` in ``out``, after an interruption as well. Raises ``InputError`` for pictures
    that are missing, ``UsageError`` when the checkpoint is of another recipe.
    """
    machine = machine or Machine()
    device = machine.resolved()
    training_data = dataset.digest(recipe, data)
    before = _before(out, recipe, training_data)
    torch.set_num_threads(before.threads if before else machine.threads or torch.get_num_threads())

    found = dataset.load(recipe, data)
    patches = pictures.Patches(
        found.training,
        scale=recipe.scale,
        patch=recipe.patch,
        batch=recipe.batch,
        seed=recipe.seed,
    )
    run = _Run(recipe, training_data, device, machine, before, patches)
    last = recipe.steps if stop_at is None else min(recipe.steps, stop_at)
    log = _Log(out / "log.jsonl", step=run.step)
    saved = time.monotonic()
    psnr: float | None = None
    losses: list[Tensor] = []
    try:
        while run.step < last:
            losses.append(run.advance())
            if found.held_out and (run.step % VALIDATE_EVERY == 0 or run.step == recipe.steps):
                psnr = validate(run.averaged(), found.held_out, device=device)
                log.write(step=run.step, psnr=round(psnr, 3))
            if run.step % LOG_EVERY == 0 or run.step == last:
                loss = 255 * float(torch.stack(losses).mean())
                losses.clear()
                log.write(step=run.step, loss=round(loss, 4), seconds=round(run.seconds, 1))
                left = run.seconds / run.step * (recipe.steps - run.step)
                report(
                    Status(
                        step=run.step, steps=recipe.steps, loss=loss, psnr=psnr, seconds_left=left
                    )
                )
            if time.monotonic() - saved > SAVE_EVERY:
                checkpoint.save(out / "checkpoint.pt", run.state())
                saved = time.monotonic()
    finally:
        checkpoint.save(out / "checkpoint.pt", run.state())
    return run.state()


def validate(
    network: nn.Module, held_out: Sequence[pictures.Picture], *, device: str = "cpu"
) -> float:
    """Mean PSNR-Y in dB over pictures, ``scale`` samples of the border cut off."""
    found = []
    with torch.no_grad():
        for picture in held_out:
            low = torch.from_numpy(picture.low)[None, None].to(device).float() / 255
            high = torch.from_numpy(picture.high)[None, None].to(device).float()
            made = (network(low) * 255).round().clamp(0, 255)
            cut = picture.high.shape[0] // picture.low.shape[0]
            error = (made - high)[..., cut:-cut, cut:-cut].square().mean()
            found.append(10 * math.log10(255 * 255 / max(float(error), 1e-10)))
    return sum(found) / len(found)


class _Run:
    """Network, average, optimiser: what a step changes."""

    def __init__(
        self,
        recipe: Recipe,
        training_data: str,
        device: str,
        machine: Machine,
        before: Checkpoint | None,
        patches: pictures.Patches,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._training_data, self._device = recipe, training_data, device
        self._patches = patches
        self._network = _new(recipe, device)
        self._average = _new(recipe, device)
        self._average.load_state_dict(self._network.state_dict())
        self._average.requires_grad_(False)
        self._optimizer = _optimizer(self._network, recipe.rate)
        self.step, self.seconds = 0, 0.0
        if before is not None:
            self.step, self.seconds = before.step, before.seconds
            self._network.load_state_dict(before.network)
            self._average.load_state_dict(before.average)
            self._optimizer.load_state_dict(before.optimizer)
        bf16 = before.bf16 if before else machine.bf16
        self._network.bf16_body = self._measured() if bf16 is None else bf16

    def advance(self) -> Tensor:
        """One step; returns its loss."""
        start = time.perf_counter()
        factor = _rate(self.step, self._recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = group["full_rate"] * factor
        loss = self._gradient(self.step)
        nn.utils.clip_grad_norm_(self._network.parameters(), self._recipe.clip)
        self._optimizer.step()
        self.step += 1
        keep = min(self._recipe.ema, self.step / (self.step + 10))
        torch._foreach_lerp_(
            list(self._average.parameters()), list(self._network.parameters()), 1 - keep
        )
        self.seconds += time.perf_counter() - start
        return loss.detach()

    def averaged(self) -> nn.Module:
        return self._average

    def state(self) -> Checkpoint:
        return Checkpoint(
            recipe=self._recipe,
            training_data=self._training_data,
            step=self.step,
            network=self._network.state_dict(),
            average=self._average.state_dict(),
            optimizer=self._optimizer.state_dict(),
            bf16=self._network.bf16_body,
            threads=torch.get_num_threads(),
            seconds=self.seconds,
        )

    def _gradient(self, step: int) -> Tensor:
        low, high = (side.to(self._device) for side in self._patches(step))
        self._optimizer.zero_grad()
        made = self._network(low.contiguous(memory_format=torch.channels_last))
        loss: Tensor = (made - high).abs().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _measured(self) -> bool:
        """Whether a step is faster with the body in bfloat16: a few tries of each, interleaved."""
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(4):
            for bf16, found in times.items():
                self._network.bf16_body = bf16
                start = time.perf_counter()
                self._gradient(0)
                if self._device == "cuda":
                    torch.cuda.synchronize()
                found.append(time.perf_counter() - start)
        self._optimizer.zero_grad()
        return min(times[True]) < min(times[False])


def _new(recipe: Recipe, device: str) -> architectures.Plain:
    network = architectures.build(recipe.architecture, scale=recipe.scale)
    if recipe.start is not None:
        _take_over(network, checkpoint.load(Path(recipe.start)).average)
    # Channels last: the layout that matrix units want, a third faster in float32 as well.
    moved: architectures.Plain = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _take_over(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Begin from the layers of another network that have the same name and shape."""
    own = network.state_dict()
    own.update({n: w for n, w in weights.items() if n in own and own[n].shape == w.shape})
    network.load_state_dict(own)


def _optimizer(network: nn.Module, rate: float) -> Muon:
    """Muon for kernels; Adam, at a tenth of the rate, for biases and the image-space residual."""
    kernels = [p for n, p in network.named_parameters() if p.ndim == 4 and n != "skip.weight"]
    others = [p for n, p in network.named_parameters() if p.ndim != 4 or n == "skip.weight"]
    adam = {"lr": rate / 10, "betas": (0.9, 0.99), "eps": 1e-8, "use_muon": False}
    optimizer = Muon(
        [{"params": kernels, "lr": rate, "use_muon": True}, {"params": others, **adam}]
    )
    for group in optimizer.param_groups:
        group["full_rate"] = group["lr"]
    return optimizer


def _rate(step: int, recipe: Recipe) -> float:
    """Share of the full learning rate at a step: a short rise, then a cosine down to 0."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def _before(out: Path, recipe: Recipe, training_data: str) -> Checkpoint | None:
    """The state to go on from, None to begin."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the run into {out}: {error.strerror}") from error
    where = out / "checkpoint.pt"
    if not where.exists():
        return None
    before = checkpoint.load(where)
    if before.recipe != recipe or before.training_data != training_data:
        raise UsageError(
            f"{out} holds a run of another recipe or other pictures; "
            "give another --out, or remove it to begin afresh"
        )
    return before


class _Log:
    """Lines of JSON; those of steps that will be done again are dropped when a run goes on."""

    def __init__(self, where: Path, *, step: int) -> None:
        self._where = where
        kept = [line for line in _lines(where) if json.loads(line)["step"] <= step]
        where.write_text("".join(kept))

    def write(self, **values: float) -> None:
        with self._where.open("a") as out:
            out.write(json.dumps(values) + "\n")


def _lines(where: Path) -> Iterator[str]:
    if where.exists():
        yield from (line for line in where.read_text().splitlines(keepends=True) if line.strip())
