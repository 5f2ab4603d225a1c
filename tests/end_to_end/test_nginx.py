"""The nginx configuration of docs/deploy.md, run as it stands on this machine."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.shared import ROOT, require
from vidlift.cloud.app import AppOptions
from vidlift.cloud.serve import serving
from vidlift.cloud.tokens import Keys, read_keys

DOCUMENT = ROOT / "docs" / "deploy.md"
SEGMENT = bytes(range(256)) * 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, configuration: str) -> Iterator[None]:
    """nginx, everything it writes in ``folder``. Once it is in the background it is listening."""
    file = folder / "nginx.conf"
    file.write_text(f"user root;\npid {folder}/pid;\n{configuration}")
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        subprocess.run([*command, "-s", "quit"], check=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "secrets"
    file.write_text("k1:a-secret-for-this-test\n")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def library(folder: Path) -> Path:
    root = folder / "library"
    for title in ("film", "other"):
        (root / title / "3f2a" / "270p").mkdir(parents=True)
        (root / title / "3f2a" / "270p" / "00000.m4s").write_bytes(SEGMENT)
        (root / title / "master.m3u8").write_bytes(b"#EXTM3U\n" + b"#\n" * 1000)
    (root / ".film.vidlift-job").mkdir()
    (root / ".film.vidlift-job" / "x.m4s").write_bytes(b"unfinished")
    return root


def configurations() -> list[str]:
    """The whole one of the document, and the locations that open a library to everybody."""
    return re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


@contextmanager
def running(text: str, folder: Path, library: Path, beside: str) -> Iterator[str]:
    """nginx by a configuration of the document, in this place, ``beside`` a server of ours."""
    require("nginx")
    port = free_port()
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{port}"),
        ("http://127.0.0.1:8081", beside),
        ("/srv/library", str(library)),
        ("access_log access.log", f"access_log {folder}/access.log"),
    ):
        assert old in text
        text = text.replace(old, new)
    with nginx(folder, text):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def base(folder: Path, library: Path, keys: Path) -> Iterator[str]:
    whole, _ = configurations()
    with (
        serving(library, options=AppOptions(secret_file=keys)) as checker,
        running(whole, folder, library, checker) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def signed(keys: Path) -> str:
    """The film's folder, signed."""
    return read_keys(keys).sign("/film", expires=4_000_000_000)


def test_signed_files_are_served_with_ranges_and_rules(base: str, signed: str) -> None:
    url = f"{base}{signed}/3f2a/270p/00000.m4s"
    whole = httpx2.get(url)
    assert (whole.status_code, whole.content) == (200, SEGMENT)
    assert whole.headers["content-type"] == "video/iso.segment"
    assert "immutable" in whole.headers["cache-control"]
    assert whole.headers["access-control-allow-origin"] == "*"
    part = httpx2.get(url, headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, SEGMENT[5:10])
    known = httpx2.get(url, headers={"if-none-match": whole.headers["etag"]})
    assert known.status_code == 304
    assert httpx2.head(url).status_code == 200


def test_lists_are_asked_about_and_compressed(base: str, signed: str) -> None:
    answer = httpx2.get(f"{base}{signed}/master.m3u8", headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"


def test_nothing_else_is_served(base: str, signed: str, keys: Path) -> None:
    expired = read_keys(keys).sign("/film", expires=1_000_000_000)
    forged = Keys(secrets={"k1": b"another secret altogether"}).sign("/film", expires=4_000_000_000)
    assert httpx2.get(f"{base}/film/master.m3u8").status_code == 403
    assert httpx2.get(f"{base}{expired}/master.m3u8").status_code == 403
    assert httpx2.get(f"{base}{forged}/master.m3u8").status_code == 403
    assert httpx2.get(f"{base}{signed}/nothing.m4s").status_code == 404
    assert httpx2.get(f"{base}/_auth").status_code == 404
    assert httpx2.post(f"{base}{signed}/master.m3u8").status_code in (403, 405)
    everything = read_keys(keys).sign("/", expires=4_000_000_000)
    assert httpx2.get(f"{base}{everything}.film.vidlift-job/x.m4s").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../other/master.m3u8",
        "/%2e%2e/other/master.m3u8",
        "/x/../../other/master.m3u8",
        "/..%2fother/master.m3u8",
        "/%2e%2e%2fother/master.m3u8",
        "/./../other/master.m3u8",
        "/../../../../etc/passwd",
    ],
)
def test_a_link_to_one_title_is_none_to_another(base: str, signed: str, path: str) -> None:
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        request = f"GET {signed}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = connection.recv(100)
    assert answer.split(b" ")[1] in (b"403", b"404", b"400")


def test_a_token_reaches_no_log(base: str, signed: str, folder: Path) -> None:
    httpx2.get(f"{base}{signed}/only-here.m4s")
    proof = signed.split(".")[3].partition("/")[0]
    text = ""
    for _ in range(1000):  # a line is written some time after its answer is sent
        httpx2.get(f"{base}/")
        text = (folder / "access.log").read_text()
        if "/film/only-here.m4s" in text:
            break
    assert "/film/only-here.m4s" in text
    assert proof not in text


def test_an_open_library(library: Path, tmp_path: Path) -> None:
    whole, locations = configurations()
    first = whole.index("location ~ /\\.")
    begin = whole.index('        location ~ "^/~', first)
    text = whole[:begin] + locations + "    }\n}\n"
    with serving(library) as beside, running(text, tmp_path, library, beside) as url:
        segment = httpx2.get(f"{url}/film/3f2a/270p/00000.m4s")
        assert segment.content == SEGMENT
        assert "immutable" in segment.headers["cache-control"]
        assert httpx2.get(f"{url}/film/master.m3u8").headers["cache-control"] == "no-cache"
        assert httpx2.get(f"{url}/catalogue.json").json() == {"titles": []}
        assert "<h1>Library</h1>" in httpx2.get(f"{url}/").text
        assert httpx2.get(f"{url}/.film.vidlift-job/x.m4s").status_code == 404
        assert httpx2.get(f"{url}/film/").status_code in (403, 404)
        assert httpx2.post(f"{url}/film/master.m3u8").status_code in (403, 405)
