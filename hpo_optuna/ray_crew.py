"""Workers on a Ray cluster: one Ray task each, replaced when they or their nodes die."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

import cloudpickle

from .crew import GIVEN_UP, INTERRUPTED, LEAVE_SECONDS, MAX_RESTARTS, USERS, LastWords
from .errors import StudyStopped, UserError
from .matrix import check
from .patience import plainly, tell
from .storage import open_storage, shown, sqlite_path
from .workers import prepare_task, quiet_optuna, work_here

CONNECT_SECONDS = 10.0  # what the head of a cluster may take to accept a connection
SETTLE_SECONDS = 2.0  # between the first worker that finds nothing left to do and the last
ONE_CORE = {"CPU": 1.0}


def parse_resources(text: str) -> dict[str, float]:
    """``"CPU=2,GPU=0.5"`` as a dictionary, in Ray's names of resources.

    Raises:
        UserError: a part is no ``NAME=NUMBER``.
    """
    resources: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            resources[name.strip()] = float(number)
        except ValueError:
            raise UserError(f"--ray-resources {part!r} is no NAME=NUMBER; use for example CPU=2,GPU=1.") from None
    return resources


class Cluster:
    """A running Ray cluster that this process is connected to until it ends, or calls ``ray.shutdown()``.

    Args:
        address: ``auto`` for the cluster that this machine is a node of, or ``HOST:PORT`` of its head.
        url: of the database that all nodes are to write to.
        resources: what one worker holds, in Ray's names and numbers; empty for one core.

    Raises:
        UserError: Ray is not installed, nothing answers at ``address``, the database is a file of this machine, or a
            resource is no positive number.
    """

    def __init__(self, address: str, url: str, resources: Mapping[str, float] | None = None) -> None:
        if sqlite_path(url) is not None:
            raise UserError(
                f"{shown(url)} is a file of this machine, and the nodes of a Ray cluster cannot share it; name a "
                "server, --storage postgresql+psycopg://user@host/hpo, or leave --ray out: --workers N starts "
                "N processes here."
            )
        self._needs = dict(resources or ONE_CORE)
        for name, number in self._needs.items():
            if not name or not 0 < number < math.inf:
                raise UserError(f"a worker's resource {name}={number} must be a positive number, as in CPU=2,GPU=1.")
        if importlib.util.find_spec("ray") is None:
            raise UserError("Ray is not installed; install it by `pip install 'hpo-optuna[ray]'`.")
        _knock(address)
        _connect(address)
        self.address = address

    @property
    def _options(self) -> dict[str, Any]:
        named = {"CPU": "num_cpus", "GPU": "num_gpus"}
        others = {name: number for name, number in self._needs.items() if name not in named}
        return {
            "num_cpus": 0,
            **{named[name]: number for name, number in self._needs.items() if name in named},
            "resources": others,
            "scheduling_strategy": "SPREAD",
            "max_retries": 0,  # the crew replaces, and knows when to stop
            "max_calls": 1,  # a process for each worker, as on one machine
        }

    def prepare(self, order: Mapping[str, Any]) -> None:
        """On each node before its workers start: let the task prepare its data, and see that the database answers.

        A node that joins later prepares its data with its first worker.

        Raises:
            UserError: naming the node and what is wrong there.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        fit = [node for node in nodes if node["Alive"] and self._fits(node["Resources"])]
        if not fit:
            needs = ",".join(f"{name}={number:g}" for name, number in self._needs.items())
            tell(f"no node of the Ray cluster {self.address} has {needs}; the workers wait for one to join.")
        prepare, parcel = ray.remote(_prepare), _pack(order)
        hosts = {node["NodeManagerAddress"]: node for node in fit}  # several nodes of one machine share its data
        asked = {}
        for node in hosts.values():
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            task = prepare.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
            asked[node["NodeManagerHostname"]] = task.remote(*parcel)
        for host, answer in asked.items():
            try:
                said = ray.get(answer)
            except ray.exceptions.RayTaskError as error:
                raise UserError(_foreign(host, error)) from error
            except ray.exceptions.RayError:
                continue  # the node has died; the others go on
            if said:
                raise UserError(f"node {host} of the Ray cluster: {said}")

    def _fits(self, has: Mapping[str, float]) -> bool:
        return all(has.get(name, 0.0) >= number for name, number in self._needs.items())

    def hire(self, order: Mapping[str, Any], size: int) -> RayCrew:
        """Start ``size`` workers, each as soon as a node has room for it."""
        return RayCrew(order, size, self._options)


