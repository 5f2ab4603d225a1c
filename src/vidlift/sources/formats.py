"""Pixel formats: those taken as they are, and how the rest become one of them."""

from __future__ import annotations

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from vidlift.color import UNSPECIFIED, ColorTags, Range
from vidlift.errors import InputError

FORMATS = {
    "gray": ("gray", 8),
    "yuv420p": ("yuv420p", 8),
    "yuv422p": ("yuv422p", 8),
    "yuv444p": ("yuv444p", 8),
    "yuvj420p": ("yuv420p", 8),
    "yuvj422p": ("yuv422p", 8),
    "yuvj444p": ("yuv444p", 8),
    "gray10le": ("gray", 10),
    "yuv420p10le": ("yuv420p", 10),
    "yuv422p10le": ("yuv422p", 10),
    "yuv444p10le": ("yuv444p", 10),
}
"""Pixel formats taken as they are, in FFmpeg's names: our layout and depth."""

RGB_BECOMES = ColorTags(matrix=1, range=Range.STUDIO)
"""What R'G'B' is converted to: BT.709, studio range. Its primaries and transfer stay."""


def nearest_format(fmt: av.VideoFormat) -> str:
    """The format of ``FORMATS`` that loses least, ``fmt`` itself where it is one of them.

    In a picture one sample across or down chroma has as many as luma: half of one is one.
    """
    thin = len(fmt.components) > 2 and 1 in (fmt.width, fmt.height)
    if fmt.name in FORMATS and not thin:
        return fmt.name
    deep = "10le" if max(component.bits for component in fmt.components) > 8 else ""
    if _is_rgb(fmt):
        return f"yuv444p{deep}"
    if len(fmt.components) <= 2:
        return f"gray{deep}"
    if thin:
        return f"yuv444p{deep}"
    across, down = fmt.chroma_width(64) < 64, fmt.chroma_height(64) < 64
    return f"yuv{'420' if down else '422' if across else '444'}p{deep}"


_STILLS = ("mjpeg", "jpegls", "jpeg2000", "tiff", "bmp", "targa", "sgi", "pam", "pgm", "webp")
"""Codecs of pictures, of full range where FFmpeg gives them none, as it does not to grey ones."""


class Converter:
    """Brings the pictures of a stream to the size and format of its first one.

    Most are of that kind already and come back as they are. The rest (other depths, R'G'B',
    pictures whose size changes on the way) go through FFmpeg's scaler. For one thread.
    """

    def __init__(self, first: av.VideoFrame, *, codec: str, name: str) -> None:
        """``codec`` is FFmpeg's name of what made them, ``name`` what errors call the input."""
        self.format = nearest_format(first.format)
        self.size = (first.width, first.height)
        self._untagged = Range.FULL if codec in _STILLS else Range.UNKNOWN
        self._name = name
        self._scaler = VideoReformatter()

    @property
    def layout(self) -> str:
        return FORMATS[self.format][0]

    @property
    def bits(self) -> int:
        return FORMATS[self.format][1]

    def tags(self, picture: av.VideoFrame) -> ColorTags:
        """The tags of a picture once it is in the nearest format."""
        rgb = _is_rgb(picture.format)
        return ColorTags(
            matrix=RGB_BECOMES.matrix if rgb else int(picture.colorspace) or UNSPECIFIED,
            primaries=int(picture.color_primaries),
            transfer=int(picture.color_trc),
            range=RGB_BECOMES.range if rgb else self._range(picture),
        )

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        kind = FORMATS.get(picture.format.name)
        if kind == FORMATS[self.format] and (picture.width, picture.height) == self.size:
            return picture
        rgb = _is_rgb(picture.format)
        kept = ColorRange.JPEG if self._range(picture) is Range.FULL else ColorRange.MPEG
        try:
            return self._scaler.reformat(
                picture,
                *self.size,
                format=self.format,
                # Of Y'CbCr only depth, sub-sampling and size change: to and fro are the same.
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG if rgb else kept,
                dst_color_range=ColorRange.MPEG if rgb else kept,
                interpolation=Interpolation.BICUBIC,
            )
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{self._name}: pictures in the format {picture.format.name} are not supported"
            ) from error

    def _range(self, picture: av.VideoFrame) -> Range:
        if picture.format.name.startswith("yuvj"):
            return Range.FULL
        return Range(int(picture.color_range) or self._untagged.value)


def _is_rgb(fmt: av.VideoFormat) -> bool:
    return fmt.is_rgb or fmt.has_palette
