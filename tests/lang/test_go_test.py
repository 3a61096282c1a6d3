"""go-test, a language that is data: `go test` builds the package in the work directory and runs its tests."""

import os
import unittest

from lib.case import Case, ServerModule, describe

SERVER = ServerModule(__name__, config="language go-test { warm = 1 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

TESTIFY = "/usr/share/gocode/src/github.com/stretchr/testify"
SOLUTION = "package main\n\nfunc Double(n int) int { return 2 * n }\n"
TESTS = """package main

import "testing"

func TestDouble(t *testing.T) {
	if Double(2) != 4 {
		t.Fatal("not 4")
	}
}

func TestWrong(t *testing.T) {
	t.Errorf("%d is not 5", Double(2))
}
"""


def one(statement, *imports):
    lines = "".join(f'import "{name}"\n' for name in ("testing", *imports))
    return f"package main\n{lines}func TestA(t *testing.T) {{\n{statement}\n}}\n"


class GoTest(Case):
    SERVER = SERVER

    def run_tests(self, code=None, **fields):
        return self.execute(code, language="go-test", **{"limits": {"wall_us": 60_000_000, "cpu_us": 60_000_000}, **fields})

    def test_exit_codes_and_output_are_gos_own(self):
        files = {"main_test.go": TESTS, "solution.go": SOLUTION}
        result = self.run_tests(files=files, entry="main_test.go", collect=["**"])
        self.assert_exited(result, 1)
        self.assertIn(b"--- FAIL: TestWrong", result.stdout, describe(result))
        self.assertIn(b"main_test.go:12: 4 is not 5", result.stdout)
        self.assertEqual(sorted(files), sorted(file.name for file in result.files))  # no file that go makes
        result = self.run_tests(files=files, entry="main_test.go", args=["-v", "-run", "Double"])
        self.assert_exited(result)
        self.assertIn(b"--- PASS: TestDouble", result.stdout, describe(result))
        self.assertRegex(result.stdout, rb"\nPASS\nok  \t\S+\t[0-9.]+s\n$")

    def test_a_file_without_tests(self):
        result = self.run_tests("package main\n")
        self.assert_exited(result)
        self.assertIn(b"no tests to run", result.stdout + result.stderr, describe(result))

    def test_what_does_not_compile_fails(self):
        for title, code, said in (("syntax", one("x :="), b"main_test.go:5:"), ("type", one('var x int = ""'), b"main_test.go:4:"),
                                  ("vet", one('t.Logf("%d", "x")'), b"wrong type"), ("network", one("a.B()", "github.com/a/b"), b"github.com/a/b")):
            with self.subTest(title):
                result = self.run_tests(code)
                self.assertIn(result.exit_code, (1, 2), describe(result))
                self.assertIn(b"FAIL\t", result.stdout)
                self.assertIn(said, result.stderr, describe(result))

    def test_a_module_with_packages_below(self):
        files = {"go.mod": "module example.org/x\n\ngo 1.18\n", "util/util.go": "package util\n\nfunc Two() int { return 2 }\n",
                 "main_test.go": one('if util.Two() != 2 { t.Fatal("no") }', "example.org/x/util")}
        result = self.run_tests(files=files, entry="main_test.go")
        self.assert_exited(result)
        self.assertIn(b"ok  \texample.org/x\t", result.stdout, describe(result))

    def test_usual_tests_are_quick(self):
        """What prepare.sh has made is found, although the cache is read-only: without it, this takes 10 s and more"""
        result = self.run_tests(one('if httptest.NewRecorder() == nil || strings.ToUpper("a") != "A" { t.Fatal("no") }', "net/http/httptest", "strings"))
        self.assert_exited(result)
        self.assertLess(result.cpu_us, 6_000_000, describe(result))

    @unittest.skipUnless(os.path.isdir(TESTIFY), "golang-github-stretchr-testify-dev is not installed")
    def test_libraries_of_the_system(self):
        result = self.run_tests(one('assert.Equal(t, "a", "b")', "github.com/stretchr/testify/assert"))
        self.assert_exited(result, 1)
        self.assertIn(b"Error:      \tNot equal", result.stdout, describe(result))
        self.assertLess(result.cpu_us, 6_000_000, describe(result))
