"""Judging receipts by their schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from support.shared import ROOT
from vidlift.receipt import Receipt


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "docs" / "receipt.schema.json").read_text())
    return loaded


def check_receipt(receipt: Receipt | dict[str, Any] | str) -> dict[str, Any]:
    """Fail unless a receipt, or its JSON, is as the schema says; returns it as JSON reads it."""
    if isinstance(receipt, Receipt):
        receipt = receipt.to_json()
    if isinstance(receipt, str):
        receipt = json.loads(receipt, parse_constant=_no_number)
    assert isinstance(receipt, dict)
    jsonschema.Draft202012Validator(schema()).validate(receipt)
    return receipt


def _no_number(word: str) -> float:
    raise AssertionError(f"{word} is not JSON")
