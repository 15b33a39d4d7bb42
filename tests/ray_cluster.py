"""A real Ray cluster of two nodes on loopback, one CPU each, in a temporary folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
SMALL = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]


class RayCluster:
    """Two ``ray start``; each is the parent of its node's processes.

    Args:
        folder: of Ray's files; with a short path, for the names of sockets.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        # Nobody else on this machine may send it code.
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.env = {**os.environ, **token, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        self.nodes: list[subprocess.Popen[str]] = []
        try:
            self.head = self._start(
                "head", "--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"
            )
            self.other = self._start("other", f"--address={self.address}")
        except BaseException:
            self.stop()
            raise

    def _start(self, name: str, *words: str) -> subprocess.Popen[str]:
        node = subprocess.Popen(
            [*RAY, "start", "--node-ip-address=127.0.0.1", *words, *SMALL],
            env={**self.env, "NODE": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.nodes.append(node)
        said = []
        for line in node.stdout:
            said.append(line)
            if "block forever" in line:
                return node
        raise AssertionError("".join(said))

    def kill(self, node: subprocess.Popen[str]) -> None:
        """SIGKILL everything that runs on a node, as if its power were cut."""
        family = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(family)

    def stop(self) -> None:
        """End both nodes."""
        for node in reversed(self.nodes):
            if node.poll() is None:
                self.kill(node)
            node.communicate()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two running nodes; the test is skipped where Ray is not installed."""
    if find_spec("ray") is None:
        pytest.skip("the extra [ray] is not installed")
    folder = Path(tempfile.mkdtemp(prefix="hpo-ray-"))
    try:
        made = RayCluster(folder)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
