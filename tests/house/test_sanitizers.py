"""A report of the sanitizers in a development build must fail a test, whichever process of a server it comes from. Each
of these processes must really look for leaks. (Sandboxes end by _exit, which does not look for leaks.)"""

import os
import shutil
import unittest
from unittest import mock

from lib.server import IS_SANITIZED, Server

REPORTS = (
    "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60200000eff0",
    "==7==ERROR: LeakSanitizer: detected memory leaks",
    "==7==LeakSanitizer has encountered a fatal error.",
    "zygote/zygote.c:1:2: runtime error: signed integer overflow: 1 + 2147483647",
    "==7==AddressSanitizer: CHECK failed: asan_thread.cpp:367",
)


class Reports(unittest.TestCase):
    def log_of(self, *lines):
        server = Server(f"{__name__}-log")
        self.addCleanup(shutil.rmtree, server.dir)
        self.addCleanup(server.log_path.unlink, missing_ok=True)
        server.log_path.write_text("".join(line + "\n" for line in lines))
        server.log_from = 0
        return server

    def test_every_kind_of_report_in_a_log_is_found(self):
        for line in REPORTS:
            with self.subTest(line):
                found = self.log_of("info  pool: ready after 80 ms", line, "and what follows").sanitizer_reports()
                self.assertEqual(f"{line}\nand what follows\n", found)

    def test_a_log_without_a_report_is_clean(self):
        self.assertEqual("", self.log_of("info  pool: ready", "error pool: a runtime is missing").sanitizer_reports())

    def test_a_report_fails_whoever_stops_the_server(self):
        server = Server(f"{__name__}-reported").start()
        with open(server.log_path, "a") as log:
            log.write(REPORTS[1] + "\n")
        with self.assertRaisesRegex(AssertionError, "detected memory leaks"):
            server.stop()


class Leaks(unittest.TestCase):
    def test_leaks_are_looked_for_in_supervisor_and_pool_and_zygotes(self):
        options = os.environ.get("LSAN_OPTIONS", "") + ":log_threads=1"
        with mock.patch.dict(os.environ, LSAN_OPTIONS=options):
            server = Server(f"{__name__}-looked").start()
        processes = server.daemons()
        self.assertGreaterEqual(len(processes), 3)
        with server.connect() as client:
            self.assertEqual(b"42\n", client.execute("print(6 * 7)").stdout)
        server.stop()
        for process in processes:
            with self.subTest(process.name):
                self.assertIn(f"Processing thread {process.pid}.", server.log())


if not IS_SANITIZED:
    del Leaks  # other builds have no sanitizer
