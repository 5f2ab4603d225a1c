"""The server as clients, caches and attackers meet it, over real connections."""

from __future__ import annotations

import errno
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx2
import pytest

from support.logs import Log
from support.servers import raw
from vidlift.cloud.app import AppOptions
from vidlift.cloud.serve import serving
from vidlift.cloud.tokens import read_keys

SEGMENT = bytes(range(256)) * 40
PLAYLIST = b"#EXTM3U\n" + b"#EXTINF:4,\n00000.m4s\n" * 200


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served") / "library"
    rung = root / "film" / "3f2a" / "270p"
    rung.mkdir(parents=True)
    (rung / "00000.m4s").write_bytes(SEGMENT)
    (rung / "index.m3u8").write_bytes(PLAYLIST)
    (root / "film" / "master.m3u8").write_bytes(PLAYLIST)
    (root / "film" / "3f2a" / "poster.jpg").write_bytes(b"a picture")
    card = {
        "playlist": "master.m3u8",
        "poster": "3f2a/poster.jpg",
        "duration": 65.4,
        "renditions": [{"width": 480, "height": 270, "file": None}],
    }
    (root / "film" / "vidlift.json").write_text(json.dumps(card))
    (root.parent / "secret.jpg").write_bytes(b"secret")
    return root


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.fixture(scope="module")
def base(library: Path, log: Log) -> Iterator[str]:
    with serving(library, options=AppOptions(log=log)) as url:
        yield url


