"""Who is alive: processes are known by host, pid and the moment they started."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import psutil

Process: TypeAlias = Mapping[str, Any]


@cache
def this_process() -> Process:
    """Host, pid and start of this process. The start is in seconds since boot, so a changed clock moves it not."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=this_process.cache_clear)  # a child that is forked is another process


def _started(pid: int) -> float | None:
    try:
        return round(psutil.Process(pid).create_time() - psutil.boot_time(), 2)
    except psutil.Error:
        return None


def is_dead(process: Process) -> bool:
    """Whether ``process`` belonged to this host and is no more; False for other hosts, which only heartbeats judge."""
    if process["host"] != socket.gethostname():
        return False
    try:
        if psutil.Process(process["pid"]).status() == psutil.STATUS_ZOMBIE:
            return True
    except psutil.Error:
        return True
    started = _started(process["pid"])
    # boot_time has a resolution of one second on some systems.
    return started is None or abs(started - process["started"]) > 1.5


def is_awake(process: Process) -> bool:
    """Whether ``process`` is seen to run on this host, so that its heartbeats need not be asked; False if suspended."""
    if process["host"] != socket.gethostname() or is_dead(process):
        return False
    try:
        return psutil.Process(process["pid"]).status() != psutil.STATUS_STOPPED
    except psutil.Error:
        return False
