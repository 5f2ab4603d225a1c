"""Pictures of high dynamic range or wide gamut made fit for an ordinary screen: BT.709, SDR.

Done to the small picture, before the network: it is cheaper there, and networks learnt from SDR.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av

PQ, HLG = 16, 18
"""Transfer characteristics of high dynamic range, by H.273."""

BT2020 = 9
"""Primaries, and the matrix of non-constant luminance."""


class ToSdr:
    """Gives every picture as BT.709 that is tagged as HDR or BT.2020; others as they are.

    Times, size and pixel format stay. Bright light is rolled off, not cut off (FFmpeg's
    perceptual mapping), and wide colours of SDR are kept as far as BT.709 reaches. The first
    picture of a kind takes a second: a table of all colours is made, and kept.
    """

    def __init__(self, *, time_base: Fraction) -> None:
        """``time_base`` is that of pictures that have none of their own."""
        self._time_base = time_base
        self._graph: av.filter.Graph | None = None
        self._kind: tuple[object, ...] = ()

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        if not is_foreign(picture):
            return picture
        kind = (
            picture.format.name,
            picture.width,
            picture.height,
            int(picture.color_trc),
            int(picture.color_primaries),
            picture.time_base,
        )
        if self._graph is None or self._kind != kind:
            self._graph = _graph(picture, picture.time_base or self._time_base)
            self._kind = kind
        self._graph.push(picture)
        mapped: Any = self._graph.pull()
        found: av.VideoFrame = mapped
        return found


def is_foreign(picture: av.VideoFrame) -> bool:
    """Whether a picture is of another colour space than an ordinary screen."""
    return int(picture.color_trc) in (PQ, HLG) or BT2020 in (
        int(picture.color_primaries),
        int(picture.colorspace),
    )


def _graph(picture: av.VideoFrame, time_base: Fraction) -> av.filter.Graph:
    hdr = int(picture.color_trc) in (PQ, HLG)
    graph = av.filter.Graph()
    entry = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=time_base,
    )
    scale = graph.add(
        "scale",
        "out_color_matrix=bt709:out_primaries=bt709:out_transfer=bt709:out_range=tv:"
        f"intent={'perceptual' if hdr else 'relative_colorimetric'}",
    )
    fmt = graph.add("format", picture.format.name)
    leave = graph.add("buffersink")
    entry.link_to(scale)
    scale.link_to(fmt)
    fmt.link_to(leave)
    graph.configure()
    return graph
