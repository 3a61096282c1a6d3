"""Shared by tests of hostile programs in all languages: run one, and check that the server is as before."""

from lib.case import Case, describe
from lib.server import sanitized_limits

MIB = 1 << 20


class HostileCase(Case):
    LANGUAGE = None  # the language's name
    HELLO = None  # a program that prints a line
    LIMITS = {}
    # False where a sandbox takes seconds of processor time. Then the next test shows that the server works.
    LOOKS_AFTER = True

    def run_program(self, program, limits=(), **options):
        limits = {**sanitized_limits(self.LANGUAGE), **self.LIMITS, **dict(limits)}
        return self.execute(program, language=self.LANGUAGE, limits=limits, **options)

    def hostile(self, program, **options):
        result = self.run_program(program, **options)
        if self.LOOKS_AFTER:
            after = self.run_program(self.HELLO)
            self.assert_exited(after)
            self.assertEqual(b"Hello, World!\n", after.stdout, describe(after))
        return result

    def assert_ends(self, status, program, **options):
        result = self.hostile(program, **options)
        self.assert_status(result, status)
        return result
