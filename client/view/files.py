"""What the page consists of: its files by the names under which they are asked for, read at the start."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("page")

TEMPLATES = ".html"
"""Ending of those files that are filled in; the others are served as they are."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    "": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class File:
    """One that is served as it is."""

    content: bytes
    kind: str
    """Its media type."""
    tag: str
    """Changes with the content; an ETag of HTTP."""


def page_files(folder: Path) -> Mapping[str, File]:
    """By name; of one in a subfolder `a/b.js` the name is `a-b.js`. Raises ValueError for a type that is not known."""
    files = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or path.suffix in (TEMPLATES, ".py"):
            continue
        if path.suffix not in TYPES:
            raise ValueError(f"the page holds {path.name}, whose type is not known")
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
        files["-".join(path.relative_to(folder).parts)] = File(content, TYPES[path.suffix], tag)
    return files
