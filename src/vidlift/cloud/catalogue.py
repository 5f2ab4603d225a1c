"""What a library holds, for programs as JSON and for people as a plain page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from vidlift.cloud.library import Title, titles


def catalogue(library: Path) -> dict[str, Any]:
    """The titles of a library; all addresses count from where the catalogue lies."""
    return {"titles": [_entry(title) for title in titles(library)]}


def _entry(title: Title) -> dict[str, Any]:
    card = title.card
    return {
        "name": title.name,
        "playlist": title.path(card["playlist"]),
        "card": title.path("vidlift.json"),
        "poster": title.path(card["poster"]) if card.get("poster") else None,
        "duration": card.get("duration"),
        "live": bool(card.get("live")),
        "files": [title.path(r["file"]) for r in title.renditions if r.get("file")],
        "sizes": [f"{r['width']}x{r['height']}" for r in title.renditions],
    }


def page(library: Path) -> str:
    """The catalogue as HTML that needs no script."""
    entries = catalogue(library)["titles"]
    films = "".join(_film(entry) for entry in entries) or "<p>Nothing is published yet.</p>"
    count = "1 title" if len(entries) == 1 else f"{len(entries)} titles"
    return _PAGE.format(films=films, count=count)


def _film(entry: dict[str, Any]) -> str:
    name = escape(entry["name"])
    poster = (
        f'<img src="{escape(entry["poster"])}" alt="" loading="lazy">' if entry["poster"] else ""
    )
    links = "".join(f' · <a href="{escape(file)}">file</a>' for file in entry["files"])
    length = "live" if entry["live"] else _length(entry["duration"])
    return (
        f'<article><a href="{escape(entry["playlist"])}">{poster}<h2>{name}</h2></a>'
        f"<p>{length} · {escape(', '.join(_lines(entry['sizes'])))}{links}</p></article>"
    )


def _lines(sizes: list[str]) -> Iterator[str]:
    for size in sizes:
        width, _, height = size.partition("x")
        yield f"{min(int(width), int(height))}p"


def _length(seconds: float | None) -> str:
    minutes, second = divmod(round(seconds or 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Vidlift</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1.5rem;
       margin-top: 1.5rem; }}
img {{ width: 100%; aspect-ratio: 16 / 9; object-fit: cover; border-radius: .5rem;
       background: #8884; }}
h2 {{ font-size: 1rem; margin: .5rem 0 0; overflow-wrap: anywhere; }}
p {{ margin: 0; opacity: .7; font-size: .875rem; }}
a {{ color: inherit; }}
</style>
<h1>Library</h1>
<p>{count}. Play one with <code>vidlift play ADDRESS</code>.</p>
<main>{films}</main>
</html>
"""
