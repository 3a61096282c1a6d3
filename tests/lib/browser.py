"""Headless Chromium, and web pages for it. A page tells the test what it saw by POST /report to its own origin."""

import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lib import host
from lib.scale import patience
from lib.server import wait_until


class Pages:
    """One origin: a web server on a free port of 127.0.0.1. Each path of `pages` has a page."""

    def __init__(self):
        self.pages = {}
        self.reports = queue.Queue()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                page = ours.pages.get(self.path)
                self.answer(404 if page is None else 200, page or "")

            def do_POST(self):
                ours.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(200, "")

            def answer(self, status, text):
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def report(self, seconds=60):
        """The next report of a page; fails if none comes."""
        try:
            return self.reports.get(timeout=patience(seconds))
        except queue.Empty:
            raise AssertionError(f"the page reported nothing within {patience(seconds):g} s") from None

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    """Chromium with one page open, until the end of the `with`. Its log is shown if the test fails."""

    def __init__(self, url):
        self.url = url

    def __enter__(self):
        host.become_subreaper()
        self.folder = tempfile.mkdtemp(prefix="hatchery-test-browser-")
        # Without a sandbox of its own, because root runs it; /dev/shm of a container may be too small for it.
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
                   "--enable-logging=stderr", f"--user-data-dir={self.folder}/profile", self.url]
        env = {**os.environ, "HOME": self.folder, "XDG_CONFIG_HOME": self.folder, "XDG_CACHE_HOME": self.folder}
        self.log = open(f"{self.folder}/log", "w+b")
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        return self

    def __exit__(self, kind, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_until(self.is_gone, 30, "the end of the browser's processes")
        if kind:
            print(f"# {self.said()}", flush=True)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_gone(self):
        """Reaps the browser's orphans, which are our children now. The handler of crashes has a session of its own, and
        ends by itself."""
        left = [process for process in host.children(os.getpid()) if process.name.startswith("chrom")]
        for process in left:
            if process.state == "Z":
                os.waitpid(process.pid, 0)
        return not left

    def said(self):
        """The last lines of the log that come from the page, or all last lines if there are none."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").splitlines()
        return "\n# ".join(([line for line in lines if ":CONSOLE:" in line] or lines)[-10:])
