"""The pool's trusted socket, spoken to in place of a gateway: this process takes the gateway's user for as long as it
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
    """A connection as the gateway has it, whose requests are all for this caller; or of another user."""
    socket = path(server)
    with user(socket.stat().st_uid if uid is None else uid):
        return Client(f"unix:{socket}", on_behalf=caller, **options)
