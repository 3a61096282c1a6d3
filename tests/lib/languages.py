"""Shared by tests of the set of languages: files of languages, and servers that read them from a directory of their
own."""

import re
import signal

from lib.hatchery import Refused
from lib.server import wait_until
from lib.servers import WithServers

PYTHON = "language python { warm = 2 running = 4 }\n"
GREET = 'echo "hello of $0" "$@"'


def runtime(name, *sections, **keys):
    """Returns the file of a language that /bin/sh runs. `keys` change its keys; a key that is None is left out."""
    keys = {"kind": "exec", "main_file": "main.sh", "version": '{ sh, -c, "echo 1.2.3" }', "run": '{ sh, "{entry}" }',
            "needs": "{ /bin/sh }", **keys}
    body = "".join(f"        {key} = {value}\n" for key, value in keys.items() if value is not None)
    body += "".join(f"        {section}\n" for section in sections)
    return f"runtime '{name}' {{\n{body}}}\n"


class WithLanguages(WithServers):
    def prepare(self, config=PYTHON, files=None, options=()):
        """Returns a server that reads `files` (name to text) from a directory of its own. self.write changes a file
        there."""
        server = super().prepare(config="", options=options)
        self.folder = server.dir / "lang"
        self.folder.mkdir()
        for name, text in (files or {}).items():
            self.write(name, text)
        self.configure(server, config)
        return server

    def configure(self, server, config):
        server.config_path.write_text(f"language_files = {{ {self.folder} }}\n{config}")

    def write(self, name, text):
        (self.folder / f"{name}.conf").write_text(text)

    def reload(self, server):
        """Tells the server to read everything again, and waits until it has done so or refused it."""
        before = len(server.log())

        def has_answered():
            return re.search(r"the configuration (stays as it was|was read again)", server.log()[before:])
        server.process.send_signal(signal.SIGHUP)
        wait_until(has_answered, what="the log line about the configuration")
        return server.log()[before:]

    def names(self, client):
        return [row.name for row in client.status().languages]

    def row(self, client, name):
        return next((row for row in client.status().languages if row.name == name), None)

    def wait_for(self, client, name):
        return wait_until(lambda: (row := self.row(client, name)) and row.ready and row.warm and row, what=f"{name}")

    def refusal(self, client, language, **arguments):
        with self.assertRaises(Refused) as caught:
            client.execute("", language=language, **arguments)
        return caught.exception

    def assert_says(self, text, client, language, code=GREET, **arguments):
        result = client.execute(code, language=language, **arguments)
        self.assert_exited(result)
        self.assertEqual(text, result.stdout.decode())
