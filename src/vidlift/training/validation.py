"""How good a network is on pictures that it did not learn from: what choices are made on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from vidlift import metrics
from vidlift.training.pictures import Picture


def psnr(network: nn.Module, held_out: Sequence[Picture], *, device: str = "cpu") -> float:
    """Mean PSNR-Y in dB over pictures, ``scale`` samples of the border cut off.

    A picture that comes out whole counts as ``metrics.CEILING``. There is to be one at least, and
    something inside the border of each.
    """
    found = []
    with torch.no_grad():
        for picture in held_out:
            low = torch.from_numpy(picture.low)[None, None].to(device).float() / 255
            high = torch.from_numpy(picture.high)[None, None].to(device).float()
            made = (network(low) * 255).round().clamp(0, 255)
            cut = picture.high.shape[0] // picture.low.shape[0]
            error = (made - high)[..., cut:-cut, cut:-cut].square().mean()
            apart = 10 * math.log10(255 * 255 / max(float(error), 1e-10))
            found.append(min(metrics.CEILING, apart))
    return sum(found) / len(found)
