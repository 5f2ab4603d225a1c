"""Networks as torch modules. A row in ``ARCHITECTURES`` is all that a new one needs.

Legend: n pictures, H and W their low-resolution height and width, s the scale, f the fold,
C channels, L body layers. Luma is in 0..1 here; the exporter folds code values in.

    y [n,1,H,W] ──fold──> [n,f²,H/f,W/f] ──head──> C ──body, L times──> C ──tail──┐
                              └────────────── skip (begins as bicubic) ──────────(+)
                                                                                  │
                               [n,1,sH,sW] <──────── pixel shuffle by s·f ────────┘

Note [Padding]. ``zero`` pads before each convolution. ``edge`` repeats the picture's edge once,
before the first, by all that the network looks around itself: a flat picture stays flat to its
border, and matrix units may take a third less time (``docs/models.md``), for a twentieth more
operations. A network learns with the padding it will run with: what lies at the border tells.

Note [Bits]. In 8 bits what a layer passes on has one range for all its samples, so a few large ones
make the steps coarse for all others. A network that learns with what it passes on rounded, coarser
than it will be, keeps its ranges narrow: rounding goes straight through, and the step's own
gradient is what its size costs (Learned Step Size Quantization, arXiv:1902.08153), but the step is
that of the batch's range, so that it reaches what lies at its ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from vidlift.errors import UsageError
from vidlift.models import check, kernels

SLOPE = 0.1
"""Slope of LeakyReLU below zero. Engines fuse this activation into the convolution before it;
they do not fuse a learned slope."""

CEILINGS = {"xs": 120, "s": 360, "m": 1_050, "l": 3_300, "xl": 10_600}
"""Most multiply-accumulates of a network per output pixel, by tier (``docs/models.md``)."""


MOST_WEIGHTS = check.MAX_BYTES // 4
"""Of a network whose model file may be loaded, at four bytes a weight."""


class Plain(nn.Module):
    """Plain 3x3 convolutions, LeakyReLU, a learned image-space residual, pixel shuffle.

    With ``fold`` 2 the body works at half the resolution on 2x2 pixels a position: a quarter
    of the positions for the same channels. Height and width must then be even.
    For ``padding`` see Note [Padding]. Raises ``UsageError`` for more than ``MOST_WEIGHTS``.
    """

    def __init__(
        self, *, scale: int, channels: int, layers: int, fold: int = 1, padding: str = "zero"
    ) -> None:
        super().__init__()
        self.scale, self.fold, self.padding = scale, fold, padding
        out = (scale * fold) ** 2
        weights = 9 * channels * (fold * fold + layers * channels + out)
        if weights > MOST_WEIGHTS:
            raise UsageError(
                f"a network of {channels} channels and {layers} layers has {weights:,} weights; "
                f"a model has at most {MOST_WEIGHTS:,}"
            )
        self.head = nn.Conv2d(fold * fold, channels, 3, padding=1)
        self.body: Any = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)
        )
        self.tail = nn.Conv2d(channels, out, 3, padding=1)
        reach = 2 if fold == 1 else 1
        self.skip = nn.Conv2d(fold * fold, out, 2 * reach + 1, padding=reach, bias=False)
        with torch.no_grad():
            self.skip.weight.copy_(bicubic_kernel(scale=scale, fold=fold))
            self.tail.weight.mul_(0.1)  # begin near bicubic
            for conv in (self.head, *self.body, self.tail):
                assert conv.bias is not None
                conv.bias.zero_()

    def forward(self, y: Tensor) -> Tensor:
        """``[n, 1, H, W] -> [n, 1, s*H, s*W]``."""
        return self.with_features(y)[0]

    def with_features(self, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The picture, and what the head and each body layer gave on the way to it."""
        image = fn.pixel_unshuffle(y, self.fold) if self.fold > 1 else y
        edge = self.padding == "edge"
        entry = _edge(image, self.reach) if edge else image
        features = [self._passed_on(_conv(self.head, entry, padded=edge))]
        with torch.autocast(y.device.type, torch.bfloat16, enabled=self.bf16_body):
            for conv in self.body:
                features.append(self._passed_on(_conv(conv, features[-1], padded=edge)))
        # The ends stay in float32: 8 bits of mantissa cannot hold code values.
        residual = _conv(self.tail, features[-1].float(), padded=edge)
        beside = _edge(image, self.skip.kernel_size[0] // 2) if edge else image
        skipped = _conv(self.skip, beside, padded=edge)
        return fn.pixel_shuffle(residual + skipped, self.scale * self.fold), features

    def _passed_on(self, made: Tensor) -> Tensor:
        """What a layer passes on of what its convolution made."""
        active: Tensor = fn.leaky_relu(made, SLOPE)
        return _rounded(active, self.bits) if self.bits else active

    @property
    def reach(self) -> int:
        """How many places of the (folded) picture the convolutions look around themselves."""
        return len(self.body) + 2

    bf16_body: bool = False
    """Whether the body is computed in bfloat16: faster on CPUs and GPUs with matrix units."""

    bits: int = 0
    """What layers pass on is rounded to so many bits, at the range of the batch; 0: not rounded.
    Of a network that learns alone. See Note [Bits]."""


def _rounded(image: Tensor, bits: int) -> Tensor:
    whole = image.float()
    step = (whole.amax() - whole.amin()).clamp_min(1e-8) / (2**bits - 1)
    steps = (whole / step).detach()
    rounded: Tensor = whole + step * (steps.round() - steps)
    return rounded.to(image.dtype)


def _conv(conv: nn.Conv2d, image: Tensor, *, padded: bool) -> Tensor:
    """A convolution; of what is ``padded`` already, only where the kernel has all its samples."""
    return fn.conv2d(image, conv.weight, conv.bias, padding=0) if padded else conv(image)


def _edge(image: Tensor, by: int) -> Tensor:
    return fn.pad(image, [by] * 4, mode="replicate").contiguous(memory_format=torch.channels_last)


def bicubic_kernel(*, scale: int, fold: int) -> Tensor:
    """Bicubic interpolation as a convolution, ``[(s*f)^2, f^2, k, k]``, k 5 or, folded, 3.

    An output sample (P, Q) of the shuffle by s*f belongs to input pixel (P // s, Q // s) of its
    block with phase (P % s, Q % s). See ``models/kernels.py`` for the phases.
    """
    weights = torch.from_numpy(kernels.phase_weights(scale, cosited=False)).float()  # [s, 5]
    if fold == 1:
        return torch.einsum("pi,qj->pqij", weights, weights).reshape(scale * scale, 1, 5, 5)
    line = torch.zeros(scale * fold, fold, 3)  # output place, input place in its block, block
    for place in range(scale * fold):
        for tap in range(5):
            block, inside = divmod(place // scale + tap - 2, fold)
            line[place, inside, block + 1] = weights[place % scale, tap]
    plane = torch.einsum("pia,qjb->pqijab", line, line)
    return plane.reshape((scale * fold) ** 2, fold * fold, 3, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One row of ``ARCHITECTURES``."""

    pattern: re.Pattern[str]
    """What its names look like, the groups being its integers, and its ``padding``."""

    build: Callable[..., Plain]
    """Called with ``scale`` and the named groups."""


ARCHITECTURES = {
    "plain": Architecture(
        pattern=re.compile(
            r"plain-(?P<channels>[1-9]\d{0,3})x(?P<layers>\d{1,4})"
            r"(?:-fold(?P<fold>2))?(?:-(?P<padding>edge))?"
        ),
        build=Plain,
    ),
}
"""By family. ``plain-16x6``: 16 channels, 6 body layers; ``-fold2``: on 2x2 pixels a position;
``-edge``: see Note [Padding]."""


def build(name: str, *, scale: int) -> Plain:
    """A new network of that architecture, with random weights. Raises ``UsageError``."""
    row, said = _found(name)
    return row.build(scale=scale, **said)


def fold_of(name: str) -> int:
    """How many pixels across a network works on at a position. Raises ``UsageError``."""
    fold: int = _found(name)[1].get("fold", 1)
    return fold


def _found(name: str) -> tuple[Architecture, dict[str, Any]]:
    """The row of an architecture, and what its name says."""
    for row in ARCHITECTURES.values():
        if found := row.pattern.fullmatch(name):
            said = {key: value for key, value in found.groupdict().items() if value}
            return row, {k: int(v) if v.isdecimal() else v for k, v in said.items()}
    raise UsageError(
        f"no architecture named {name!r}; names look like plain-16x6 "
        "(16 channels, 6 body layers), plain-16x6-fold2 or plain-16x6-edge"
    )


def macs(network: Plain) -> float:
    """Multiply-accumulates per low-resolution pixel and frame, convolutions only."""
    convs: list[nn.Conv2d] = [network.head, *network.body, network.tail, network.skip]
    return sum(conv.weight.numel() for conv in convs) / network.fold**2


def tier_of(network: Plain) -> str | None:
    """The lowest tier that allows what a network costs, None where it costs too much for any."""
    cost = macs(network) / network.scale**2
    return next((tier for tier, most in CEILINGS.items() if cost <= most), None)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
