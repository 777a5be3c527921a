"""Files of a folder, of a zip file, or of a folder of zip files, by one kind of name. Zip files are never extracted."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcv04.datasets import DataError

SPLITS = ("train", "val", "test")
#: How a file begins that Git LFS put in the place of another.
POINTER = b"version https://git-lfs"
_LARGEST_MEMBER = 200 << 20  # bytes; a bomb says how large it is


@dataclass(frozen=True)
class File:
    """A file: its name in messages, and how to get its bytes (DataError if they can't be read)."""

    name: str
    read: Callable[[], bytes]

    @classmethod
    def at(cls, path: Path) -> "File":
        """The file at a path."""

        def read() -> bytes:
            try:
                if path.stat().st_size > _LARGEST_MEMBER:
                    raise DataError(f"{path} has {path.stat().st_size:,} bytes; a picture has less.")
                content = path.read_bytes()
            except OSError as error:
                raise DataError(f"{path} can't be read: {error.strerror}.") from error
            if content.startswith(POINTER):
                raise DataError(no_file(path))
            return content

        return cls(str(path), read)


Tree = dict[str, File]
"""Files by their path below the data set's folder, such as ``train/images/1.jpg``."""


def no_file(path: Path) -> str:
    """The sentence for a pointer of Git LFS; empty where the path holds a file of its own."""
    with path.open("rb") as file:
        found = file.read(len(POINTER)) == POINTER
    return f"{path} is a pointer of Git LFS and not the file itself: run `git lfs pull`." if found else ""


def expanded(path: str | Path) -> Path:
    """The path with the home folder in place of ``~`` or ``~name``; as it is where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def opened(root: Path) -> Iterator[Tree]:
    """The files of a data set in Terrassa's layout; they can be read until the context ends.

    In a zip file the layout may lie below folders of its own. A folder without ``train`` may hold it in several zip
    files.

    Raises:
        DataError: there is no such file or folder, it holds no ``train/annotation.txt`` or several, or a zip file is
            broken, names a file twice, or names one outside of itself.
    """
    with ExitStack() as stack:
        if root.is_dir():
            files = _of_folder(root)
            if not any(name.startswith("train/") for name in files):
                files = _of_zips(sorted(root.glob("*.zip")), stack)
        elif root.is_file():
            files = _of_zips([root], stack)
        else:
            raise DataError(f"{root} is neither a folder nor a zip file.")
        yield _below_train(files, root)


def _of_folder(root: Path) -> Tree:
    found = [
        path
        for split in SPLITS
        for folder in (root / split, root / split / "images")
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file()
    ]
    return {path.relative_to(root).as_posix(): File.at(path) for path in sorted(found)}


def _of_zips(paths: list[Path], stack: ExitStack) -> Tree:
    files: Tree = {}
    for path in paths:
        for name, file in _of_zip(path, stack).items():
            if name in files:
                raise DataError(f"{file.name} is there twice (also {files[name].name}); keep one.")
            files[name] = file
    return files


def _of_zip(path: Path, stack: ExitStack) -> Tree:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path} is not a usable zip file: {error}; download it again.") from error
    files: Tree = {}
    for member in archive.infolist():
        if member.is_dir() or "__MACOSX" in member.filename:
            continue
        label = f"{path}: {member.filename}"
        _check(member, label)
        if member.filename in files:
            raise DataError(f"{label} is there twice; create the zip file again.")
        files[member.filename] = File(label, _unzipper(archive, member, label))
    return files


def _check(member: zipfile.ZipInfo, label: str) -> None:
    # orig_filename: ZipFile itself turns the backslashes of some systems into slashes.
    names = {member.filename, member.orig_filename}
    if any("\\" in name or ":" in name or PurePosixPath(name).is_absolute() for name in names) or ".." in (
        PurePosixPath(member.filename).parts
    ):
        raise DataError(f"{label} names a file outside of the archive; nothing of it was read.")
    if member.flag_bits & 1:
        raise DataError(f"{label} is encrypted; unpack the archive into a folder and name that.")
    if member.file_size > _LARGEST_MEMBER:
        raise DataError(f"{label} says that it has {member.file_size:,} bytes; a picture has less.")


def _unzipper(archive: zipfile.ZipFile, member: zipfile.ZipInfo, label: str) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(member)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise DataError(
                f"{label} can't be read ({error}): the archive is cut or damaged; download it again."
            ) from error

    return read


def _below_train(files: Tree, root: Path) -> Tree:
    """The same files, by their path below the folder that holds ``train``."""
    marker = "train/annotation.txt"
    tops = [name.removesuffix(marker) for name in files if f"/{name}".endswith(f"/{marker}")]
    if not tops:
        raise DataError(f"{root} holds no {marker}: name the folder or zip file that holds train and val.")
    if len(tops) > 1:
        raise DataError(f"{root} holds {marker} in {len(tops)} places ({', '.join(tops)}); name one data set.")
    below: Tree = {name.removeprefix(tops[0]): file for name, file in files.items() if name.startswith(tops[0])}
    for name, file in files.items():
        # Zip files of the other splits may have a top folder of another name, or none.
        parts = PurePosixPath(name).parts
        start = next((i for i, part in enumerate(parts) if part in SPLITS), None)
        if start is not None and not name.startswith(tops[0]):
            below.setdefault("/".join(parts[start:]), file)
    return below
