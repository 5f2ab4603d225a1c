"""A receipt as a short table for people; ``--report`` has all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vidlift.cli.console import plain_table, print_table, verbatim
from vidlift.receipt import Receipt


def print_receipt(receipt: Receipt) -> None:
    """Print it on stdout: what was done, how fast, what was skipped and why."""
    table = plain_table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(receipt):
        table.add_row(name, verbatim(value))
    print_table(table)


def _rows(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "input", receipt.input
    if receipt.output:
        yield "output", receipt.output
    yield "size", f"{_size(receipt.size_in)} → {_size(receipt.size_out)}, {receipt.scale} times"
    if receipt.model:
        yield "model", f"{receipt.model} on {receipt.engine}"
    if receipt.extra.get("chosen_for"):
        yield "chosen for", receipt.extra["chosen_for"]
    yield "frames", f"{receipt.frames_in} in, {receipt.frames_out} out"
    if receipt.bypassed:
        yield "bypassed", _reasons(receipt.bypassed)
    if receipt.dropped:
        yield "dropped", _reasons(receipt.dropped)
    if receipt.extra.get("resumed_frames"):
        yield "resumed", f"{receipt.extra['resumed_frames']} of them were there from earlier runs"
    yield "speed", f"{receipt.fps:.1f} frames/s over {receipt.seconds:.1f} s"
    for stage, time in receipt.stages.items():
        yield stage, f"{time.median_ms:.1f} ms, 95 of 100 within {time.p95_ms:.1f} ms"
    skew = receipt.extra.get("skew_ms")
    if skew:
        yield (
            "skew",
            f"{skew['p50']:.1f} ms off the {receipt.extra['clock']} clock, "
            f"95 of 100 within {skew['p95']:.1f} ms, {skew['max']:.1f} ms at most",
        )
    if receipt.extra.get("bytes_received"):
        yield "received", f"{receipt.extra['bytes_received'] / 1e6:.2f} MB"
    if receipt.peak_memory_mb is not None:
        yield "memory", f"{receipt.peak_memory_mb:.0f} MB at most"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
