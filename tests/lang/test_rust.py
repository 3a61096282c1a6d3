"""Rust by rustc, a language that is data: compiled in one sandbox, run in another."""

import re

from lib.case import ServerModule, describe
from lib.compiled import NOT_COMPILED, compile_and_run, compiler_says
from lib.language_case import RUN_STAGE, Language, LanguageCase, tests_of
from lib.planted import planted_tests

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage rust { warm = 1 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LINE = ["/usr/bin/rustc", "-O", "--edition=2021", "--color=never", "-o", "main"]


def main(body, more=""):
    return f"#![allow(unused)]\nuse std::io::{{self, Read, Write, BufRead}};\n{more}fn main() {{\n    {body}\n}}\n"


SYNTAX_ERROR = "fn main() {\n    let x = ;\n}\n"

SEMANTICS = {
    "hello": main('println!("Hello, World!");'),
    "stdin to its end": (main("let mut s = String::new(); io::stdin().read_to_string(&mut s).unwrap(); "
                              'print!("{}", s.to_uppercase());'), {"stdin": "some\nlines\nand no end"}),
    "stdin by line": (main('for l in io::stdin().lock().lines() { println!("<{}>", l.unwrap()); }'),
                      {"stdin": "one\n two \nthree\nfour"}),
    "args": (main('println!("{:?}", std::env::args().collect::<Vec<_>>());'),
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*"]}),
    "env": (main('println!("{} {}", std::env::var("GREETING").unwrap(), std::env::var("USER").unwrap());'),
            {"env": {"GREETING": "good day = 1"}}),
    "several files": ("mod util;\nmod deep;\nfn main() { println!(\"{} {}\", util::f(), deep::g::h()); }\n",
                      {"files": {"util.rs": "pub fn f() -> &'static str { file!() }\n", "deep/mod.rs": "pub mod g;\n",
                                 "deep/g.rs": "pub fn h() -> i32 { 42 }\n"}}),
    "exit code": main("std::process::exit(3);"),
    "uncaught error": main('println!("before");\n    let v: Vec<i32> = vec![];\n    println!("{}", v[std::env::args().count()]);'),
    "syntax error": (SYNTAX_ERROR, NOT_COMPILED),
    "death by signal": main('std::process::Command::new("sh").args(["-c", "kill -TERM $PPID; sleep 1"]).status();'),
    "exit hook": main('let d = D; println!("work");', 'struct D;\nimpl Drop for D { fn drop(&mut self) { println!("bye"); } }\n'),
    "buffered output": main('print!("no newline");'),
    "binary output": main("io::stdout().write_all(&(0..=255).collect::<Vec<u8>>()).unwrap();"),
    "utf-8 output": main('println!("Grüße, 世界 🐣");'),
    "unread stdin": (main('println!("done");'), {"stdin": "x" * 200_000}),
    "pending work": main('std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_secs(1)); '
                         'println!("late"); }); println!("end");'),
    "own source": main('println!("{} {}", file!(), std::fs::read_to_string(file!()).unwrap().lines().next().unwrap());'),
    "subprocess": main('let o = std::process::Command::new("sh").args(["-c", "echo inner; exit 7"]).output().unwrap(); '
                       'println!("{:?} {:?}", String::from_utf8(o.stdout), o.status.code());'),
    "stderr": main('println!("out"); eprintln!("err");'),
}

MORE = {
    "RUST_BACKTRACE": (main('if std::env::args().count() > 0 { panic!("here"); }'), {
        "env": {"RUST_BACKTRACE": "1"}, "ours": lambda theirs: (theirs[0], re.sub(rb"\n +at [^\n]*", b"", theirs[1]), theirs[2])}),
    "unwrap of an error": main('let n: i32 = "x".parse().unwrap(); println!("{}", n);'),
    "main that returns an error": 'fn main() -> Result<(), String> {\n    println!("a");\n    Err("reason".into())\n}\n',
    "overflow wraps": main("let n = std::env::args().count() as i32; println!(\"{}\", i32::MAX.wrapping_add(n));"),
    "a panic in a thread": main('let r = std::thread::spawn(|| panic!("inside")).join(); println!("{}", r.is_err());'),
    "abort": main("std::process::abort();"),
    "stack overflow": main("println!(\"{}\", f(1));", "fn f(n: u64) -> u64 { let a = [n; 100]; "
                           "if unsafe { std::ptr::read_volatile(&a[5]) } == 0 { 0 } else { f(n + 1) + a[3] } }\n"),
    "catch_unwind": main('let r = std::panic::catch_unwind(|| { panic!("caught") }); println!("{}", r.is_err());'),
    "channels": main("let (t, r) = std::sync::mpsc::channel(); for i in 0..4 { let t = t.clone(); std::thread::spawn(move || "
                     't.send(i).unwrap()); } drop(t); println!("{}", r.iter().sum::<i32>());'),
    "a hash map": main("let m: std::collections::HashMap<_, _> = (0..10).map(|i| (i, i * i)).collect(); println!(\"{}\", m[&7]);"),
    "async without a runtime": main("let f = async { 1 }; println!(\"made\"); drop(f);"),
    "files": main('std::fs::write("x", "12").unwrap(); println!("{}", std::fs::metadata("x").unwrap().len());'),
    "floats": main('println!("{} {:?} {}", 0.1 + 0.2, 1e21, (2.0f64).sqrt());'),
    "the time": main("println!(\"{}\", std::time::Instant::now().elapsed().as_secs());"),
}

CORPUS = {
    "hello": main('println!("Hello, World!");'),
    "fizzbuzz": main('for i in 1..=100 { match (i % 3, i % 5) { (0, 0) => println!("FizzBuzz"), (_, 0) => println!("Buzz"), '
                     '(0, _) => println!("Fizz"), _ => println!("{}", i) } }'),
    "primes": main("let mut c = vec![false; 1_000_000]; let mut k = 0; for i in 2..1_000_000usize { if c[i] { continue; } k += 1; "
                   'let mut j = i * i; while j < 1_000_000 { c[j] = true; j += i; } } println!("{}", k);'),
    "word count": main("let mut s = String::new(); io::stdin().read_to_string(&mut s).unwrap(); let mut m = "
                       "std::collections::BTreeMap::new(); for w in s.split_whitespace() { *m.entry(w).or_insert(0) += 1; } "
                       "let mut v: Vec<_> = m.into_iter().collect(); v.sort_by_key(|p| (-p.1, p.0)); "
                       'for (w, n) in v { println!("{} {}", w, n); }'),
}

RUST = Language(name="rust",
                killed=(main('println!("one"); eprintln!("err"); println!("two"); print!("lost");\n    '
                             'std::process::Command::new("sh").args(["-c", "kill -KILL $PPID; sleep 1"]).status();'),
                        {"printed": b"one\nerr\ntwo\n"}),
                main="main.rs", command=compile_and_run(*LINE, "{entry}", extensions=["rs"]),
                semantics=SEMANTICS, more=MORE, corpus=CORPUS, absent={"json": "Rust's standard library has no JSON"},
                random=[main("use std::hash::*; println!(\"{}\", std::collections::hash_map::RandomState::new()"
                             ".build_hasher().finish());"), main("let x = 1; println!(\"{:p}\", &x);")],
                is_costly=True, elsewhere=RUN_STAGE)  # C's table tests the same

Semantics = tests_of(SERVER, RUST)
Planted = planted_tests(SERVER, "rust")


class Compiler(LanguageCase):
    SERVER, LANGUAGE = SERVER, RUST

    def test_what_the_compiler_says_is_what_it_says_by_itself(self):
        status, said = compiler_says([*LINE, "main.rs"], {"main.rs": SYNTAX_ERROR})
        result = self.run_program(SYNTAX_ERROR)
        self.assertEqual((status, said), (result.compile.exit_code, result.compile.stderr), describe(result))

    def test_what_is_no_program_is_an_error_of_the_sources(self):
        for crate in "lib", "cdylib":
            result = self.run_program(f'#![crate_type="{crate}"]\npub fn twice(x: u32) -> u32 {{ 2 * x }}\n')
            self.assert_status(result, "COMPILE_ERROR")
            self.assertIn(b"the compiler has made a library", result.compile.stderr, describe(result))

    def test_a_backtrace_names_functions(self):
        result = self.run_program(main('inner_one();', '#[inline(never)]\nfn inner_one() { panic!("x") }\n'),
                                  env={"RUST_BACKTRACE": "1"})
        self.assertIn(b"inner_one", result.stderr)
