"""SWI-Prolog: a program must not be able to tell Hatchery from `swipl -g true -t halt main.pl args`. Both run the same
programs, and the results are compared."""

import re
import unittest

from lib import language_case
from lib.case import Case, ServerModule, describe
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config='client_share = 100\nlanguage "prolog" { warm = 2 running = 2 }\n')
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def normalise(output):
    """Replaces names of variables, addresses, sizes and depths, because they depend on the process's earlier work."""
    output = re.sub(rb"\b_[GL]?\d+\b", b"_VAR", output)
    output = re.sub(rb"<(stream|clause|mutex|stream_position)>\(0x[0-9a-f]+(,0x[0-9a-f]+)?\)", rb"<\1>(ADDRESS)", output)
    output = re.sub(rb"\b[\d.]+(Kb|Mb)", rb"SIZE\1", output)
    output = re.sub(rb"Stack depth: [\d,]+", b"Stack depth: N", output)
    return re.sub(rb"\[[\d,]+\]", b"[DEPTH]", output)


STDIN = b"first\nsecond \xc3\xa4\n\nlast without newline"

SEMANTICS = {
    "hello": ":- initialization(main).\nmain :- writeln(hello).\n",
    "stdin to its end": (":- initialization(main).\nmain :- read_string(user_input, _, S), string_upper(S, U), write(U).\n", {"stdin": STDIN}),
    "stdin by line": (":- initialization(main).\nmain :- read_line_to_string(user_input, L), ( L == end_of_file -> true ; format('<~s>~n', [L]), flush_output, main ).\n"
                      .replace("~s", "~w"), {"stdin": STDIN}),
    "args": (":- initialization(main).\nmain :- current_prolog_flag(argv, A), print(A), nl.\n", {"args": ["one", "", "two words", "ä日本", "*"]}),
    "env": (":- initialization(main).\nmain :- getenv('GREETING', V), writeln(V), ( getenv('NOTHING', _) -> true ; writeln(none) ).\n", {"env": {"GREETING": "hi = there"}}),
    "several files": (":- use_module(sub/add).\n:- consult(facts).\n:- include('more.pl').\n:- add(40, 2, X), writeln(X), fact(Y), writeln(Y), more(Z), writeln(Z).\n",
                      {"files": {"sub/add.pl": ":- module(add, [add/3]).\nadd(X, Y, Z) :- Z is X + Y.\n", "facts.pl": "fact(consulted).\n", "more.pl": "more(included).\n"}}),
    "exit code": ":- initialization(main).\nmain :- writeln(leaving), halt(3).\n",
    "uncaught error": ":- initialization(main).\n\nmain :- f(0).\nf(X) :- Y is 1 / X, writeln(Y).\n",
    "syntax error": "f(.\ng(x.\n:- writeln(goes_on).\n",
    "death by signal": ":- writeln(lost), current_prolog_flag(pid, P), format(atom(C), 'kill -TERM ~w', [P]), shell(C), sleep(5).\n",
    "exit hook": ":- at_halt(writeln(bye)).\n:- at_halt((write(no_newline))).\n:- writeln(main).\n",
    "buffered output": ":- write('no newline').\n",
    "binary output": ":- set_stream(user_output, encoding(octet)), forall(between(0, 255, X), put_byte_(X)).\n",
    "utf-8 output": ":- writeln('äöü 日本 🐣'), atom_length('ä', L), writeln(L), print('Ä'), nl.\n",
    "unread stdin": (":- writeln('not read').\n", {"stdin": b"x" * 200_000}),
    "pending work": ":- thread_create((sleep(100), writeln(never)), _, [detached(true)]), writeln(main_ends).\n",
    "own source": ":- prolog_load_context(source, F), writeln(F), prolog_load_context(term_position, P), stream_position_data(line_count, P, L), writeln(L),\n"
                  "   open(F, read, S), read_line_to_string(S, Line), writeln(Line), close(S).\n",
    "subprocess": ":- use_module(library(process)).\n:- shell('echo from below; exit 5', S), writeln(S).\n"
                  ":- process_create(path(echo), [a, 'b c'], [stdout(pipe(O))]), read_string(O, _, T), write(T), close(O).\n",
    "stderr": ":- writeln(out), format(user_error, 'err ~w~n', [1]), writeln(out_again).\n",
}
SEMANTICS["binary output"] = ":- set_stream(user_output, type(binary)), forall(between(0, 255, X), put_byte(X)), set_stream(user_output, type(text)).\n"

