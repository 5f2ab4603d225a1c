"""Which of a tier's networks a stream is given, and why.

What a codec leaves must not be sharpened: on a stream that it hurt, a network that has seen such
streams is better, and one that has seen none but the worst on the worst. On one that it hardly
touched, the network trained on pictures is. How much a codec left shows in the bits that a
low-resolution pixel got: the more, the cleaner; and, where a decoder tells it, in how coarsely they
were rounded, which is the surer sign of rich pictures: those get many bits however hurt they are.
``benchmarks/auto.py`` finds the limits on held-out clips.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidlift import models
from vidlift.descriptor import TIERS
from vidlift.errors import ModelError
from vidlift.models import family
from vidlift.models.family import Training

AUTO = "auto"
"""What stands for a name where the network is chosen by the stream."""

DEFAULT_TIER = "m"

LIMITS = {"h264": 0.48, "hevc": 0.25, "vp9": 0.36, "av1": 0.74}
"""Bits per low-resolution pixel from which a stream of that codec counts as clean."""

LOW = {"h264": 0.14, "hevc": 0.07, "vp9": 0.13, "av1": 0.11}
"""Bits per low-resolution pixel below which such a stream counts as low."""

COARSE = {"h264": 28.2}
"""Mean quantiser of the first picture from which such a stream counts as low as well."""

OLDER = 1.5
OLDER_LOW = 0.2
"""The same two for other codecs that lose something: they are older, and need more."""

WHOLE = frozenset(
    {"raw", "rawvideo", "v210", "ffv1", "ffvhuff", "huffyuv", "utvideo", "magicyuv", "lagarith"}
    | {"qtrle", "png", "apng", "bmp", "tiff", "ppm", "pgm", "gif"}
)
"""Codecs that lose nothing, by FFmpeg's names."""

EDITED = frozenset({"prores", "dnxhd", "cfhd", "jpeg2000", "vc3"})
"""Codecs for cutting and keeping: every frame for itself, at many bits a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is known of how pictures were stored."""

    codec: str
    """FFmpeg's name."""

    bits_per_pixel: float | None = None
    """Of a stored picture; None where it is not known."""

    quantizer: float | None = None
    """Of the first picture, as ``VideoInfo.quantizer`` has it; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A network that was chosen by the stream."""

    name: str
    reason: str
    """Why, in words, for receipts."""


def training_for(stream: Stream | None) -> tuple[Training, str]:
    """Which training suits a stream, and why.

    None means pictures that went through no codec as far as anyone knows.
    """
    if stream is None:
        return Training.CLEAN, "pictures, not a stream"
    codec, bits = stream.codec, stream.bits_per_pixel
    if codec in WHOLE:
        return Training.CLEAN, f"{codec} loses nothing"
    if codec in EDITED:
        return Training.CLEAN, f"{codec} hardly loses anything"
    said = f"{codec} of an unknown bit rate"
    if bits is not None:
        said = f"{codec} at {bits:.2f} bits a pixel"
        if bits >= (limit := LIMITS.get(codec, OLDER)):
            return Training.CLEAN, f"{said}, clean: from {limit:g} on"
        if bits < (limit := LOW.get(codec, OLDER_LOW)):
            return Training.LOW, f"{said}, low: below {limit:g}"
    coarse = COARSE.get(codec)
    if stream.quantizer is not None and coarse is not None and stream.quantizer >= coarse:
        return Training.LOW, f"{said}, quantiser {stream.quantizer:.3g}, low: from {coarse:g} on"
    return Training.CODED, f"{said}, coded"


def choose(stream: Stream | None, *, scale: int, tier: str = DEFAULT_TIER) -> Choice:
    """The network of a tier for a stream. Raises ``ModelError`` where that tier has none."""
    training, reason = training_for(stream)
    found = family.members(models.names(), tier=tier, scale=scale, training=training)
    if not found:
        raise ModelError(f"there is no network of tier {tier} for scale {scale}")
    member = family.parse(found[0])
    assert member is not None
    if member.training is not training:
        reason += f"; none of tier {tier} was trained for that alone"
    return Choice(name=found[0], reason=reason)


def tiers(scale: int) -> list[str]:
    """The tiers that a scale has networks of."""
    shipped = [member for name in models.names() if (member := family.parse(name))]
    return [t for t in TIERS if any((m.tier, m.scale) == (t, scale) for m in shipped)]
