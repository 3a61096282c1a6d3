"""Code that all tables of states share. In a sandbox, this code comes before the text of one table.

A state is a class with two functions: poison() leaves a mark; probe() reports the state, and its report is the same in
every unmarked sandbox. If a wall refuses a poison, the class says so in `refused`, and poison() has to raise.
"""

import ctypes
import errno
import json
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)

STATES = {}


def state(cls):
    STATES[cls.__name__] = cls
    return cls


def call(function, *arguments):
    """Calls a function of libc, and raises its error as an OSError."""
    result = getattr(libc, function)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def quietly(function, *arguments):
    """Calls a function. Returns its result, or the name of its error."""
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def some(function, items):
    """Applies a function to every item; fails unless it worked for at least one."""
    if all([isinstance(quietly(function, item), str) for item in items]):
        raise OSError(errno.EPERM, "the function worked for no item")


def forked(function):
    """Runs a function in a child. Returns as soon as the child reports that it runs, and does not wait for its end."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        try:
            function(lambda: os.write(writer, b"x"))
        finally:
            os._exit(0)
    os.close(writer)
    if os.read(reader, 1) != b"x":
        raise OSError(errno.ECHILD, "the child died")
    os.close(reader)


def slot():
    """Returns the host uid of this slot as its number: each slot has its own, and /proc/self/uid_map shows it."""
    with open("/proc/self/uid_map") as file:
        return int(file.read().split()[-2])


def main(what):
    said = {"slot": slot(), "poisoned": {}, "found": {}}
    if what in ("poison", "both"):
        for name, cls in STATES.items():
            try:
                cls.poison()
                said["poisoned"][name] = "done"
            except (OSError, ValueError) as error:
                said["poisoned"][name] = str(error)
    if what in ("probe", "both"):
        for name, cls in STATES.items():
            said["found"][name] = cls.probe()
    # Writes by os.write, because sys.stdout may be poisoned.
    text = json.dumps(said, sort_keys=True).encode()
    while text:
        text = text[os.write(1, text):]
    os._exit(0)