MORE = {
    "TZ": (":- format_time(atom(A), '%H %Z', 0), writeln(A).\n", {"env": {"TZ": "Asia/Tokyo"}}),
    "LC_ALL": (":- current_prolog_flag(encoding, E), writeln(E).\n", {"env": {"LC_ALL": "C"}}),
    "LANG": (":- stream_property(S, alias(user_output)), stream_property(S, encoding(E)), writeln(E).\n", {"env": {"LANG": "POSIX"}}),
    "SWI_HOME_DIR": (":- writeln(1).\n", {"env": {"SWI_HOME_DIR": "/nonexistent"}}),
    "LD_DEBUG": (":- writeln(1).\n", {"env": {"LD_DEBUG": "help"}}),
    "an empty program": "",
    "only facts": "p(1).\np(2).\n",
    "main that nobody calls": "main :- writeln(never).\n",
    "initialization(main, main)": ":- initialization(main, main).\nmain :- writeln(x).\n",
    "initialization(main, main) that fails": ":- initialization(main, main).\nmain :- fail.\n",
    "initialization(main, main) that raises": ":- initialization(main, main).\nmain :- atom_length(_, _).\n",
    "initialization(main, main) that halts": ":- initialization(main, main).\nmain :- halt(7).\n",
    "library(main) and its options": (":- use_module(library(main)).\n:- initialization(main, main).\nmain(Argv) :- argv_options(Argv, Pos, Opts), print(Pos-Opts), nl.\n", {"args": ["a", "--name=x", "c"]}),
    "initialization(program)": ":- initialization(writeln(program), program).\n:- writeln(directive).\n:- initialization(writeln(now), now).\n:- initialization(writeln(after_load)).\n",
    "initialization(program) that fails": ":- initialization(fail, program).\n",
    "a failing initialization": ":- initialization(fail).\n:- writeln(x).\n",
    "a directive that fails": ":- fail.\n:- writeln(on).\n",
    "a directive that raises": ":- X is foo + 1, writeln(X).\n:- writeln(on).\n",
    "an unknown procedure": ":- nothing(1).\nf :- g(x).\n:- f.\n:- catch(f, E, (print_message(error, E))).\n",
    "warnings of the compiler": "f(X, Y) :- g(X).\nh(1).\nf(1, 2).\nf(a) :- true.\n:- writeln(on).\n",
    "a thrown term": ":- throw(my_error).\n:- catch(throw(x(1)), x(Y), (writeln(Y))).\n",
    "halt in a directive": ":- writeln(a).\n:- halt.\n:- writeln(b).\n",
    "halt(256) and others": ":- halt(257).\n",
    "halt with a status and hooks": ":- at_halt(writeln(hook)).\n:- halt(2).\n",
    "an error in an exit hook": ":- at_halt(atom_length(_, _)).\n:- at_halt(fail).\n:- writeln(x).\n",
    "halt within an exit hook": ":- at_halt(halt(4)).\n:- writeln(x).\n",
    "cancelled halt": ":- at_halt(cancel_halt(no)).\n:- writeln(x).\n",
    "halt in findall": ":- findall(X, (member(X, [1, 2]), writeln(X), X == 2, halt(6)), _).\n",
    "a toplevel of its own": ":- set_prolog_flag(toplevel_goal, mine).\nmine :- writeln(mine), read(X), writeln(X), halt(9).\n",
    "a file that is not there": ":- use_module(nothing).\n:- consult(nothing).\n:- use_module(library(nothing)).\n:- writeln(on).\n",
    "deep recursion": ":- set_prolog_flag(stack_limit, 8_000_000).\nf(X) :- f(s(X)), g.\ng.\n:- f(0).\n:- writeln(after).\n",
    "recursion that fits": "len([], 0).\nlen([_|T], N) :- len(T, M), N is M + 1.\n:- numlist(1, 100000, L), len(L, N), writeln(N).\n",
    "tail recursion": "c(0) :- !.\nc(N) :- M is N - 1, c(M).\n:- c(1000000), writeln(done).\n",
    "an endless term": ":- X = f(X), print(X), nl, cyclic_term(X), writeln(cyclic).\n",
    "assert and retract": ":- dynamic f/1.\n:- assertz(f(1)), asserta(f(0)), retract(f(1)), findall(X, f(X), L), writeln(L).\n",
    "backtracking and cut": "p(1). p(2). p(3).\n:- forall(p(X), (write(X), nl)).\n:- ( p(X), X > 1 -> writeln(X) ; true ).\n:- findall(X-Y, (p(X), p(Y), X < Y), L), print(L), nl.\n",
    "DCG and strings": ":- use_module(library(dcg/basics)).\ng(N) --> \"n=\", integer(N), blanks.\n:- phrase(g(N), `n=42  `), writeln(N).\n:- split_string(\"a,b,c\", \",\", \"\", P), print(P), nl.\n",
    "constraints": ":- use_module(library(clpfd)).\n:- X in 1..9, X * X #= 49, writeln(X).\n:- length(Q, 4), Q ins 1..4, all_different(Q), sum(Q, #=, 10), label(Q), writeln(Q).\n",
    "tabling": ":- table fib/2.\nfib(0, 0).\nfib(1, 1).\nfib(N, F) :- N > 1, A is N - 1, B is N - 2, fib(A, X), fib(B, Y), F is X + Y.\n:- fib(100, F), writeln(F).\n",
    "big numbers and rationals": ":- X is 2 ** 200, writeln(X), Y is 1 rdiv 3 + 1 rdiv 6, writeln(Y), Z is pi, writeln(Z), format('~4f ~e ~D~n', [2.5, 1.0, 1234567]).\n",
    "dicts and assoc": ":- X = _{a: 1, b: \"t\"}, writeln(X.a), list_to_assoc([k-v], A), get_assoc(k, A, V), writeln(V).\n",
    "quoting": ":- writeq(['A', b, 'it''s', \"str\", 0'c, `codes`, [], '[]', {}, {x}, - 1, -(1), 1 - -1, a:b, \\+ x, (:- d)]), nl, print(\"s\"), nl, write_canonical(f(X, Y, X)), nl.\n",
    "operators of its own": ":- op(700, xfx, ===>).\n:- X = (a ===> b), writeq(X), nl, X =.. L, writeq(L), nl.\n",
    "messages": ":- print_message(error, format('an ~w', [error])), print_message(warning, format('a ~w', [warning])), print_message(informational, format('not seen', [])).\n",
    "a backtrace": ":- use_module(library(prolog_stack)).\n:- initialization(main, main).\nmain :- p(1), true.\np(X) :- q(X), true.\nq(X) :- atom_length(X, a).\n",
    "catch_with_backtrace": "p :- q, true.\nq :- X is a + 1, writeln(X).\n:- catch_with_backtrace(p, E, (print_message(error, E))).\n",
    "reading terms": (":- read(X), print(X), nl, read_term(Y, [variable_names(V)]), print(Y-V), nl, read(Z), print(Z), nl.\n", {"stdin": b"foo(Bar).\nx(A,B,A). % c\n"}),
    "a syntax error on standard input": (":- catch(read(X), E, (print_message(error, E))), print(X), nl.\n", {"stdin": b"foo bar.\n"}),
    "characters": (":- repeat, get_char(C), ( C == end_of_file -> ! ; char_code(C, N), write(N), nl, fail ).\n", {"stdin": "aä日\n".encode()}),
    "stdin that is not UTF-8": (":- read_string(user_input, _, S), string_codes(S, C), print(C), nl.\n", {"stdin": b"a\xff\xc3z"}),
    "no standard input": ":- read(X), print(X), nl.\n",
    "properties of the streams": ":- forall(member(S, [user_input, user_output, user_error]), ( forall(member(P, [buffer(_), encoding(_), tty(_), eof_action(_), newline(_), file_no(_), mode(_), type(_)]), ( stream_property(S, P) -> writeln(P) ; true )))).\n",
    "prompts": (":- read(X), print(X), nl.\n:- prompt(O, '> '), print(O), nl, read(Y), print(Y), nl.\n", {"stdin": b"a.\nb.\n"}),
    "output of 3 MB": (":- forall(between(1, 30000, X), format('~`x100t~100|~d~n', [X])).\n", {"limits": {"output_bytes": 8 << 20}}),
    "flush and order": ":- write(a), flush_output, write(user_error, b), write(c), nl.\n",
    "with_output_to and format": ":- with_output_to(string(S), (write(a), print('B c'))), string_length(S, L), writeln(S-L), format('~a~t~20|~w~n~p ~q ~i~w~*c~n', [x, y, 'P q', 'Q r', skip, z, 3, 0'*]).\n",
    "the flags": ":- forall(member(F, [bounded, max_tagged_integer, double_quotes, gc_thread, threads, signals, verbose, verbose_load, on_error, on_warning, toplevel_goal, encoding, home, tmp_dir, executable_format, generate_debug_info, optimise, stack_limit, autoload, unknown, occurs_check, color_term, argv, os_argv, executable, associated_file, arch, version, history, readline, tty_control, xref, debug, character_escapes, prefer_rationals, iso, shared_table_space, table_space, emacs_inferior_process, packs, user_flags, traditional, warn_override_implicit_import, report_error, last_call_optimisation, agc_margin, timezone, resource_database, unix, c_cc]), ( current_prolog_flag(F, V) -> print(F=V), nl ; true )).\n",
    "what a fresh user has": ":- findall(P, (current_predicate(user:P), \\+ predicate_property(user:P, imported_from(_))), L), sort(L, S), print(S), nl.\n",
    "its own append": "append(x, y, z).\n:- append(x, Y, Z), writeln(Y-Z).\nmember(a, b).\n:- ( member(X, [1]) -> true ; writeln(no) ).\n",
    "operators, modules and flags of user": ":- findall(P-T-N, (member(M, [user]), current_op(P, T, M:N)), L), length(L, Len), writeln(Len).\n:- module_property(user, class(C)), writeln(C), prolog_load_context(directory, D), writeln(D).\n",
    "the working directory": ":- working_directory(D, D), writeln(D), absolute_file_name(x, A), writeln(A), exists_file('main.pl'), writeln(yes), directory_files('.', F), msort(F, S), writeln(S).\n",
    "threads": ":- findall(T, (between(1, 4, N), thread_create((X is N * N, thread_exit(X)), T)), Ts), maplist(thread_join, Ts, Ss), writeln(Ss).\n:- thread_self(X), writeln(X), findall(T, thread_property(T, status(running)), L), writeln(L).\n",
    "message queues": ":- thread_self(Me), thread_create(thread_send_message(Me, hi), T), thread_get_message(X), thread_join(T), writeln(X).\n",
    "concurrent and first_solution": ":- concurrent_maplist([X, Y]>>(Y is X * 2), [1, 2, 3], L), writeln(L).\n",
    "alarms": ":- use_module(library(time)).\n:- alarm(0.02, writeln(ring), _, [remove(true)]), sleep(1), writeln(end).\n",
    "signals": ":- on_signal(usr1, O, h), print(O), nl.\nh(S) :- writeln(got(S)).\n:- current_prolog_flag(pid, P), format(atom(C), 'kill -USR1 ~w', [P]), shell(C), sleep(0.5), writeln(after).\n",
    "fork and wait": ":- use_module(library(unix)).\n:- fork(P), ( P == child -> writeln(child), halt(3) ; wait(P, S), writeln(S) ).\n",
    "the pid": ":- current_prolog_flag(pid, P), read_link('/proc/self', L, _), atom_number(L, N), ( P == N -> writeln(same) ; writeln(P-N) ).\n",
    "CRLF": b":- writeln(a).\r\n:- writeln('b\\\r\nc').\r\n",
    "a byte order mark": b"\xef\xbb\xbf:- writeln(bom).\n",
    "a latin-1 program": b":- encoding(iso_latin_1).\n:- writeln('\xe4').\n",
    "bytes that are not UTF-8": b":- writeln('\xff').\n",
    "a #! line": "#!/usr/bin/env swipl\n:- writeln(script).\n",
    "block comments and conditional compilation": "/* c */\n:- if(fail).\nx(.\n:- else.\n:- writeln(else).\n:- endif.\n% end",
    "an unfinished last clause": ":- writeln(a).\n:- writeln(b)",
    "term expansion": "term_expansion(gen(N), [g(N), g(M)]) :- M is N + 1.\ngen(1).\n:- forall(g(X), writeln(X)).\ngoal_expansion(twice(X), (X, X)).\n:- twice(writeln(t)).\n",
    "a library that is written in C": ":- use_module(library(md5)).\n:- catch((md5_hash(abc, H, []), writeln(H)), _, writeln(none)).\n:- use_module(library(sha)).\n:- sha_hash(abc, H, []), hash_atom(H, A), writeln(A).\n",
    "garbage collection": ":- forall(between(1, 200000, X), (atom_concat(some_atom_, X, _))), garbage_collect, garbage_collect_atoms, writeln(done).\n",
    "a big structure": ":- numlist(1, 300000, L), sum_list(L, S), writeln(S), length(L, N), writeln(N), sort(0, @>=, L, [H|_]), writeln(H).\n",
    "tracing to standard error": ":- leash(-all), visible(+all).\np(1).\n:- trace, p(X), notrace, nodebug, writeln(X).\n",
    "copying files and temporary ones": ":- tmp_file_stream(text, F, S), writeln(S, x), close(S), exists_file(F), read_file_to_string(F, T, []), write(T).\n",
    "JSON": (":- use_module(library(http/json)).\n:- catch((json_read_dict(user_input, D), writeln(D.a)), E, (print_message(error, E))).\n", {"stdin": b'{"a": [1, null, "x"]}'}),
}

