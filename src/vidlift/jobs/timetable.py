"""When the frames of a finished picture are decoded, in a file that players show right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def timetable(coded: NDArray[np.int64], *, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Durations and decoding times of frames, from their pts in order of decoding.

    ISO files store, for each sample in order of decoding, how long until the next is decoded, and
    readers take that for how long the sample is *shown*. So decoding times are laid out such that
    both are the same, and begin early enough for no frame to be shown before it is decoded.
    ``end`` is when the last frame stops being shown, in the unit of ``coded``.
    """
    shown = np.sort(coded)
    places = np.searchsorted(shown, coded)
    lasting = np.diff(np.append(shown, end))
    usual, least = int(np.median(lasting)), int(lasting.min())
    for longest in (int(lasting.max()), 4 * usual, least):
        decoded = _decoded(shown, places, np.minimum(lasting, max(1, longest)))
        if coded[0] - decoded[0] <= _MOST_REORDERED * usual and _mov_keeps(coded, decoded):
            break
    return lasting[places], decoded


_MOST_REORDERED = 16
"""Frames that a codec may decode before the first of them is shown."""


def _decoded(
    shown: NDArray[np.int64], places: NDArray[np.int64], lasting: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Decoding times for frames that last as said, with what is missing put where it is missing.

    A pause among frames that are decoded in another order would have all frames before it decoded
    that much earlier. So it is cut out, times are laid out for what is left, and it is put back.
    Where all frames last the same, each is decoded when the one some places before it is shown.
    """
    squeezed = np.concatenate([[0], np.cumsum(lasting)[:-1]])
    since_start = np.concatenate([[0], np.cumsum(lasting[places])[:-1]])
    decoded: NDArray[np.int64] = since_start + np.min(squeezed[places] - since_start)
    at = np.maximum(np.searchsorted(squeezed, decoded, side="right") - 1, 0)
    back: NDArray[np.int64] = (shown - squeezed)[at]
    return decoded + back


def _mov_keeps(coded: NDArray[np.int64], decoded: NDArray[np.int64]) -> bool:
    """Whether FFmpeg's mov muxer starts the track when its first frame is shown.

    Where that is after zero it reckons by the least wait between decoding and showing, of all
    frames that are decoded at zero or before, and means it to be the first frame's.
    """
    waits = (coded - decoded)[decoded <= 0]
    return bool(coded[0] <= 0 or (waits >= coded[0] - decoded[0]).all())
