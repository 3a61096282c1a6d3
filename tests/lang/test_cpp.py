"""C++ by g++, a language that is data: compiled with a precompiled bits/stdc++.h, run in another sandbox."""

from lib.case import ServerModule, describe
from lib.compiled import NOT_COMPILED, compile_and_run, compiler_says
from lib.language_case import RUN_STAGE, Language, LanguageCase, tests_of
from lib.planted import planted_tests

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage cpp { warm = 1 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LINE = ["g++", "-O2", "-std=gnu++17", "-pipe", "-o", "main"]
ALL = "#include <bits/stdc++.h>\nusing namespace std;\n"


def main(body, more=""):
    return f"{ALL}{more}int main(int n, char **args)\n{{\n        (void)n, (void)args;\n{body}\n}}\n"


SYNTAX_ERROR = "int main()\n{\n        return 0\n}\n"

SEMANTICS = {
    "hello": main('cout << "Hello, World!" << endl;'),
    "stdin to its end": (main("string s((istreambuf_iterator<char>(cin)), {}); reverse(s.begin(), s.end()); cout << s;"),
                         {"stdin": "some\nlines\nand no end"}),
    "stdin by line": (main('for (string l; getline(cin, l);) cout << "<" << l << ">" << endl;'),
                      {"stdin": "one\n two \nthree\nfour"}),
    "args": (main('cout << args[0] << n; for (int i = 1; i < n; i++) cout << "[" << args[i] << "]";'),
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*"]}),
    "env": (main('cout << getenv("GREETING") << getenv("USER");'), {"env": {"GREETING": "good day = 1"}}),
    "several files": ('#include "lib/f.hpp"\n#include <iostream>\nint main() { std::cout << f(); }\n',
                      {"files": {"lib/f.hpp": "#include <string>\nstd::string f();\n",
                                 "lib/f.cc": '#include "f.hpp"\nstd::string f() { return __FILE__; }\n'}}),
    "exit code": main("exit(3);"),
    "uncaught error": main('cout << "before" << endl; throw runtime_error("dropped");'),
    "syntax error": (SYNTAX_ERROR, NOT_COMPILED),
    "death by signal": main("raise(SIGTERM);", "#include <csignal>\n"),
    "exit hook": main('atexit([] { puts("bye"); }); puts("work"); return 4;'),
    "buffered output": main('cout << "no newline";'),
    "binary output": main("for (int i = 0; i < 256; i++) cout.put(char(i));"),
    "utf-8 output": main('cout << "Grüße, 世界 🐣\\n";'),
    "unread stdin": (main('cout << "done\\n";'), {"stdin": "x" * 200_000}),
    "pending work": main('thread([] { this_thread::sleep_for(1s); puts("late"); }).detach(); cout << "end\\n";'),
    "own source": main('ifstream f(__FILE__); string l; getline(f, l); cout << __FILE__ << l;'),
    "subprocess": main('int r = system("echo inner; exit 7"); cout << WEXITSTATUS(r);', "#include <sys/wait.h>\n"),
    "stderr": main('cout << "out" << endl; cerr << "err\\n";'),
}

MORE = {
    "a throw of a number": main("throw 42;"),
    "a destructor after main": main("", 'struct S { ~S() { puts("destroyed"); } } s;\n'),
    "no destructor by _Exit": main("_Exit(2);", 'struct S { ~S() { puts("destroyed"); } } s;\n'),
    "a vector's bounds": main("vector<int> v(3); cout << v.at(5);"),
    "bad_alloc": main("try { string s(numeric_limits<long>::max() / 4, 'x'); } catch (bad_alloc &e) { cout << e.what(); }"),
    "std::terminate": main("set_terminate([] { puts(\"terminated\"); fflush(stdout); _Exit(9); }); throw 1;"),
    "a mutex and threads": main("mutex m; long c = 0; vector<thread> t; for (int i = 0; i < 8; i++) t.emplace_back([&] { for (int "
                                "j = 0; j < 1000; j++) { lock_guard<mutex> g(m); c++; } }); for (auto &x : t) x.join(); cout << c;"),
    "async": main("auto f = async(launch::async, [] { return 42; }); cout << f.get();"),
    "regex": main('cout << regex_replace("a1b22", regex("[0-9]+"), "#");'),
    "filesystem": main('ofstream("x") << "12"; cout << filesystem::file_size("x") << filesystem::current_path().string();'),
    "locale": main('cout << locale("").name();'),
    "long double": main("cout << setprecision(20) << sqrtl(2.0L);"),
    "integers of 128 bits": main("__int128 x = 1; x <<= 100; cout << (long)(x >> 90);"),
    "policy data structures": ("#include <bits/stdc++.h>\n#include <ext/pb_ds/assoc_container.hpp>\n#include "
                               "<ext/pb_ds/tree_policy.hpp>\nusing namespace __gnu_pbds;\nint main() { tree<int, null_type, "
                               "std::less<int>, rb_tree_tag, tree_order_statistics_node_update> t; t.insert(5); t.insert(3); "
                               "std::cout << *t.find_by_order(1) << t.order_of_key(5); }\n"),
    "the header is not the first": "#include <cstdio>\nint a;\n#include <bits/stdc++.h>\nint main() { std::cout << a; }\n",
    "other headers only": "#include <iostream>\n#include <map>\nint main() { std::map<int, int> m; std::cout << m[1]; }\n",
    "the standard": main("cout << __cplusplus;"),
    "what the optimiser is told": "#pragma GCC optimize(\"O3\")\n#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n",
    "macros before the header": "#define _GLIBCXX_DEBUG\n#include <bits/stdc++.h>\nint main() { std::vector<int> v(1); "
                                "return v.size() == 1 ? 0 : 1; }\n",
}

CORPUS = {
    "hello": main('cout << "Hello, World!\\n";'),
    "fizzbuzz": main('for (int i = 1; i <= 100; i++) cout << (i % 15 == 0 ? "FizzBuzz" : i % 5 == 0 ? "Buzz" : i % 3 == 0 ? '
                     '"Fizz" : to_string(i)) << "\\n";'),
    "primes": main("vector<bool> c(1000000); int k = 0; for (long i = 2; i < 1000000; i++) { if (c[i]) continue; k++; "
                   'for (long j = i * i; j < 1000000; j += i) c[j] = true; } cout << k << "\\n";'),
    "word count": main("map<string, int> m; for (string s; cin >> s;) m[s]++; vector<pair<int, string>> v; for (auto &p : m) "
                       'v.push_back({-p.second, p.first}); sort(v.begin(), v.end()); for (auto &p : v) cout << p.second << " " '
                       '<< -p.first << "\\n";'),
}

CPP = Language(name="cpp",
               killed=main('cout << "one\\n" << "part"; cerr << "err\\n"; cout << "two"; raise(SIGKILL);', "#include <csignal>\n"),
               main="main.cpp", command=compile_and_run(*LINE, "{sources}", extensions=["cpp", "cc"]),
               semantics=SEMANTICS, more=MORE, corpus=CORPUS, absent={"json": "C++ has no JSON"},
               random=[main("cout << random_device{}();"), main("cout << (void *)&n;")],
               is_costly=True, elsewhere=RUN_STAGE,  # C's table tests the same in a tenth of the time
               always=("macros before the header", "policy data structures", "the header is not the first", "the standard"))

Semantics = tests_of(SERVER, CPP)
Planted = planted_tests(SERVER, "cpp")


class Compiler(LanguageCase):
    SERVER, LANGUAGE = SERVER, CPP

    def test_what_the_compiler_says_is_what_it_says_by_itself(self):
        status, said = compiler_says([*LINE, "main.cpp"], {"main.cpp": SYNTAX_ERROR})
        result = self.run_program(SYNTAX_ERROR)
        self.assertEqual((status, said), (result.compile.exit_code, result.compile.stderr), describe(result))

    def test_the_precompiled_header_is_used(self):
        """The precompiled header is used: with a token before the #include, g++ takes longer to parse it"""
        use = "int main() { std::vector<int> v{1, 2}; std::cout << v.size(); }\n"
        with_it, without = (min(self.run_program(f"{before}{i}\n#include <bits/stdc++.h>\n{use}").compile.cpu_us
                                for i in range(2)) for before in ("// ", "static int a; // "))
        self.assertGreater(without, 0)
        self.assertLess(with_it, 0.7 * without)

    def test_the_aliases(self):
        for alias in "c++", "g++":
            self.assertEqual("cpp", self.execute(main(""), language=alias).language)
