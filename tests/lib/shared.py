"""Servers that several test modules of one process use, one after the other: a module that asks for the same
configuration and the same faults gets the running server. They end with the process (lib/modules.py), and each is then
checked for leftovers."""

from lib.server import Server


class SharedServers:
    def __init__(self):
        self.running = {}

    def get(self, name, **options):
        """Returns a started, idle server. If the server is new, its log gets this name."""
        key = repr(sorted(options.items()))
        server = self.running.get(key)
        if server is not None:
            if server.process.poll() is None:
                server.wait_idle()
                return server
            del self.running[key]
            server.stop()  # fails, since the server ended by itself
        server = self.running[key] = start(name, **options)
        return server

    def end(self):
        stop_all(self.running)


def start(name, **options):
    server = Server(name, **options)
    try:
        server.start()
    except BaseException:
        server.release()
        raise
    return server


def stop_all(servers):
    """Empties the dictionary. All servers are stopped, even if the first of them fails."""
    failures = []
    while servers:
        _, server = servers.popitem()
        try:
            server.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    if failures:
        raise AssertionError("\n".join(failures))


SERVERS = SharedServers()
