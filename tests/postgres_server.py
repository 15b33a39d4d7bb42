"""A real PostgreSQL server of the tests' own, on loopback, with a password, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "s3cr3t-p@ss/w:rd"  # with the signs that a URL must quote


def binaries() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``; None where no server is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = found[-1] if found else shutil.which("initdb")
    return None if path is None else Path(path).parent


class Server:
    """A PostgreSQL server that can be stopped and started again on the same port with the same data."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        # The server refuses to run as root.
        self._as = ["runuser", "-u", _unprivileged(), "--"] if os.geteuid() == 0 else []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        if self._as:
            shutil.chown(folder, _unprivileged())
        word = folder / "password"
        word.write_text(SECRET)
        if self._as:
            shutil.chown(word, _unprivileged())
        self._run("initdb", "-D", self.data, "-U", "hpo", "--pwfile", word, "-A", "scram-sha-256", "-E", "UTF8", "-N")

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    def url(self, database: str = "postgres", *, password: str = SECRET) -> str:
        """The URL of a database on this server, password and all."""
        from sqlalchemy.engine import URL

        made = URL.create("postgresql+psycopg", "hpo", password, "127.0.0.1", self.port, database)
        return made.render_as_string(hide_password=False)

    def start(self, *, durable: bool = False) -> None:
        """Start it, and come back when it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c max_connections=60"
        options += "" if durable else " -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-o", options, "-l", self.folder / "log", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` is a crash: nothing is closed."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="hpo", password=SECRET, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')  # type: ignore[call-overload]
        return self.url(database)

    def _run(self, program: str, *words: object) -> None:
        command = [*self._as, str(self._programs / program), *map(str, words)]
        # pg_ctl leaves the server its streams: a pipe would never come to its end.
        with tempfile.TemporaryFile() as said:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder, check=False
            )
            said.seek(0)
            assert ended.returncode == 0, said.read().decode()


def _unprivileged() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A running server; the test is skipped where PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")
    # Not pytest's temporary folder, which other users may not enter; and short, for the socket's name.
    folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
    made = Server(folder, programs)
    try:
        made.start()
        yield made
        made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
