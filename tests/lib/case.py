"""Shared by test modules: one server for the whole module, and helpers that tests are written with.

A module says `SERVER = ServerModule(__name__, config=...)`, and binds setUpModule and tearDownModule to SERVER's
methods. Each test module is an example.
"""

import unittest

from lib import shared
from lib.hatchery import Code, Refused, Status


class ServerModule:
    """The server of one test module: started before the first test; stopped after the last, with a search for
    leftovers. A shared server also serves other modules in the same process, and ends with the process."""

    def __init__(self, name, is_shared=False, **options):
        self.name = name.rsplit(".", 1)[-1]
        self.is_shared = is_shared
        self.options = options
        self.server = None

    def set_up(self):
        self.server = (shared.SERVERS.get if self.is_shared else shared.start)(self.name, **self.options)

    def tear_down(self):
        if not self.is_shared:
            self.server.stop()

    def __getattr__(self, name):
        return getattr(self.server, name)


class Case(unittest.TestCase):
    """A test with one connection to the module's server, made when it is first used."""

    SERVER = None
    maxDiff = None

    def setUp(self):
        self._client = None

    def tearDown(self):
        if self._client is not None:
            self._client.close()

    @property
    def client(self):
        if self._client is None:
            self._client = self.SERVER.connect()
        return self._client

    def connect(self, **options):
        client = self.SERVER.connect(**options)
        self.addCleanup(client.close)
        return client

    def execute(self, code=None, **arguments):
        return self.client.execute(code, **arguments)

    def output(self, code=None, **arguments):
        """Runs a program that must succeed, and returns its output."""
        result = self.execute(code, **arguments)
        self.assert_status(result, "EXITED")
        self.assertEqual(0, result.exit_code, describe(result))
        return result.stdout.decode()

    def assert_status(self, result, name):
        self.assertEqual(name, Status.Name(result.status), describe(result))

    def assert_exited(self, result, exit_code=0):
        self.assert_status(result, "EXITED")
        self.assertEqual(exit_code, result.exit_code, describe(result))

    def assert_refused(self, code, words, action, *arguments, **keywords):
        """Checks that the answer to the action is an Error with this code, and that its sentence holds all of these
        words."""
        with self.assertRaises(Refused) as caught:
            action(*arguments, **keywords)
        self.assert_error(caught.exception.error, code, words)
        return caught.exception.error

    def assert_error(self, error, code, words):
        self.assertEqual(code, Code.Name(error.code), error.message)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word.lower(), error.message.lower())

    def assert_alive(self, client=None):
        """Checks that nothing was lost: a normal run works."""
        self.assertEqual(b"42\n", (client or self.client).execute("print(6 * 7)").stdout)

    def assert_alive_on_new_connection(self):
        with self.SERVER.connect() as client:
            self.assert_alive(client)


def describe(result):
    """Returns a short text about a result, for the message of a failed assertion."""
    return (f"{Status.Name(result.status)} exit_code={result.exit_code} signal={result.signal} wall_us={result.wall_us} "
            f"stages=[{' '.join(str(result.stages).split())}] "
            f"stdout={result.stdout[-600:]!r} stderr={result.stderr[-1500:]!r}")
