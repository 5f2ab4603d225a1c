"""What is known of a video beside its frames: what a source tells and a sink is set up with."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from vidlift.color import ColorTags, Siting


@dataclass(frozen=True, slots=True, kw_only=True)
class MasteringDisplay:
    """The screen a picture was graded on (SMPTE ST 2086), exact as stored."""

    primaries: tuple[tuple[Fraction, Fraction], ...]
    """Chromaticities x, y of red, green and blue."""

    white: tuple[Fraction, Fraction]
    luminance: tuple[Fraction, Fraction]
    """Least and greatest, in candela per square metre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentLight:
    """Brightest pixel and brightest frame average (CTA-861.3), in candela per square metre."""

    max_content: int
    max_average: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What is known of a video before its last frame: what a sink is set up with."""

    width: int
    height: int
    bits: int
    """8 or 10: the depth of the frames the source gives, whatever the file stores."""

    layout: str
    """Sub-sampling: ``gray``, ``yuv420p``, ``yuv422p`` or ``yuv444p``."""

    codec: str
    """FFmpeg's name of the codec, ``raw`` where there is none."""

    time_base: Fraction
    """Unit of the stored timestamps, in seconds: every pts is a multiple of it."""

    rate: Fraction | None = None
    """Average frames per second, for progress and rate control; never for time."""

    frames: int | None = None
    """How many frames the file says it has; an estimate."""

    bit_rate: float | None = None
    """Bits a second that its pictures are stored in, as far as the file tells; an estimate."""

    quantizer: float | None = None
    """How coarsely the first picture was stored: the mean of its blocks on the codec's own scale,
    0 to 51 of H.264. None where the decoder does not tell, which is for all others."""

    duration: Fraction | None = None
    """How long the file says it is, in seconds; an estimate."""

    sar: Fraction = Fraction(1)
    color: ColorTags = field(default_factory=ColorTags)
    siting: Siting = Siting.LEFT
    display_matrix: tuple[int, ...] | None = None
    """Rotation and mirroring for display: nine numbers as in ISO 14496-12, or None."""

    interlaced: bool = False
    """Whether the stored pictures are; a source gives progressive ones all the same."""

    mastering: MasteringDisplay | None = None
    light: ContentLight | None = None

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits that a pixel of a stored picture takes on average; None where nobody knows."""
        if self.bit_rate is None or not self.rate:
            return None
        return self.bit_rate / float(self.rate) / (self.width * self.height)
