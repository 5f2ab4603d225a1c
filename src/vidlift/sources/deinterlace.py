"""One whole picture for each pair of fields, where a stream is interlaced."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av


def progressive(
    pictures: Iterator[av.VideoFrame], *, time_base: Fraction
) -> Iterator[av.VideoFrame]:
    """Deinterlace pictures marked as interlaced, one out for one in, times unchanged (bwdif).

    Nothing is done, and no picture is held back, before the first that is marked. ``time_base``
    is that of pictures that have none of their own.
    """
    graph: av.filter.Graph | None = None
    kind: tuple[object, ...] = ()
    for picture in pictures:
        if graph is None and not picture.interlaced_frame:
            yield picture
            continue
        if kind != (kind := (picture.format.name, picture.width, picture.height)):
            if graph is not None:
                yield from _flush(graph)
            graph = _bwdif(picture, time_base)
        assert graph is not None
        graph.push(picture)
        yield from _pull(graph)
    if graph is not None:
        yield from _flush(graph)


def _bwdif(picture: av.VideoFrame, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    entry = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=picture.time_base or time_base,
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    leave = graph.add("buffersink")
    entry.link_to(bwdif)
    bwdif.link_to(leave)
    graph.configure()
    return graph


def _flush(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    graph.push(None)
    yield from _pull(graph)


def _pull(graph: Any) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return
