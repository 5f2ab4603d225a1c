"""How fast does a library leave this machine? With our server and with nginx, on loopback.

    python benchmarks/serving.py [--seconds 10]

Needs ``wrk`` and, for the comparison, ``nginx`` (Debian: ``apt-get install wrk nginx-light``).
Measures segments of a usual size (100 kB) with 64 connections, the server's memory before and
after, and 200 players that fetch a segment every four seconds from both kinds of list. Server,
load and players share this machine's cores.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from vidlift.client.download import Download
from vidlift.client.web import Web
from vidlift.evaluation.machine import about

RESULTS = Path(__file__).with_name("results")
SEGMENT = 100_000
CONNECTIONS = 64
PLAYERS = 200
SEGMENT_SECONDS = 4.0


def main() -> None:
    """Measure each server and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    found: dict[str, Any] = {"command": "python benchmarks/serving.py", "machine": about()}
    with TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        rung = library / "film" / "0123456789ab" / "270p"
        rung.mkdir(parents=True)
        for index in range(50):
            (rung / f"{index:05d}.m4s").write_bytes(bytes(SEGMENT))
        found["uvicorn"] = _measure(_ours(library), seconds)
        if shutil.which("nginx"):
            found["nginx"] = _measure(_nginx(library, Path(folder)), seconds)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "serving.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))  # noqa: T201


def _measure(server: Any, seconds: int) -> dict[str, Any]:
    with server as (base, pid):
        url = f"{base}/film/0123456789ab/270p/00000.m4s"
        _wrk(url, 2)
        before = _memory_mb(pid)
        rate = _wrk(url, seconds)
        after = _memory_mb(pid)
        late, longest = _play(base, seconds)
    return {
        "segments_per_second": round(rate, 1),
        "megabytes_per_second": round(rate * SEGMENT / 1e6, 1),
        "memory_mb_before_and_after": [before, after],
        "players": PLAYERS,
        "segments_late": late,
        "longest_ms": round(1000 * longest, 1),
    }


def _wrk(url: str, seconds: int) -> float:
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(found[1])


def _play(base: str, seconds: int) -> tuple[int, float]:
    """Players at the level of HTTP: how many segments came later than they last, and the worst."""
    took: list[float] = []

    def player(number: int) -> None:
        web = Web()
        time.sleep(SEGMENT_SECONDS * number / PLAYERS)
        for index in range(max(1, round(seconds / SEGMENT_SECONDS))):
            begun = time.monotonic()
            url = f"{base}/film/0123456789ab/270p/{(number + index) % 50:05d}.m4s"
            for _ in Download(web, url, in_parts=False):
                pass
            spent = time.monotonic() - begun
            took.append(spent)
            time.sleep(max(0.0, SEGMENT_SECONDS - spent))
        web.close()

    threads = [Thread(target=player, args=(number,)) for number in range(PLAYERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(t > SEGMENT_SECONDS for t in took), max(took)


@contextmanager
def _ours(library: Path) -> Iterator[tuple[str, int]]:
    port = _free_port()
    command = [sys.executable, "-m", "vidlift.cli.main"]
    program = shutil.which("vidlift")
    if program is not None:
        command = [program]
    with _running(
        [*command, "cloud", "serve", str(library), "--port", str(port), "--no-log"], port
    ) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def _nginx(library: Path, folder: Path) -> Iterator[tuple[str, int]]:
    port = _free_port()
    text = (
        f"daemon off; master_process off; pid {folder}/pid; events {{}}\n"
        f"http {{ sendfile on; access_log off; server {{ listen 127.0.0.1:{port}; "
        f"root {library}; }} }}\n"
    )
    file = folder / "nginx.conf"
    file.write_text(text)
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")]
    with _running(command, port) as pid:
        yield f"http://127.0.0.1:{port}", pid


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


def _memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * 4096 / 1e6, 1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
