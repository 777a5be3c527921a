"""What all pages share: the templates, how they are read, and the filters that every one of them needs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from dlcv04 import plaintext
from dlcv04.harness.report import formatting as fmt
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import jinja2
else:
    jinja2 = LazyModule("jinja2")

_TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """Templates that escape all that a run stores, and drop its control characters."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    found.filters |= {
        "data_uri": _data_uri,
        "number": fmt.number,
        "plural": fmt.plural,
        "shorten": fmt.shorten,
    }
    return found


def text(name: str) -> str:
    """A style sheet or script beside the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _clean(value: object) -> object:
    """Drop control characters from stored text; markup that the template trusts is left alone."""
    return plaintext.printable(value) if type(value) is str else value


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
