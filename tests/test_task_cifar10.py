"""CIFAR-10 through torchvision's own download, from a loopback server; and by hand, and not at all."""

import hashlib
import io
import pickle
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from hpo_optuna.tasks import LeNet5Task
from hpo_optuna.tasks.data import open_split, prepare
from hpo_optuna.tasks.source import DataError

BATCHES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]


@dataclass
class Remote:
    """A web server with one file; `body` is what it sends of it."""

    archive: bytes
    body: bytes
    downloads: int = 0
    images: dict[str, np.ndarray] = field(default_factory=dict)


def synthetic_archive() -> tuple[bytes, dict[str, str], dict[str, np.ndarray]]:
    """An archive of CIFAR-10's structure, 20 images a batch; the MD5s of its files; the pixels."""
    rng, images = np.random.default_rng(0), {}
    files = {"batches.meta": pickle.dumps({"label_names": [f"class {i}" for i in range(10)]})}
    for name in BATCHES:
        images[name] = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": images[name], "labels": [i % 10 for i in range(20)]})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue(), {n: hashlib.md5(c).hexdigest() for n, c in files.items()}, images


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    archive, md5, images = synthetic_archive()
    remote = Remote(archive, archive, images=images)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(remote.archive)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            # torchvision asks for redirects by a GET with this header, and hangs up.
            if self.headers["Method"] != "HEAD":
                remote.downloads += 1
                self.wfile.write(remote.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{CIFAR10.filename}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in BATCHES[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    yield remote
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def offline(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """The same archive, and nobody who listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{port}/{CIFAR10.filename}")
    return remote


def extract(remote: Remote, root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(remote.archive)) as tar:
        tar.extractall(root, filter="data")


def assert_complete(root: Path, remote: Remote) -> None:
    train = open_split("cifar10", str(root), "train")
    assert train.images.shape == (100, 32, 32, 3)
    assert train.classes[3] == "class 3"
    planes = remote.images["data_batch_1"][0].reshape(3, 32, 32)
    np.testing.assert_array_equal(train.images[0], planes.transpose(1, 2, 0))
    assert open_split("cifar10", str(root), "test").images.shape == (20, 32, 32, 3)


def test_the_archive_is_downloaded_once_and_trains(remote: Remote, tmp_path: Path) -> None:
    task = LeNet5Task(data="cifar10", data_dir=str(tmp_path / "new" / "folder"), epochs=1)
    task.prepare()
    task.prepare()
    assert len(list(task({}, seed=0))) == 1
    assert task.fingerprint["validation_images"] == 10
    assert_complete(tmp_path / "new" / "folder", remote)
    assert remote.downloads == 1


def test_two_that_prepare_at_once_download_once(remote: Remote, tmp_path: Path) -> None:
    threads = [threading.Thread(target=prepare, args=("cifar10", str(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_complete(tmp_path, remote)
    assert remote.downloads == 1


def test_a_damaged_download_is_an_error_and_the_next_run_starts_afresh(remote: Remote, tmp_path: Path) -> None:
    remote.body = remote.archive[:5000] + b"\0" * (len(remote.archive) - 5000)
    with pytest.raises(DataError, match=r"'cifar-10-python.tar.gz' there is damaged or half downloaded"):
        prepare("cifar10", str(tmp_path))
    remote.body = remote.archive
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, remote)
    assert remote.downloads == 2


def test_a_download_cut_short_is_an_error_and_the_next_run_starts_afresh(remote: Remote, tmp_path: Path) -> None:
    remote.body = remote.archive[:5000]
    with pytest.raises(DataError, match=r"'cifar-10-python.tar.gz' there is damaged or half downloaded"):
        prepare("cifar10", str(tmp_path))
    remote.body = remote.archive
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, remote)


def test_offline_the_message_names_the_folder_both_ways_by_hand_and_the_digits(offline: Remote, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        LeNet5Task(data="cifar10", data_dir=str(tmp_path)).prepare()
    message = str(caught.value)
    for part in (str(tmp_path), "cifar-10-python.tar.gz", CIFAR10.url, "cifar-10-batches-py", "--data digits"):
        assert part in message


def test_offline_an_archive_placed_by_hand_is_taken(offline: Remote, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(offline.archive)
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, offline)


def test_offline_an_extracted_folder_placed_by_hand_is_taken(offline: Remote, tmp_path: Path) -> None:
    extract(offline, tmp_path)
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, offline)


def test_offline_a_damaged_extracted_folder_is_mended_from_the_archive(offline: Remote, tmp_path: Path) -> None:
    extract(offline, tmp_path)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(offline.archive)
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(b"half")
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, offline)


def test_offline_a_damaged_archive_beside_an_intact_folder_does_no_harm(offline: Remote, tmp_path: Path) -> None:
    extract(offline, tmp_path)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(offline.archive[:5000])
    prepare("cifar10", str(tmp_path))
    assert_complete(tmp_path, offline)


def test_offline_a_damaged_archive_is_named(offline: Remote, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(offline.archive[:5000])
    with pytest.raises(DataError, match=r"'cifar-10-python.tar.gz' there is damaged or half downloaded"):
        prepare("cifar10", str(tmp_path))


def test_offline_a_damaged_extracted_folder_is_named(offline: Remote, tmp_path: Path) -> None:
    extract(offline, tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").unlink()
    with pytest.raises(DataError, match=r"'cifar-10-batches-py' there is incomplete or damaged"):
        prepare("cifar10", str(tmp_path))


def test_offline_a_search_goes_on_with_everything_but_the_training_cache_deleted(
    offline: Remote, tmp_path: Path
) -> None:
    extract(offline, tmp_path)
    prepare("cifar10", str(tmp_path))
    shutil.rmtree(tmp_path / "cifar-10-batches-py")
    for path in (tmp_path / ".hpo-optuna-cache").glob("cifar10-test*"):
        path.unlink()
    task = LeNet5Task(data="cifar10", data_dir=str(tmp_path), epochs=1)
    task.prepare()
    assert len(list(task({}, seed=0))) == 1
    with pytest.raises(DataError, match="--data digits"):
        task.finalize({}, seed=0, directory=tmp_path / "out")