CORPUS = {
    "hello": ":- writeln('Hello, World!').\n",
    "fizzbuzz": "f(N) :- N mod 15 =:= 0, !, writeln('FizzBuzz').\nf(N) :- N mod 5 =:= 0, !, writeln('Buzz').\nf(N) :- N mod 3 =:= 0, !, writeln('Fizz').\nf(N) :- writeln(N).\n"
                ":- initialization(forall(between(1, 100, N), f(N))).\n",
    "primes": ":- initialization(main).\nmain :- N = 1000000, functor(S, s, N), sieve(2, N, S), count(2, N, S, 0, C), writeln(C).\n"
              "sieve(I, N, _) :- I * I > N, !.\nsieve(I, N, S) :- ( arg(I, S, V), V == x -> true ; J is I * I, mark(J, I, N, S) ), I1 is I + 1, sieve(I1, N, S).\n"
              "mark(J, _, N, _) :- J > N, !.\nmark(J, I, N, S) :- nb_setarg(J, S, x), K is J + I, mark(K, I, N, S).\n"
              "count(I, N, _, C, C) :- I >= N, !.\ncount(I, N, S, C0, C) :- arg(I, S, V), ( V == x -> C1 = C0 ; C1 is C0 + 1 ), I1 is I + 1, count(I1, N, S, C1, C).\n",
    "word count": ":- initialization(main).\nmain :- read_string(user_input, _, T), split_string(T, \" \\n\", \" \\n\", W0), exclude(==(\"\"), W0, W), msort(W, S), pairs(S, P),\n"
                  "  predsort(order, P, O), forall(member(N-X, O), format('~w ~w~n', [X, N])).\n"
                  "pairs(L, P) :- clumped_(L, P).\nclumped_([], []).\nclumped_([H|T], [N-H|R]) :- take(H, T, 1, N, Rest), clumped_(Rest, R).\n"
                  "take(H, [H|T], N0, N, R) :- !, N1 is N0 + 1, take(H, T, N1, N, R).\ntake(_, R, N, N, R).\n"
                  "order(O, A-X, B-Y) :- compare(O0, B, A), ( O0 == (=) -> compare(O, X, Y) ; O = O0 ).\n",
    "json": ":- use_module(library(http/json)).\n:- initialization(main).\nmain :- json_read_dict(user_input, D), sum_list(D.items, S), json_write_dict(current_output, _{name: D.name, total: S}, [width(0)]), nl.\n",
}
CORPUS["json"] = ":- use_module(library(http/json)).\n:- initialization(main).\n" \
    "main :- json_read_dict(user_input, D), sum_list(D.items, S), format('{\"name\":\"~w\",\"total\":~w}~n', [D.name, S]).\n"

