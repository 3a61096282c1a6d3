"""Connections to the pool's trusted socket, as a gateway makes them. This process takes the gateway's user while it
connects."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

from lib.hatchery import Client
from lib.server import RUN_DIR


@contextmanager
def user(uid):
    """The kernel tells a server the effective user and group at the time of connecting."""
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def path(server):
    numbers = {re.search(r"hatchery-(\d+)", group).group(1) for group in server.instance_cgroups}
    if len(numbers) != 1:
        raise AssertionError(f"one instance expected, found {numbers}")
    return Path(RUN_DIR, f"instance-{numbers.pop()}", "pool.sock")


def connect(server, caller=None, uid=None, **options):
    """Connects to the trusted socket. caller: all requests are on this caller's behalf; None: the test names a caller
    in each request. uid: the user that connects; None: the gateway's user."""
    socket = path(server)
    with user(socket.stat().st_uid if uid is None else uid):
        return Client(f"unix:{socket}", on_behalf=caller, **options)
