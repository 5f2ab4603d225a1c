"""Frames of a video file, or of anything that gives its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vidlift.frame import Frame
from vidlift.sources import decode
from vidlift.sources.pictures import Pictures
from vidlift.video import VideoInfo


class FileSource:
    """Decodes the main video stream. See ``Source`` for what it promises.

    A packet that cannot be decoded is passed over and counted in ``lost``, as is a picture whose
    timestamp does not go forward.
    """

    def __init__(self, where: str | Path | BinaryIO, *, name: str | None = None) -> None:
        """Opens the file and decodes its first picture, so that ``info`` is known.

        ``name`` is what errors call it, its path unless said.
        """
        self.name = name or str(where)
        self._container = decode.open_container(where, name=self.name)
        try:
            stream = decode.video_stream(self._container, name=self.name)
            packets = self._container.demux(stream)
            self._pictures = Pictures(stream, packets, name=self.name)
        except BaseException:
            self._container.close()
            raise

    @property
    def info(self) -> VideoInfo:
        return self._pictures.info

    @property
    def lost(self) -> dict[str, int]:
        return self._pictures.lost

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._pictures)

    def close(self) -> None:
        self._pictures.close()
        self._container.close()
