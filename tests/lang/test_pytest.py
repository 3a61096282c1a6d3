"""pytest, a language that is data: python3 -m pytest FILE ARGUMENTS becomes the sandbox's main process."""

from lib.case import Case, ServerModule, describe

SERVER = ServerModule(__name__, config="language pytest { warm = 1 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

TESTS = """
import pytest
from solution import double

@pytest.mark.parametrize("n", [1, 2])
def test_double(n):
    assert double(n) == 2 * n

def test_wrong(tmp_path, capsys):
    assert double(2) == 5
"""


class Pytest(Case):
    SERVER = SERVER

    def run_tests(self, code=None, **fields):
        return self.execute(code, language="pytest", **fields)

    def test_exit_codes_are_pytests_own(self):
        files = {"test_main.py": TESTS, "solution.py": "def double(n):\n    return 2 * n\n"}
        result = self.run_tests(files=files, entry="test_main.py", args=["-q", "--tb=short"], collect=["**"])
        self.assert_exited(result, 1)
        self.assertIn(b"E   assert 4 == 5", result.stdout, describe(result))
        self.assertIn(b"1 failed, 2 passed", result.stdout)
        self.assertEqual(sorted(files), sorted(file.name for file in result.files))  # no file that pytest makes
        result = self.run_tests(files=files, entry="test_main.py", args=["-k", "double"])
        self.assert_exited(result)
        self.assertIn(b"2 passed, 1 deselected", result.stdout)

    def test_a_file_without_tests(self):
        self.assert_exited(self.run_tests("x = 1\n"), 5)

    def test_a_file_without_a_name_has_one_that_pytest_looks_for(self):
        result = self.run_tests("def test_a(): pass\n", args=["--co", "-q"])
        self.assert_exited(result)
        self.assertIn(b"test_main.py::test_a\n", result.stdout, describe(result))
