"""Flags of compilers that a request sets: their effects, refusals, and that the cache distinguishes them."""

import time

from lib.case import Case, ServerModule

SERVER = ServerModule(__name__, config="".join(f"language {name} {{ warm = 1 }}\n" for name in ("python", "c", "cpp", "rust")))
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def unique(program):
    """A source that the cache can't know."""
    return f"// {time.time_ns()}\n{program}"


class Flags(Case):
    SERVER = SERVER

    TELL = ('#include <stdio.h>\n#ifdef __OPTIMIZE__\n#define O "O"\n#else\n#define O "-"\n#endif\n#ifndef X\n#define X 0\n#endif\n'
            'int main(void) { printf("%ld %s %d", __STDC_VERSION__, O, X); }\n')

    def test_flags_of_the_request_are_the_compilers_and_a_part_of_the_cache_key(self):
        program = unique(self.TELL)
        for flags, expected in (([], "201710 O 0"), (["-std=c99"], "199901 O 0"), (["-O0", "-DX=5"], "201710 - 5"),
                                (["-O0", "-DX=6", "-lm"], "201710 - 6")):
            for cached in False, True:
                result = self.execute(program, language="c", compile_flags=flags)
                self.assert_exited(result)
                self.assertEqual((expected, cached), (result.stdout.decode(), result.compile.cached), flags)

    def test_warnings_that_were_asked_for_are_told(self):
        result = self.execute(unique("int main(void) { int unused; }\n"), language="c", compile_flags=["-Wall"])
        self.assertIn(b"-Wunused-variable", result.compile.stderr)
        result = self.execute(unique("int main(void) { int unused; }\n"), language="c", compile_flags=["-Wall", "-Werror"])
        self.assert_status(result, "COMPILE_ERROR")

    def test_another_standard_of_cpp_does_without_the_precompiled_header(self):
        """The flags also ask for the library's assertions and no optimisation. No message is about the header"""
        program = unique("#include <bits/stdc++.h>\nusing namespace std;\ntemplate <integral T> T f(T x) { return x; }\n"
                         "int main() { vector<int> v(1); cout << __cplusplus << ' ' << f(5) << (v.begin() <=> v.end() < 0) << flush;\n"
                         "        return v[1]; }\n")
        result = self.execute(program, language="cpp", compile_flags=["-std=c++20", "-O0", "-Wall", "-D_GLIBCXX_DEBUG"])
        self.assert_status(result, "SIGNALED")  # by the library's check of v[1]
        self.assertEqual((b"202002 51", b""), (result.stdout, result.compile.stderr))
        self.assertIn(b"out-of-bounds", result.stderr)

    def test_an_edition_of_rust(self):
        # Edition 2018 is neither rustc's default, which has no async fn, nor ours, in which into_iter gives no
        # references.
        result = self.execute(unique("async fn _f() {}\nfn main() { for x in [201].into_iter() { let y: &i32 = x; print!(\"{y}\"); } }\n"),
                              language="rust", compile_flags=["--edition=2018", "-Copt-level=0"])
        self.assert_exited(result)
        self.assertEqual(b"201", result.stdout)

    def test_what_is_not_allowed_is_refused_with_what_is(self):
        for flag in ("-fplugin=./x.so", "-Wl,-rpath,/tmp", "-Xlinker", "@list", "-o/tmp/x", "-include/etc/passwd", "-I/", "-B.",
                     "-specs=x", "-wrapper", "-std=c++20", "-lgmp", "-DX=\"a b\"", "-O2 -o x", "", "main.c"):
            self.assert_refused("INVALID_ARGUMENT", ["compile_flags", "-std={c89,", "-l{m,"], self.execute, "int main(void) {}",
                                language="c", compile_flags=["-O2", flag])
        self.assert_refused("INVALID_ARGUMENT", ["compile_flags", "python", "takes none"], self.execute, "print(1)",
                            compile_flags=["-O"])

    def test_the_status_and_the_command_know_them(self):
        flags = {row.name: list(row.compile_flags) for row in self.client.status().languages}
        self.assertEqual([], flags["python"])
        self.assertIn("-D{NAME}={VALUE}", flags["c"])
        done = SERVER.run("run", "-l", "c", "--compile-flag", "-DX=7", "--compile-flag", "-O0", "-e", unique(self.TELL))
        self.assertEqual((0, b"201710 - 7"), (done.returncode, done.stdout), done.stderr)
        done = SERVER.run("languages", "-v")
        self.assertIn(b"    takes --compile-flag -std={c89,", done.stdout)
