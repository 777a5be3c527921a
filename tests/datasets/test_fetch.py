"""Downloads, against a server on this machine."""

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcv04 import datasets
from dlcv04.datasets import DataError
from dlcv04.datasets.fetch import DOWNLOADS, Download, FetchError, fetch

BODY = bytes(range(256)) * 1000


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.requests += 1  # type: ignore[attr-defined]
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:1000] if self.path == "/short" else BODY)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    served = http.server.HTTPServer(("127.0.0.1", 0), _Handler)
    served.requests = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def at(server: http.server.HTTPServer, path: str = "/file", sha256: str = hashlib.sha256(BODY).hexdigest()) -> Download:
    return Download("mnist.npz", f"http://127.0.0.1:{server.server_port}{path}", sha256)


def test_the_file_arrives_whole(server, tmp_path: Path, capfd) -> None:
    path = fetch("mnist", tmp_path / "new", download=at(server))
    assert path == tmp_path / "new" / "mnist.npz"
    assert path.read_bytes() == BODY
    assert [entry.name for entry in path.parent.iterdir()] == ["mnist.npz"]
    assert "mnist.npz" in capfd.readouterr().err


def test_a_good_file_is_kept_and_a_broken_one_replaced(server, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"broken")
    fetch("mnist", tmp_path, download=at(server), show=False)
    fetch("mnist", tmp_path, download=at(server), show=False)
    assert path.read_bytes() == BODY
    assert server.requests == 1


def test_wrong_bytes_leave_nothing_behind(server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"sha256.*instead of sha256 00ff"):
        fetch("mnist", tmp_path, download=at(server, sha256="00ff"), show=False)
    assert not list(tmp_path.iterdir())


def test_wrong_bytes_leave_the_old_file_as_it_was(server, tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"old")
    with pytest.raises(FetchError):
        fetch("mnist", tmp_path, download=at(server, sha256="00ff"), show=False)
    assert (tmp_path / "mnist.npz").read_bytes() == b"old"


@pytest.mark.parametrize(("path", "word"), [("/missing", "404"), ("/short", "1,000 of 256,000 bytes")])
def test_failed_downloads_leave_nothing_behind(path: str, word: str, server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=word):
        fetch("mnist", tmp_path, download=at(server, path), show=False)
    assert not list(tmp_path.iterdir())


def test_no_network(tmp_path: Path) -> None:
    nowhere = Download("mnist.npz", "http://127.0.0.1:1/mnist.npz", "00")
    with pytest.raises(FetchError, match="check the network"):
        fetch("mnist", tmp_path, download=nowhere, show=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="name another folder"):
        fetch("mnist", tmp_path / "file" / "below", download=at(server), show=False)


def test_the_folder_of_the_environment_is_the_default(server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path / "data"))
    assert fetch("mnist", download=at(server), show=False) == tmp_path / "data" / "mnist.npz"
    monkeypatch.delenv("DLCV04_DATA")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert fetch("mnist", download=at(server), show=False) == tmp_path / "keras" / "datasets" / "mnist.npz"


def test_unknown_data_set() -> None:
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        fetch("minst")


def test_mnist_comes_from_keras_with_its_checksum() -> None:
    assert DOWNLOADS["mnist"].url.endswith("/tf-keras-datasets/mnist.npz")
    assert DOWNLOADS["mnist"].sha256 == "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def test_cifar_10_comes_from_its_authors_with_kerass_checksum(tmp_path: Path) -> None:
    assert DOWNLOADS["cifar10"].url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert DOWNLOADS["cifar10"].sha256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def test_what_is_fetched_for_cifar_10_is_what_its_reader_looks_for(server, tmp_path: Path, monkeypatch) -> None:
    wanted = Download(DOWNLOADS["cifar10"].file, at(server).url, at(server).sha256)
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    monkeypatch.setitem(DOWNLOADS, "cifar10", wanted)
    path = fetch("cifar10", show=False)
    assert datasets.where("cifar10", "real") == f"CIFAR-10 from {path}"


def test_an_md5_is_checked_where_the_publisher_gives_no_sha256(server: http.server.HTTPServer, tmp_path: Path) -> None:
    good = dataclasses.replace(at(server), sha256="", md5=hashlib.md5(BODY).hexdigest())
    assert fetch("mnist", tmp_path, download=good, show=False).read_bytes() == BODY
    with pytest.raises(FetchError, match=r"md5.*instead of md5 00ff"):
        fetch("mnist", tmp_path / "other", download=dataclasses.replace(good, md5="00ff"), show=False)


def test_weights_go_to_keras_models_even_where_data_lie_elsewhere(
    server: http.server.HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path / "data"))
    download = dataclasses.replace(at(server), cache="models")
    assert fetch("vgg16", download=download, show=False) == tmp_path / "models" / "mnist.npz"
