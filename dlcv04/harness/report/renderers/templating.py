"""What all pages share: the templates, how they are read, and the filters that every one of them needs."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcv04 import plaintext
from dlcv04.harness.report import formatting as fmt
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import jinja2
else:
    jinja2 = LazyModule("jinja2")

_TEMPLATES = Path(__file__).parent / "templates"


@functools.cache  # it keeps the compiled templates
def environment(*filters: tuple[str, Callable[..., Any]]) -> jinja2.Environment:
    """Templates that escape what a run stores and drop its control characters, with a page's own filters by name."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    shared = {"data_uri": _data_uri, "number": fmt.number, "plural": fmt.plural, "shorten": fmt.shorten}
    found.filters |= shared | dict(filters)
    return found


def text(name: str) -> str:
    """A style sheet or script beside the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def looks(*sheets: str) -> dict[str, str]:
    """What a page needs of style and script: `css`, `script`, and the hash by which its policy admits the script.

    The policy admits this one script, so nothing that a run stores can become another.
    """
    script = text("report.js")
    return {
        "css": "".join(map(text, sheets)),
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _clean(value: object) -> object:
    """Drop control characters from stored text; markup that the template trusts is left alone."""
    return plaintext.printable(value) if type(value) is str else value


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
