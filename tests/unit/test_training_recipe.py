"""What a recipe may say; what would break a run, or be written elsewhere, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs `vidlift[train]`")

from support import trained
from support.cli import vidlift
from vidlift.errors import UsageError
from vidlift.training import architectures, checkpoint, recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.toml"))

WHOLE = {
    "name": '"t"',
    "tier": '"s"',
    "scale": "2",
    "architecture": '"plain-4x1"',
    "pictures": '["."]',
    "steps": "1",
}


def written(where: Path, **changes: str) -> Path:
    where.write_text("".join(f"{key} = {value}\n" for key, value in {**WHOLE, **changes}.items()))
    return where


@pytest.mark.parametrize("where", RECIPES, ids=lambda where: where.stem)
def test_recipes_of_ours_are_right(where: Path) -> None:
    assert recipe.read(where).name


WRONG = [
    ("rate", "nan"),
    ("rate", "inf"),
    ("rate", "1" + "0" * 400),
    ("feature_share", "nan"),
    ("shrink", "nan"),
    ("clip", "-1"),
    ("clip", "inf"),
    ("ema", "2"),
    ("ema", "-5"),
    ("ema", "nan"),
    ("warmup", "-5"),
    ("bits", "-1"),
    ("bits", "17"),
    ("seed", "-1"),
    ("seed", "18446744073709551616"),
    ("title_crf", "-9"),
    ("title_crf", "99"),
    ("packs", "[1]"),
    ("through", "[1]"),
    ("architecture", '"plain-0x0"'),
    ("architecture", '"plain-0x2"'),
    ("architecture", '"plain-' + 5000 * "1" + 'x1"'),
    ("name", '""'),
    ("name", '"../../evil"'),
    ("name", '".hidden"'),
    ("name", '"a/b"'),
    ("name", '"a\\n"'),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda value: value[:24])
def test_a_value_that_cannot_be_is_refused(tmp_path: Path, key: str, value: str) -> None:
    ended = vidlift("model", "train", written(tmp_path / "r.toml", **{key: value}))
    assert ended.code == 2
    assert key in ended.complaint


def test_a_patch_has_whole_blocks(tmp_path: Path) -> None:
    folded = {"architecture": '"plain-4x1-fold2"'}
    ended = vidlift("model", "train", written(tmp_path / "r.toml", patch="15", **folded))
    assert ended.code == 2
    assert "patch is a multiple of 2, got 15" in ended.complaint
    assert recipe.read(written(tmp_path / "r.toml", patch="16", **folded)).patch == 16


@pytest.mark.parametrize(
    ("architecture", "tier", "wanted"),
    [
        ("plain-16x6", "m", None),
        ("plain-16x6", "xl", None),
        ("plain-16x6", "s", "m"),
        ("plain-64x16", "xl", None),
        ("plain-64x16", "l", "xl"),
    ],
)
def test_a_tier_is_no_lower_than_what_a_network_costs(
    tmp_path: Path, architecture: str, tier: str, wanted: str | None
) -> None:
    changes = {"architecture": f'"{architecture}"', "tier": f'"{tier}"', "scale": "4"}
    where = written(tmp_path / "r.toml", **changes)
    if wanted is None:
        assert recipe.read(where).tier == tier
        return
    with pytest.raises(UsageError, match=f"output pixel.*it is of tier {wanted}"):
        recipe.read(where)


def test_what_is_at_the_edge_is_taken(tmp_path: Path) -> None:
    edge = {"seed": "18446744073709551615", "ema": "1", "warmup": "0", "title_crf": "51"}
    assert recipe.read(written(tmp_path / "r.toml", **edge)).ema == 1
    assert len(architectures.build("plain-8x0", scale=2).body) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot read the recipe", id="missing"),
        pytest.param(b'name = "\xff\xfe"\n', "UTF-8", id="no text"),
        pytest.param(b'name = "t', "is not TOML", id="torn"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_an_input_that_cannot(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    where = tmp_path / "r.toml"
    if content is not None:
        where.write_bytes(content)
    for command in (("train",), ("distill", "--teacher", "s-x2")):
        ended = vidlift("model", *command, where)
        assert ended.code == 3
        assert said in ended.complaint


@pytest.mark.parametrize("name", ["../out", "", "a/b"])
def test_an_export_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    state = trained.checkpoint_of(
        architectures.build("plain-4x1", scale=2), "plain-4x1", scale=2, name="t"
    )
    checkpoint.save(tmp_path / checkpoint.FILE, state)
    ended = vidlift("model", "export", tmp_path, tmp_path / "in", "--name", name)
    assert ended.code == 2
    assert "does not begin with a dot" in ended.complaint
    assert [each.name for each in tmp_path.iterdir()] == [checkpoint.FILE]


def test_a_tuned_model_has_a_name_of_that_kind(tmp_path: Path) -> None:
    from vidlift.training import tune

    for name in ("../up", ""):
        with pytest.raises(UsageError, match="does not begin with a dot"):
            tune.recipe_for("s-x2", [tmp_path / "film.mkv"], crf=28, name=name)
