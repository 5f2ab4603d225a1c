"""The batches of a run: a function of seed and step, whatever cuts them and for how many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

import torch

from support.pictures import make_pictures
from vidlift.errors import UsageError
from vidlift.training import patches, pictures
from vidlift.training.patches import Batch, CutPatches, GatheredPatches, Places
from vidlift.training.pictures import Picture
from vidlift.training.ranks import Ranks


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "a", count=3)
    make_pictures(folder / "b", count=2, side=100)
    return pictures.load([folder], scale=2)


def places(found: list[Picture], *, seed: int = 5, patch: int = 16, batch: int = 4) -> Places:
    return Places(found, scale=2, patch=patch, batch=batch, seed=seed)


def equal(a: Batch, b: Batch) -> bool:
    assert (a.taught is None) == (b.taught is None)
    return all(
        torch.equal(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None
    )


def test_a_batch_is_a_function_of_seed_and_step(found: list[Picture]) -> None:
    a, b = (CutPatches(places(found))(9) for _ in range(2))
    assert equal(a, b)
    assert not equal(a, CutPatches(places(found))(10))
    assert not equal(a, CutPatches(places(found, seed=6))(9))


def test_the_first_places_of_a_seed_stay_what_they_are(found: list[Picture]) -> None:
    # Runs go on from checkpoints of earlier versions: what is drawn may not change.
    drawn = [tuple(place) for place in places(found, seed=1)(0)]
    assert drawn == FIRST_PLACES


FIRST_PLACES = [(3, 10, 19, 2), (4, 14, 0, 6), (0, 17, 15, 2), (4, 14, 18, 3)]


def test_patches_of_both_sizes_show_the_same(found: list[Picture]) -> None:
    low, high, _ = CutPatches(places(found, patch=24, batch=8))(0)
    shrunk = torch.nn.functional.avg_pool2d(high, 2)
    assert float((shrunk - low).abs().mean()) < 0.03


@pytest.mark.parametrize("with_teacher", [False, True], ids=["pictures", "taught"])
def test_what_a_gpu_gathers_is_what_a_cpu_cuts(found: list[Picture], with_teacher: bool) -> None:
    if with_teacher:
        found = [replace(p, taught=np.uint8(255) - p.high) for p in found]
    drawn = places(found, batch=24)
    cut, gathered = CutPatches(drawn), GatheredPatches(drawn, device="cpu")
    for step in range(4):
        assert equal(cut(step), gathered(step))


def test_the_shares_of_the_processes_are_the_batch(found: list[Picture]) -> None:
    whole = CutPatches(places(found, batch=6))(3)
    shares = [
        CutPatches(places(found, batch=6), ranks=Ranks(rank=rank, world=3))(3) for rank in range(3)
    ]
    assert torch.equal(torch.cat([share.low for share in shares]), whole.low)
    assert torch.equal(torch.cat([share.high for share in shares]), whole.high)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(found: list[Picture]) -> None:
    with pytest.raises(UsageError, match="batch of 4 cannot be shared evenly by 3"):
        patches.on_device(found, scale=2, patch=16, batch=4, seed=1, ranks=Ranks(rank=0, world=3))
