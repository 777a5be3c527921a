"""Which code each side of a process pair imports: the project's own folders, mapped to the checkout, and the proof.

A project that is installed (src layout, `pip install -e .`, `pip install .`) is imported from where it was installed,
by the old side too. So what this process imports from inside the repository is put first on both sides' paths, the old
one's mapped to the checkout; a plain copy is built anew from the checkout. Each side is told where no module may come
from, and refuses to be timed otherwise (`round_server`).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlparse

from dlcv04.harness.measuring.process_pairs import SideError
from dlcv04.harness.measuring.round_server import in_environment


def own_folders(top: Path) -> list[Path]:
    """Folders inside the repository `top` that this process imports from, in their order, environments left out."""
    found = [Path(entry) for entry in sys.path if entry]
    for name, module in list(sys.modules.items()):
        if name.startswith("__editable__"):  # setuptools's finder of an editable install: names and their folders
            found += [Path(path).parent for path in getattr(module, "MAPPING", {}).values()]
    inside = [folder for folder in found if folder.is_relative_to(top) and not in_environment(folder, top)]
    return list(dict.fromkeys(inside))


def mapped(folders: Sequence[Path], top: Path, checkout: Path) -> list[Path]:
    """The same folders in the checkout of the repository."""
    return [checkout / folder.relative_to(top) for folder in folders]


def build_copies(top: Path, root: Path, checkout: Path, into: Path) -> list[Path]:
    """Build the old code of projects that are installed as a plain copy, without what they depend on.

    Args:
        top: the repository.
        root: its folder that pytest runs in.
        checkout: the repository at the old commit.
        into: an empty folder; what is built lies in it.

    Returns:
        The installed packages, which the old side must not import.

    Raises:
        SideError: one can't be built, or its installed copy is not the working tree's code.
    """
    folders = [root, *own_folders(top)]
    replaced = []
    for installed, source in _plain_copies(top, root):
        names = _packages(installed)
        if all(any((folder / name).exists() for folder in folders) for name in names):
            continue  # the folders of this very tree come first
        _refuse_outdated(installed, source)
        old = checkout / source.relative_to(top)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(into), str(old)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode != 0:
            why = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            raise SideError(
                f"{installed.name} is installed as a copy, and its old code could not be built ({why}): install it "
                "with `pip install -e .`, whose folders a checkout has too."
            )
        replaced += [Path(str(installed.locate_file(name))) for name in names]
    return replaced


def _plain_copies(top: Path, root: Path) -> Iterator[tuple[importlib.metadata.Distribution, Path]]:
    """Distributions that were installed from a folder inside the repository, or are named as a project there is."""
    projects: dict[str, Path] = {}
    for folder in [root, *root.parents]:
        if not folder.is_relative_to(top):
            break
        if name := _project_name(folder / "pyproject.toml"):
            projects.setdefault(_normal(name), folder)
    for installed in importlib.metadata.distributions():
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            continue
        url = urlparse(origin.get("url", ""))
        source: Path | None = Path(unquote(url.path)) if url.scheme == "file" and "dir_info" in origin else None
        if source is None or not source.is_relative_to(top):
            source = projects.get(_normal(installed.metadata["Name"] or ""))
        if source is not None and _packages(installed):
            yield installed, source


def _project_name(file: Path) -> str:
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("name", ""))
    except (OSError, ValueError):
        return ""


def _normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages(installed: importlib.metadata.Distribution) -> list[str]:
    """Its packages and modules; none of an editable install of older tools, which has no code of its own."""
    files = [file for file in installed.files or [] if file.suffix == ".py" and ".." not in file.parts]
    return list(dict.fromkeys(file.parts[0] for file in files if not file.name.startswith("__editable__")))


def _refuse_outdated(installed: importlib.metadata.Distribution, source: Path) -> None:
    """The new side imports the installed copy, so that must be the working tree's code."""
    for file in installed.files or []:
        if file.suffix != ".py":
            continue
        own = next((path for path in (source / "src" / file, source / file) if path.is_file()), None)
        copy = Path(str(installed.locate_file(file)))
        if own is not None and copy.is_file() and own.read_bytes() != copy.read_bytes():
            raise SideError(
                f"{installed.name} is installed as a copy, and {own.relative_to(source)} has changed since: install it "
                "again, or with `pip install -e .`, so that the new code is what is timed."
            )


def check_links(links: Sequence[str], root: Path) -> None:
    """Refuse links to what is not there.

    Raises:
        SideError: one is no path below `root`, or does not exist.
    """
    for name in links:
        if Path(name).is_absolute() or ".." in Path(name).parts or not (root / name).exists():
            raise SideError(f"dl_against_links: there is no {name} below {root}.")


def link(links: Sequence[str], root: Path, tree: Path) -> None:
    """Link what git does not have into a checkout.

    Args:
        links: paths below `root`.
        root: the folder that pytest runs in.
        tree: the same folder in the checkout.
    """
    for name in links:
        if not os.path.lexists(tree / name):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).symlink_to((root / name).resolve())


def missing_in_checkout(printed: str, root: Path, tree: Path) -> str:
    """The file or folder below `root` that a failed process of the old code named and the checkout lacks, or ""."""
    for named in re.findall(r"['\"]([^'\"\n]+)['\"]", printed):
        path = Path(named)
        relative = path.relative_to(tree) if path.is_relative_to(tree) else path
        if relative.is_absolute() or ".." in relative.parts or not (root / relative).exists():
            continue
        for part in [*reversed(relative.parents), relative]:
            if not (tree / part).exists():
                return str(part)
    return ""
