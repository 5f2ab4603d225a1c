"""Receipts are as the schema says."""

from __future__ import annotations

import json
import math
from array import array
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.receipts import check_receipt, schema
from vidlift.errors import OutputError
from vidlift.pipeline import Meter
from vidlift.receipt import Receipt, StageTime, stage_times


def receipt(**changes: Any) -> Receipt:
    values: dict[str, Any] = {
        "command": "upscale",
        "input": "a.mp4",
        "output": "b.mp4",
        "model": "m-x4",
        "model_sha256": "0" * 64,
        "engine": "openvino 2026.4.1 cpu f32",
        "scale": 4,
        "size_in": (480, 270),
        "size_out": (1920, 1080),
        "frames_in": 48,
        "frames_out": 48,
        "seconds": 2.0,
        "fps": 24.0,
    }
    return Receipt(**{**values, **changes})


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_schema_has_every_field_and_no_other() -> None:
    names = {field.name for field in fields(Receipt)}
    assert set(schema()["properties"]) == names
    assert set(schema()["required"]) == names


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": None, "model_sha256": None, "engine": None, "scale": 1, "output": None},
        {"bypassed": {"too slow": 3}, "dropped": {"late": 1}, "warnings": ("no subtitles",)},
        {"stages": {"decode": StageTime(median_ms=1.5, p95_ms=3, items=48)}},
        {"extra": {"gain": 1.2, "by": {"name": [1, 2]}}},
    ],
)
def test_receipts_are_as_it_says(changes: dict[str, Any]) -> None:
    found = check_receipt(receipt(**changes))
    assert found["versions"]["vidlift"]
    assert found["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    "changes",
    [{"scale": 5}, {"model_sha256": "abc"}, {"frames_out": -1}, {"size_in": (1, 2, 3)}],
)
def test_the_schema_refuses(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_receipt(receipt(**changes))


def test_what_is_no_number_becomes_null() -> None:
    """PSNR of equal pictures is infinite, for which JSON has no word."""
    found = check_receipt(receipt(extra={"psnr": math.inf, "each": [1.0, math.nan]}))
    assert found["extra"] == {"psnr": None, "each": [1.0, None]}


def test_stages_are_summed_up() -> None:
    meter = Meter()
    for milliseconds in range(1, 101):
        meter.seconds.setdefault("decode", _array()).append(milliseconds / 1000)
    found = stage_times(meter)["decode"]
    assert (found.median_ms, found.items) == (50.5, 100)
    assert found.p95_ms == pytest.approx(95.05, abs=0.01)


def test_it_is_saved_as_json(tmp_path: Path) -> None:
    where = tmp_path / "r.json"
    receipt().save(where)
    assert json.loads(where.read_text())["frames_in"] == 48


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write the report .*: No such file"):
        receipt().save(tmp_path / "gone" / "r.json")


def _array() -> array[float]:
    return array("f")
