"""Published networks and the independent statement of their protocol, from the shared data."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from support.shared import shared


def protocol() -> Any:
    """The module ``peers/protocol.py``: ``imresize``, ``rgb2y``, ``psnr_y``, ``ssim_y``."""
    where = shared("peers", "protocol.py")
    spec = spec_from_file_location("peers_protocol", where)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # The folder may be read-only, and is not ours to write caches into.
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
    return module