def test_segments_are_for_ever_and_lists_are_asked_about(base: str) -> None:
    segment = httpx2.get(f"{base}/film/3f2a/270p/00000.m4s")
    assert segment.content == SEGMENT
    assert segment.headers["content-type"] == "video/iso.segment"
    assert "immutable" in segment.headers["cache-control"]
    assert segment.headers["x-content-type-options"] == "nosniff"
    for path in ("/film/master.m3u8", "/film/3f2a/270p/index.m3u8", "/film/vidlift.json"):
        assert httpx2.get(base + path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/film/3f2a/270p/00000.m4s", "/film/master.m3u8"])
def test_what_has_not_changed_is_not_sent_again(base: str, path: str) -> None:
    first = httpx2.get(base + path)
    tag = first.headers["etag"]
    again = httpx2.get(base + path, headers={"if-none-match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert httpx2.get(base + path, headers={"if-none-match": '"x"'}).status_code == 200
    date = {"if-modified-since": first.headers["last-modified"]}
    assert httpx2.get(base + path, headers=date).status_code == 304


def test_text_is_compressed_where_it_may_be(base: str) -> None:
    url = f"{base}/film/master.m3u8"
    packed = httpx2.get(url, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"]
    assert int(packed.headers["content-length"]) < len(PLAYLIST) / 10
    assert packed.content == PLAYLIST
    plain = httpx2.get(url, headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    part = httpx2.get(url, headers={"range": "bytes=0-6", "accept-encoding": "gzip"})
    assert part.content == PLAYLIST[:7]
    assert gzip.compress(b"") not in part.content
    segment = httpx2.get(f"{base}/film/3f2a/270p/00000.m4s", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in segment.headers


def test_pages_of_other_sites_may_read(base: str) -> None:
    answer = httpx2.get(f"{base}/film/master.m3u8", headers={"origin": "https://player.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    asked = {
        "origin": "https://player.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "range",
    }
    assert httpx2.options(f"{base}/film/master.m3u8", headers=asked).status_code == 200


def test_only_named_origins_may_read_where_they_are_named(library: Path) -> None:
    with serving(library, options=AppOptions(cors=("https://mine.example",))) as url:
        mine = httpx2.get(url + "/healthz", headers={"origin": "https://mine.example"})
        other = httpx2.get(url + "/healthz", headers={"origin": "https://other.example"})
    assert mine.headers["access-control-allow-origin"] == "https://mine.example"
    assert "access-control-allow-origin" not in other.headers


def test_what_is_not_there_now_may_be_soon(base: str) -> None:
    answer = httpx2.get(f"{base}/film/3f2a/270p/00001.m4s")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


def test_a_range_is_of_what_is_got_only(base: str) -> None:
    """RFC 9110, 14.2: with any other method it is passed over."""
    head = httpx2.head(f"{base}/film/3f2a/270p/00000.m4s", headers={"range": "bytes=5-9"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(SEGMENT)))
    assert "content-range" not in head.headers


def test_the_catalogue(base: str) -> None:
    (title,) = httpx2.get(f"{base}/catalogue.json").json()["titles"]
    assert title["name"] == "film"
    assert httpx2.get(f"{base}/{title['playlist']}").status_code == 200
    assert httpx2.get(f"{base}/{title['poster']}").content == b"a picture"
    page = httpx2.get(base + "/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<h2>film</h2>" in page.text
    assert "1:05 · 270p" in page.text


@pytest.mark.parametrize("path", ["/", "/catalogue.json"])
def test_the_catalogue_is_not_sent_again_either(base: str, path: str) -> None:
    first = httpx2.get(base + path)
    assert first.headers["cache-control"] == "no-cache"
    again = httpx2.get(base + path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = httpx2.get(base + path, headers={"if-none-match": '"x"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), 404),
        (FileNotFoundError(errno.ENOENT, "No such file"), 404),
        (OSError(errno.EMFILE, "Too many open files"), 503),
    ],
    ids=["permission", "gone", "handles"],
)
def test_a_file_that_cannot_be_opened(
    base: str, monkeypatch: pytest.MonkeyPatch, error: OSError, status: int
) -> None:
    def refused(_: Path, mode: str) -> BinaryIO:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        answer = httpx2.get(f"{base}/film/master.m3u8")
    assert answer.status_code == status


@pytest.mark.parametrize("host", ["http://x", "HTTP://x:80", "https://[::1]:8080"])
def test_a_request_may_name_the_whole_address(base: str, log: Log, host: str) -> None:
    def ask(path: str) -> bytes:
        request = f"HEAD {host}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        return raw(base, request.encode()).split(b" ")[1]

    assert ask("/healthz") == b"200"
    assert ask("") == b"200"
    assert ask("/film/270p.mp4") == b"404"
    assert ask("/film/master.m3u8?" + host[-1]) == b"200"
    assert log.line_of("/film/master.m3u8", status=200, method="HEAD")


def test_health_and_figures(base: str, log: Log) -> None:
    assert httpx2.get(f"{base}/healthz").text == "ok\n"
    httpx2.get(f"{base}/film/3f2a/270p/00000.m4s")
    log.line_of("/film/3f2a/270p/00000.m4s", status=200)
    figures = httpx2.get(f"{base}/metrics").text
    assert 'vidlift_requests_total{kind="segment",status="200"}' in figures
    (sent,) = (
        x for x in figures.splitlines() if x.startswith('vidlift_sent_bytes_total{kind="seg')
    )
    assert float(sent.split()[1]) >= len(SEGMENT)


def test_each_request_is_a_line_of_json(base: str, log: Log) -> None:
    httpx2.get(f"{base}/film/3f2a/poster.jpg?token=do-not-log", headers={"range": "bytes=0-8"})
    line = log.line_of("/film/3f2a/poster.jpg", status=206)
    httpx2.head(f"{base}/film/3f2a/270p/index.m3u8", headers={"accept-encoding": "gzip"})
    asked = log.line_of("/film/3f2a/270p/index.m3u8", status=200, method="HEAD")
    assert asked["bytes"] == 0
    assert (line["method"], line["status"], line["bytes"]) == ("GET", 206, 9)
    assert "do-not-log" not in log.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.jpg",
        "/film/../../secret.jpg",
        "/%2e%2e/secret.jpg",
        "/film/..%2f..%2fsecret.jpg",
        "/film/%2e%2e%5c..%5csecret.jpg",
        "/%252e%252e/secret.jpg",
        "/%c0%ae%c0%ae/secret.jpg",
        "//../secret.jpg",
        "/film/%00/../../secret.jpg",
        "/film/;/../../secret.jpg",
    ],
)
def test_no_path_leads_out(base: str, path: str) -> None:
    answer = raw(base, f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"secret" not in answer


def test_what_is_no_request(base: str) -> None:
    assert raw(base, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "path",
    [
        "/../other/master.m3u8",
        "/%2e%2e/other/master.m3u8",
        "/..%2fother/master.m3u8",
        "/%2e%2e%2fother/master.m3u8",
        "%2f..%2fother/master.m3u8",
        "/x/../../other/master.m3u8",
        "/./../other/master.m3u8",
        "%20/../other/master.m3u8",
    ],
)
def test_a_link_to_one_title_is_none_to_another(library: Path, tmp_path: Path, path: str) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("k1:a-secret-for-this-test\n")
    signed = read_keys(secrets).sign("/film", expires=4_000_000_000)
    other = library / "other"
    other.mkdir(exist_ok=True)
    (other / "master.m3u8").write_bytes(b"not yours")
    with serving(library, options=AppOptions(secret_file=secrets)) as url:
        request = f"GET {signed}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answer = raw(url, request.encode())
        assert httpx2.get(f"{url}/auth", headers={"x-original-uri": signed + path}).is_error
    assert answer.split(b" ")[1] in (b"403", b"404")
    assert b"not yours" not in answer


def test_signed_links(library: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("k1:a-secret-for-this-test\n")
    log = io.StringIO()
    keys = read_keys(secrets)
    good = keys.sign("/film/master.m3u8", expires=4_000_000_000, depth=1)
    old = keys.sign("/film/master.m3u8", expires=1_000_000_000, depth=1)
    everything = keys.sign("/", expires=4_000_000_000)
    with serving(library, options=AppOptions(secret_file=secrets, log=log)) as url:
        assert httpx2.get(url + good).content == PLAYLIST
        assert httpx2.get(url + good.replace("master.m3u8", "3f2a/poster.jpg")).status_code == 200
        assert httpx2.get(url + old).status_code == 403
        assert httpx2.get(f"{url}/film/master.m3u8").status_code == 403
        assert httpx2.get(url + "/").status_code == 403
        assert httpx2.get(url + everything).status_code == 200
        assert httpx2.get(url + "/healthz").status_code == 200
        asked = {"x-original-uri": good + "?x=1"}
        assert httpx2.get(url + "/auth", headers=asked).status_code == 204
        assert httpx2.get(url + "/auth", headers={"x-original-uri": "/film/"}).status_code == 403
    proof = good.split(".")[3].partition("/")[0]
    assert log.getvalue()
    assert proof not in log.getvalue()
