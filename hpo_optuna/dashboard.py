"""optuna-dashboard on our database."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage

from .errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # Ctrl-C waits for no open page


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The page polls: a line each request would bury the address."""


def serve(
    storage: str | BaseStorage,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    artifact_dir: Path | None = None,
    open_browser: bool = False,
) -> None:
    """Serve optuna-dashboard until Ctrl-C; the address is printed first.

    Args:
        storage: the database, or its URL.
        host: address to listen on. The dashboard has no password and can delete studies, so an address beyond
            127.0.0.1 comes with a warning.
        port: 0 takes a free one.
        artifact_dir: folder of Optuna's artifacts; None: the one beside the database, ``hpo.db-artifacts``.
        open_browser: whether to open the page in the default browser.

    Raises:
        UserError: no database, a port in use, or an address that is not this machine's.
    """
    server = make_dashboard(storage, host=host, port=port, artifact_dir=artifact_dir)
    address = f"http://{host}:{server.server_port}/"
    if host not in LOOPBACK:
        print(f"Warning: anyone who reaches {host} can change and delete studies.", file=sys.stderr, flush=True)
    print(f"optuna-dashboard on {address} (Ctrl-C ends it)", flush=True)
    if open_browser:
        import webbrowser

        webbrowser.open(address)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("dashboard ended.", flush=True)


def make_dashboard(
    storage: str | BaseStorage, *, host: str = "127.0.0.1", port: int = 0, artifact_dir: Path | None = None
) -> WSGIServer:
    """The server of :func:`serve`, listening but not yet serving; close it after use."""
    if not 0 <= port <= 65535:
        raise UserError(f"a port lies between 0 and 65535, got {port}.")
    if artifact_dir is not None and not artifact_dir.is_dir():
        raise UserError(f"the artifact folder {artifact_dir} does not exist; create it or leave it out.")
    try:
        server = make_server(host, port, _not_yet, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} on {host} is in use; choose another, or 0 for a free one.") from error
        if error.errno == errno.EACCES:
            raise UserError(f"port {port} needs more rights; choose one above 1023, or 0 for a free one.") from error
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror or error}.") from error
    try:
        server.set_app(make_app(storage, artifact_dir))  # may make a folder, so not before there is a port
    except BaseException:
        server.server_close()
        raise
    return server


def make_app(storage: str | BaseStorage, artifact_dir: Path | None = None) -> Any:
    """optuna-dashboard as a WSGI application.

    Args:
        storage: the database, or its URL.
        artifact_dir: folder of Optuna's artifacts; None: the one beside the database, ``hpo.db-artifacts``.
    """
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    from .artifacts import artifact_folder

    if isinstance(storage, str):
        from .storage import open_storage

        storage = open_storage(storage, create=False, patient=False)  # a page may fail, and is asked for again
    folder = artifact_folder(storage) if artifact_dir is None else artifact_dir
    if folder is not None and not folder.is_dir():
        try:
            folder.mkdir()  # finalize may fill it while the dashboard runs
        except OSError:
            folder = None  # a database to be read only: nothing can be kept beside it
    return wsgi(storage, artifact_store=None if folder is None else FileSystemArtifactStore(folder))


def _not_yet(*_: Any) -> list[bytes]:
    """The application until there is one: nothing is served before."""
    return []