LANGUAGE = Language(
    name="prolog",
    killed=":- writeln(one), write(part), format(user_error, 'err~n', []), write(two), current_prolog_flag(pid, P), format(atom(C), 'kill -KILL ~w', [P]), shell(C), sleep(9).\n",
    failing=":- initialization(main).\nmain :- writeln(before), X is 1 / 0, writeln(X).\n",
    main="main.pl", command=["swipl", "-g", "true", "-t", "halt"], semantics=SEMANTICS, corpus=CORPUS, more=MORE, normalise=normalise,
    random=[":- X is random(1 << 62), writeln(X).\n", ":- X is random_float, writeln(X).\n", ":- random_permutation([1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20], L), writeln(L).\n",
            ":- use_module(library(uuid)).\n:- uuid(U), writeln(U).\n", ":- use_module(library(crypto)).\n:- crypto_n_random_bytes(8, B), writeln(B).\n"],
    random_together=True,
    limits={"memory_bytes": 256 << 20},
)


class Semantics(tests_of(SERVER, LANGUAGE)):
    pass


class Hostile(Case):
    """Programs that must not hurt the server, and their ends."""
    SERVER, LANGUAGE = SERVER, LANGUAGE
    run_program = language_case.LanguageCase.run_program

    def ends(self, program, status, **options):
        result = self.run_program(program, **options)
        self.assert_status(result, status)
        self.alive()
        return result

    def alive(self):
        result = self.run_program(SEMANTICS["hello"])
        self.assertEqual(b"hello\n", result.stdout, describe(result))

    def test_an_endless_loop(self):
        self.ends("f :- f.\n:- f.\n", "CPU_LIMIT", limits={"cpu_us": 300_000})

    def test_a_sleep(self):
        self.ends(":- sleep(100).\n", "TIME_LIMIT", limits={"wall_us": 300_000})

    def test_endless_recursion(self):
        self.ends("f(X) :- f(g(X, X)), true.\n:- f(0).\n", "MEMORY_LIMIT", limits={"memory_bytes": 64 << 20})

    def test_a_table_of_everything(self):
        self.ends(":- dynamic f/1.\n:- repeat, gensym(some_long_name_, X), assertz(f(X)), fail.\n", "MEMORY_LIMIT", limits={"memory_bytes": 64 << 20})

    def test_a_flood_of_output(self):
        self.ends(":- repeat, writeln(flood), fail.\n", "OUTPUT_LIMIT")

    def test_threads_without_end(self):
        result = self.run_program("t(N) :- catch(thread_create(sleep(100), _), E, true), ( var(E) -> M is N + 1, t(M) ; writeln(N) ).\n:- t(0), halt.\n", limits={"wall_us": 10_000_000, "memory_bytes": 256 << 20})
        self.assertLess(int(result.stdout), 129, describe(result))
        self.alive()

    def test_a_fork_bomb(self):
        self.run_program(":- use_module(library(unix)).\nb :- catch(fork(_), _, true), b.\n:- b.\n", limits={"cpu_us": 400_000, "wall_us": 3_000_000})
        self.alive()

    def test_a_full_disk(self):
        result = self.run_program(":- open('/tmp/big', write, S), catch((forall(between(1, 200, _), format(S, '~`xt~60000|', [])), close(S)), _, true), size_file('/tmp/big', N), writeln(N).\n", limits={"disk_bytes": 4 << 20})
        self.assertLessEqual(int(result.stdout or 0), 4 << 20, describe(result))
        self.alive()

    def test_what_is_closed(self):
        program = "t(G) :- catch((G -> writeln(open(G)) ; true), _, true).\n" \
                  ":- t(open('/etc/shadow', read, _)), t(open('/proc/1/environ', read, _)), t(open('/usr/x', write, _)), t(open('/proc/1/mem', read, _)).\n" \
                  ":- use_module(library(socket)).\n:- t((tcp_socket(S), tcp_connect(S, '127.0.0.1':80))).\n" \
                  ":- t((shell('mount -t tmpfs x /mnt 2>/dev/null', 0))), t(shell('kill -9 1 2>/dev/null', 0)).\n:- writeln(done).\n"
        result = self.run_program(program)
        self.assertEqual(b"done\n", result.stdout, describe(result))
        self.alive()


if __name__ == "__main__":
    unittest.main()
