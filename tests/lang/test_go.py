"""Go, a language that is data: built in one sandbox, run in another."""

import re

from lib.case import ServerModule, describe
from lib.compiled import compile_and_run
from lib.language_case import Language, LanguageCase, tests_of
from lib.planted import planted_tests

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage go { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LINE = ["env", "GO111MODULE=auto", "GOPROXY=off", "GOPATH=/tmp/go", "HOME=/tmp", "go", "build", "-ldflags=-s -w", "-o", "main",
        "."]


def main(body, *imports, more=""):
    return "package main\n" + "".join(f'import "{name}"\n' for name in imports) + f"{more}func main() {{\n{body}\n}}\n"


SYNTAX_ERROR = "package main\nfunc main() {\n    x :=\n}\n"

SEMANTICS = {
    "hello": main('fmt.Println("Hello, World!")', "fmt"),
    "stdin to its end": (main("b, _ := io.ReadAll(os.Stdin); os.Stdout.Write(bytes.ToUpper(b))", "io", "os", "bytes"),
                         {"stdin": "some\nlines\nand no end"}),
    "stdin by line": (main('s := bufio.NewScanner(os.Stdin)\nfor s.Scan() { fmt.Printf("<%s>\\n", s.Text()) }', "bufio", "fmt",
                           "os"), {"stdin": "one\n two \nthree\nfour"}),
    "args": (main('fmt.Printf("%q\\n", os.Args)', "fmt", "os"), {"args": ["", "a b", "žluťoučký", "-x", "--", "*"]}),
    "env": (main('fmt.Println(os.Getenv("GREETING"), os.Getenv("USER"), os.Getenv("GOCACHE"))', "fmt", "os"),
            {"env": {"GREETING": "good day = 1"}}),
    "several files": (main("println(f()); fmt.Println(util.G())", "fmt", "example.org/x/util"),
                      {"files": {"other.go": 'package main\nfunc f() string { return "of f" }\n',
                                 "go.mod": "module example.org/x\ngo 1.18\n",
                                 "util/g.go": "package util\nfunc G() int { return 42 }\n"}}),
    "exit code": main("os.Exit(3)", "os"),
    "uncaught error": (main('fmt.Println("before"); panic("dropped")', "fmt"), {}),
    "syntax error": (SYNTAX_ERROR, {"ours": (b"", b"", ("COMPILE_ERROR", 2))}),
    "death by signal": main("syscall.Kill(os.Getpid(), syscall.SIGTERM); select {}", "os", "syscall"),
    "exit hook": main('defer fmt.Println("bye"); fmt.Println("work")', "fmt"),
    "buffered output": main('fmt.Print("no newline")', "fmt"),
    "binary output": main("for i := 0; i < 256; i++ { os.Stdout.Write([]byte{byte(i)}) }", "os"),
    "utf-8 output": main('fmt.Println("Grüße, 世界 🐣")', "fmt"),
    "unread stdin": (main('fmt.Println("done")', "fmt"), {"stdin": "x" * 200_000}),
    "pending work": main('go func() { time.Sleep(time.Second); fmt.Println("late") }(); fmt.Println("end")', "fmt", "time"),
    "own source": main('b, _ := os.ReadFile("main.go"); fmt.Println(len(b))', "fmt", "os"),
    "subprocess": main('c := exec.Command("sh", "-c", "echo inner; exit 7"); o, e := c.Output(); fmt.Println(string(o), e)',
                       "fmt", "os/exec"),
    "stderr": main('fmt.Println("out"); fmt.Fprintln(os.Stderr, "err")', "fmt", "os"),
}

# Several rows of SEMANTICS as one program, because a build costs a second of processor time.
TOGETHER = (main(
    'fmt.Printf("%q\\n", os.Args); fmt.Println(os.Getenv("GREETING"), os.Getenv("USER"), os.Getenv("GOCACHE"))\n'
    's := bufio.NewScanner(os.Stdin)\nfor s.Scan() { fmt.Printf("<%s>\\n", s.Text()) }\n'
    'b, _ := os.ReadFile("main.go"); fmt.Println(len(b))\n'
    'o, e := exec.Command("sh", "-c", "echo inner; exit 7").Output(); fmt.Println(string(o), e)\n'
    'fmt.Fprintln(os.Stderr, "err"); fmt.Println("Grüße, 世界 🐣")\n'
    'for i := 0; i < 256; i++ { os.Stdout.Write([]byte{byte(i)}) }\nfmt.Print("no newline")', "bufio", "fmt", "os", "os/exec"),
    {"args": ["", "a b", "žluťoučký", "-x", "--", "*"], "env": {"GREETING": "good day = 1"}, "stdin": "one\n two \nthree\nfour"})

MORE = {
    "arguments, variables, streams and a process": TOGETHER,
    "GOMAXPROCS and GOGC": (main('fmt.Println(runtime.GOMAXPROCS(0), debug.SetGCPercent(100), time.Unix(0, 0).Hour())', "fmt", "runtime", "runtime/debug", "time"),
                            {"env": {"GOMAXPROCS": "1", "GOGC": "33", "TZ": "Asia/Tokyo"}}),
    "index out of range": main("a := []int{}\nprintln(a[len(os.Args)])", "os"),
    "nil map": main("var m map[int]int\nm[1] = 2"),
    "deadlock": main("c := make(chan int)\n<-c"),
    # One program for everything that succeeds, because each program is compiled twice.
    "the runtime and the library": main(
        'func() { defer func() { println(recover().(string)) }(); panic("caught") }()\n'
        "var w sync.WaitGroup\nvar n int64\nfor i := 0; i < 100; i++ { w.Add(1); go func() { atomic.AddInt64(&n, 1); w.Done() }() }\nw.Wait()\nprintln(n)\n"
        "println(max([]int{3, 9, 2}))\n"
        "s := 0\nfor i := 0; i < 2000; i++ { b := make([]byte, 100000); b[i] = 1; s += len(b) }\nprintln(s)\n"
        '_, e := net.Dial("tcp", "127.0.0.1:1"); fmt.Println(e != nil)\n'
        "fmt.Println(http.StatusText(404), runtime.GOOS, runtime.Version(), time.Unix(0, 0).UTC())",
        "fmt", "net", "net/http", "runtime", "sync", "sync/atomic", "time",
        more="func max[T int | string](a []T) T { m := a[0]; for _, x := range a { if x > m { m = x } }; return m }\n"),
    "log.Fatal": main('log.SetFlags(0); log.Fatal("fatal")', "log"),
    "a caught signal": main("c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), "
                            "syscall.SIGUSR1); fmt.Println(<-c)", "fmt", "os", "os/signal", "syscall"),
    "many blocked system calls": main('p := make([]int, 2); syscall.Pipe(p); for i := 0; i < 90; i++ { go syscall.Read(p[0], make([]byte, 1)) }\n'
                                      'for { if d, _ := os.ReadDir("/proc/self/task"); len(d) > 90 { break } }; fmt.Println("ok")', "fmt", "os", "syscall"),
    "embed": ('package main\nimport _ "embed"\n//go:embed data.txt\nvar s string\nfunc main() { print(s) }\n',
              {"files": {"data.txt": "embedded\n", "go.mod": "module x\ngo 1.18\n"}}),
}

CORPUS = {
    "hello": main('fmt.Println("Hello, World!")', "fmt"),
    "fizzbuzz": main('for i := 1; i <= 100; i++ { switch { case i%15 == 0: fmt.Println("FizzBuzz"); case i%5 == 0: '
                     'fmt.Println("Buzz"); case i%3 == 0: fmt.Println("Fizz"); default: fmt.Println(i) } }', "fmt"),
    "primes": main("c := make([]bool, 1000000); k := 0\nfor i := 2; i < len(c); i++ { if c[i] { continue }; k++; "
                   "for j := i * i; j < len(c); j += i { c[j] = true } }\nfmt.Println(k)", "fmt"),
    "word count": main("m := map[string]int{}; s := bufio.NewScanner(os.Stdin); s.Split(bufio.ScanWords)\nfor s.Scan() { m[s.Text()]++ "
                       "}\nw := []string{}\nfor k := range m { w = append(w, k) }\nsort.Slice(w, func(a, b int) bool { if m[w[a]] != "
                       "m[w[b]] { return m[w[a]] > m[w[b]] }; return w[a] < w[b] })\nfor _, k := range w { fmt.Println(k, m[k]) }",
                       "bufio", "fmt", "os", "sort"),
    "json": main('var x struct { Name string `json:"name"`; Items []int `json:"items"` }\njson.NewDecoder(os.Stdin).Decode(&x)\n'
                 't := 0\nfor _, i := range x.Items { t += i }\njson.NewEncoder(os.Stdout).Encode(struct { Name string '
                 '`json:"name"`; Total int `json:"total"` }{x.Name, t})', "encoding/json", "os"),
}


def without_addresses(stream):
    """Replaces addresses and the numbers of goroutines, because they differ from run to run."""
    return re.sub(rb"\+0x[0-9a-f]+|0x[0-9a-f]+|goroutine \d+", b"#", stream)


GO = Language(name="go",
              killed=main('fmt.Println("one"); fmt.Print("part"); fmt.Fprintln(os.Stderr, "err"); fmt.Print("two"); syscall.Kill(os.Getpid(), syscall.SIGKILL); select {}',
                          "fmt", "os", "syscall"),
              main="main.go", command=compile_and_run(*LINE, extensions=["go"]), semantics=SEMANTICS, more=MORE,
              corpus=CORPUS, normalise=without_addresses,
              always=("arguments, variables, streams and a process",),
              elsewhere=("hello", "stdin to its end", "stdin by line", "args", "env", "buffered output", "binary output", "utf-8 output",
                         "own source", "subprocess", "stderr"),
              random=[main("var b [8]byte; rand.Read(b[:]); fmt.Println(b)", "crypto/rand", "fmt"),
                      main("fmt.Println(maphash.MakeSeed())", "fmt", "hash/maphash")])

Semantics = tests_of(SERVER, GO)
Planted = planted_tests(SERVER, "go")


class Compiler(LanguageCase):
    SERVER, LANGUAGE = SERVER, GO

    def test_an_error_names_file_and_line(self):
        result = self.run_program(SYNTAX_ERROR)
        self.assertIn(b"main.go:4:", result.compile.stderr, describe(result))

    def test_what_is_no_program_is_an_error_of_the_sources(self):
        result = self.run_program("package foo\n\nfunc Twice(x int) int { return 2 * x }\n")
        self.assert_status(result, "COMPILE_ERROR")
        self.assertIn(b"the compiler has made a library", result.compile.stderr, describe(result))

    def test_a_module_of_the_network_is_an_error(self):
        result = self.run_program('package main\nimport _ "github.com/a/b"\nfunc main() {}\n')
        self.assert_status(result, "COMPILE_ERROR")
