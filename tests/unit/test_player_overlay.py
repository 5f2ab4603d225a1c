"""What lies over the film, as pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vidlift.player import overlay
from vidlift.player.controls import key_list

AREA = (1280, 720)


def test_the_list_of_keys_is_as_large_as_there_is_room() -> None:
    keys = list(key_list())
    whole = overlay.panel(keys, size=20)
    again = overlay.panel(keys, size=20, room=(1240, 690))
    assert again.shape == whole.shape, "it fits at 720 lines"
    beside = overlay.panel(keys, size=14, room=(900, 400))
    assert beside.shape[1] > whole.shape[1], "two parts side by side"


def test_the_bar_grows_with_the_film() -> None:
    def blue(share: float) -> int:
        pixels = overlay.bar(share, "0:01 / 1:40", area=AREA).astype(int)
        return int(np.sum((pixels[..., 2] > 200) & (pixels[..., 0] < 120)))

    assert blue(0) < blue(0.3) < blue(0.9)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (125, "2:05"), (3661, "1:01:01"), (-3, "0:00")],
)
def test_clock_text(seconds: float, text: str) -> None:
    assert overlay.clock_text(seconds) == text