class RayCrew:
    """Workers on the nodes of a Ray cluster; the dead are replaced.

    Args:
        order: the plan, the URL of the database, the labels to run, and the process that leads.
        size: how many.
        options: Ray's, of each worker's task.
    """

    def __init__(self, order: Mapping[str, Any], size: int, options: Mapping[str, Any]) -> None:
        import ray

        self._parcel = _pack(order)
        self._worker = ray.remote(**options)(_work)
        self._tasks = [self._start() for _ in range(size)]
        self._restarts = 0
        self._over: float | None = None  # since when a worker has found nothing left to do
        self.words = LastWords()

    def _start(self) -> Any:
        return self._worker.remote(*self._parcel)

    def attend(self) -> bool:
        """Replace workers that died or were asked to end by their node, keep the words of those that failed.

        Returns:
            False when none is left, or when nothing is left to do for those that never found a free node.
        """
        import ray

        ended, _ = ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0)
        for task in ended:
            self._tasks.remove(task)
            code, words = _outcome(task)
            if code in (0, GIVEN_UP) and self._over is None:
                self._over = time.monotonic()
            if code == INTERRUPTED and self._restarts < MAX_RESTARTS:
                self._restarts += 1
                self._tasks.append(self._start())
            elif code not in (0, INTERRUPTED):
                self.words.add(code, words)
        late = self._over is not None and time.monotonic() - self._over > SETTLE_SECONDS
        return bool(self._tasks) and not late

    def dismiss(self) -> None:
        """Ask all workers to end as Ctrl-C would, and kill those that do not within seconds."""
        import ray

        for task in self._tasks:
            ray.cancel(task)
        if self._tasks:
            _, late = ray.wait(self._tasks, num_returns=len(self._tasks), timeout=LEAVE_SECONDS)
            for task in late:
                ray.cancel(task, force=True)
        self._tasks = []


def _outcome(task: Any) -> tuple[int, str]:
    """How a worker ended: its exit code as that of a process, and its last words."""
    import ray

    try:
        code, words = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        return 1, _foreign("", error)
    except ray.exceptions.RayError:  # it, its node, or the way to them is gone
        return INTERRUPTED, ""
    return code, words


def _foreign(host: str, error: Exception) -> str:
    return (
        f"a worker cannot start on node {host or 'unknown'} of the Ray cluster: {str(error).strip().splitlines()[-1]}; "
        "every node needs the same Python, hpo-optuna[ray,postgres] and the modules of the plan."
    )


def _pack(order: Mapping[str, Any]) -> tuple[list[str], bytes]:
    # Pickled here: Ray's own cloudpickle does not know that the plan's module travels by value.
    return [entry or os.getcwd() for entry in sys.path], cloudpickle.dumps(dict(order))


def _unpack(path: list[str], order: bytes) -> dict[str, Any]:
    sys.path.extend(entry for entry in path if entry not in sys.path)  # a model that lies beside the plan
    unpacked: dict[str, Any] = cloudpickle.loads(order)
    return unpacked


def _prepare(path: list[str], order: bytes) -> str:
    wanted = _unpack(path, order)
    try:
        check(wanted["plan"], wanted["only"])
        prepare_task(wanted["plan"])
        with plainly(), quiet_optuna():
            open_storage(wanted["url"], create=False)
    except UserError as error:
        return str(error)
    return ""


def _work(path: list[str], order: bytes) -> tuple[int, str]:
    wanted = _unpack(path, order)
    try:
        work_here(wanted["plan"], wanted["url"], only=wanted["only"], parent=wanted["parent"])
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    except UserError as error:
        return USERS, str(error)
    except StudyStopped as error:
        return GIVEN_UP, str(error)
    except Exception:
        return 1, traceback.format_exc()[-4000:]
    return 0, ""


def _knock(address: str) -> None:
    """Whether somebody listens: Ray itself tries for a minute, and may end the process."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        raise UserError(
            f"--ray {address!r} is neither auto nor HOST:PORT; run this command on a node of the cluster, with "
            "--ray auto."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error}); is its head running (`ray start --head`), and is it "
            "reached from here?"
        ) from error


def _connect(address: str) -> None:
    import ray

    if ray.is_initialized():
        here = ray.get_runtime_context().gcs_address
        if address not in ("auto", here):
            raise UserError(f"this process is connected to Ray at {here}, not at {address}; call ray.shutdown() first.")
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        raise UserError(
            f"no Ray cluster can be used at {address}: {said} Run this command on a node of the cluster that runs "
            "the same versions of Ray and Python."
        ) from error
