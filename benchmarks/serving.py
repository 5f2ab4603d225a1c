"""How fast does a library leave this machine? With our server and with nginx, on loopback.

    python benchmarks/serving.py [--seconds 10]

Needs ``wrk`` and, for the comparison, ``nginx`` (Debian: ``apt-get install wrk nginx-light``).
First 64 connections ask for segments of a usual size (100 kB) as fast as they are answered, then
for small lists; then 200 players, each on a connection of its own, fetch lists and a segment every
four seconds. Memory is that of all the server's processes before and after each. Server, load and
players share this machine's cores; ours is one process, nginx has a worker a core.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from vidlift.evaluation import machine, script, tables

RESULTS = Path(__file__).with_name("results")
SEGMENT = 100_000
SEGMENT_SECONDS = 4.0
SEGMENTS = 50
CONNECTIONS = 64
PLAYERS = 200

TITLE = "/film/0123456789ab"
LIST = f"{TITLE}/270p/index.m3u8"

Server = AbstractContextManager[tuple[int, int]]
"""Gives the port and the process."""


def main() -> None:
    """Measure each server and keep the figures and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=script.count, default=10)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    found: dict[str, Any] = {"machine": machine.about()}
    with TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        _fill(library)
        servers: dict[str, Callable[[], Server]] = {"uvicorn": lambda: _ours(library)}
        if shutil.which("nginx"):
            servers["nginx"] = lambda: _nginx(library, Path(folder))
        found["servers"] = {name: _measure(s(), chosen.seconds) for name, s in servers.items()}
    chosen.results.mkdir(parents=True, exist_ok=True)
    (chosen.results / "serving.json").write_text(json.dumps(found, indent=2) + "\n")
    page = _page(found)
    (chosen.results / "serving.md").write_text(page)
    print(page)  # noqa: T201


def _fill(library: Path) -> None:
    """A title of one rung."""
    rung = library / TITLE[1:] / "270p"
    rung.mkdir(parents=True)
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SEGMENT_SECONDS:.0f}"]
    for index in range(SEGMENTS):
        (rung / f"{index:05d}.m4s").write_bytes(bytes(SEGMENT))
        lines += [f"#EXTINF:{SEGMENT_SECONDS},", f"{index:05d}.m4s"]
    (rung / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")


def _measure(server: Server, seconds: int) -> dict[str, Any]:
    with server as (port, process):
        base = f"http://127.0.0.1:{port}"
        segment = f"{base}{TITLE}/270p/00000.m4s"
        _wrk(segment, 2)
        memory = [_memory_mb(process)]
        segments = _wrk(segment, seconds)
        lists = _wrk(base + LIST, max(2, seconds // 2))
        memory.append(_memory_mb(process))
        players = _play(port, 2 * seconds)
        memory.append(_memory_mb(process))
    return {
        "segments_per_second": round(segments, 1),
        "megabytes_per_second": round(segments * SEGMENT / 1e6, 1),
        "lists_per_second": round(lists, 1),
        "memory_mb": dict(zip(("warm", "after_load", "after_players"), memory, strict=True)),
        "players": players,
    }


def _wrk(url: str, seconds: int) -> float:
    """Answers a second."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    assert "Socket errors" not in done.stdout, done.stdout
    return float(found[1])


def _play(port: int, seconds: int) -> dict[str, Any]:
    """Players at the level of HTTP: how long their segments took, and how many came too late."""
    took: list[float] = []
    failed: list[str] = []

    def player(number: int) -> None:
        time.sleep(SEGMENT_SECONDS * number / PLAYERS)
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            listed = _get(connection, LIST).decode().splitlines()
            files = [line for line in listed if line and not line.startswith("#")]
            for index in range(max(1, round(seconds / SEGMENT_SECONDS))):
                begun = time.monotonic()
                file = files[(number + index) % len(files)]
                assert len(_get(connection, f"{TITLE}/270p/{file}")) == SEGMENT
                spent = time.monotonic() - begun
                took.append(spent)
                time.sleep(max(0.0, SEGMENT_SECONDS - spent))
        except (OSError, AssertionError) as error:
            failed.append(repr(error))
        finally:
            connection.close()

    threads = [Thread(target=player, args=(number,)) for number in range(PLAYERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(took, n=100)
    return {
        "count": PLAYERS,
        "segments": len(took),
        "failed": len(failed),
        "late": sum(spent > SEGMENT_SECONDS for spent in took),
        "ms_median": round(1000 * cuts[49], 1),
        "ms_99th": round(1000 * cuts[98], 1),
        "ms_longest": round(1000 * max(took), 1),
    }


def _get(connection: HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, answer.status
    return body


@contextmanager
def _ours(library: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    program = [sys.executable, "-c", "from vidlift.cli import run; run()"]
    command = [*program, "cloud", "serve", str(library), "--port", str(port), "--no-log"]
    with _running(command, port) as process:
        yield port, process


@contextmanager
def _nginx(library: Path, folder: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    text = (
        f"daemon off; pid {folder}/pid; worker_processes auto; user root;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ sendfile on; access_log off; server {{ listen 127.0.0.1:{port}; "
        f"root {library}; }} }}\n"
    )
    file = folder / "nginx.conf"
    file.write_text(text)
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")]
    with _running(command, port) as process:
        yield port, process


@contextmanager
def _running(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def _memory_mb(process: int) -> float:
    """What a process and its children hold."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    pages = [int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in (process, *children)]
    return round(sum(pages) * 4096 / 1e6, 1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _page(found: dict[str, Any]) -> str:
    lines = [
        "# Serving a library",
        "",
        f"{tables.machine(found['machine'])}Server and load share its cores. Segments of",
        f"{SEGMENT // 1000} kB and lists of some kB over {CONNECTIONS} connections; then",
        f"{PLAYERS} players, each a segment every {SEGMENT_SECONDS:.0f} s.",
        "",
        "| | segments/s | MB/s | lists/s | players: late of | median, 99th, longest ms | MB held |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in found["servers"].items():
        players = row["players"]
        times = (players["ms_median"], players["ms_99th"], players["ms_longest"])
        lines.append(
            f"| {name} | {row['segments_per_second']:.0f} | {row['megabytes_per_second']:.0f} | "
            f"{row['lists_per_second']:.0f} | "
            f"{players['late'] + players['failed']} of {players['segments']} | "
            f"{', '.join(f'{t:.0f}' for t in times)} | "
            f"{' → '.join(f'{mb:.0f}' for mb in row['memory_mb'].values())} |"
        )
    lines += ["", "MB held: when warm, after the load, after the players."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    script.run(main)
