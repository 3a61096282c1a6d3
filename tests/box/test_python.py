"""A program must not be able to tell Hatchery from `python3 main.py`. Both run the same programs,
and the results are compared.

Each program is a row: run once by /usr/bin/python3 in an empty directory, with pipes for its
streams, and once by Hatchery. Standard output, standard error and the ending must be the same,
after both work directories are given one name. What python3 does is recorded (lib/recorded.py).
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.hatchery import Status
from lib.recorded import RECORDING, Recorded, compare
from lib.scale import patience

SLOW_IN_VM = "it compares what is the same on every kernel, and starts python3 hundreds of times"

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

WORK = "/home/sandbox"
PYTHON = "/usr/bin/python3"


def reference(files, entry, args, stdin):
    """The result of python3: (stdout, stderr, ending), with its directory called WORK."""
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8"}
        done = subprocess.run([PYTHON, entry, *args], cwd=folder, input=stdin, capture_output=True, env=env,
                              timeout=patience(60), check=False)
        ending = ("signal", -done.returncode) if done.returncode < 0 else ("exit", done.returncode)
        return done.stdout.replace(folder.encode(), WORK.encode()), done.stderr.replace(folder.encode(), WORK.encode()), ending


def normalise(output):
    """Replaces addresses of objects and unittest's times, which differ from run to run."""
    output = re.sub(rb"0x[0-9a-f]{6,}", b"0xADDRESS", output)
    return re.sub(rb"(Ran \d+ tests? in )[\d.]+s", rb"\1TIMEs", output).decode(errors="replace")


def normalised(answer):
    return normalise(answer[0]), normalise(answer[1]), answer[2]


# name: (program, options). Options: args, stdin, files, entry.
PROGRAMS = {
    # ---- endings
    "an empty program": "",
    "a comment": "# nothing",
    "sys.exit without a value": "import sys; sys.exit()",
    "sys.exit(None)": "import sys; sys.exit(None)",
    "sys.exit(0)": "import sys; sys.exit(0)",
    "sys.exit(3)": "import sys; sys.exit(3)",
    "sys.exit(256)": "import sys; sys.exit(256)",
    "sys.exit(257)": "import sys; sys.exit(257)",
    "sys.exit(-1)": "import sys; sys.exit(-1)",
    "sys.exit(2**40)": "import sys; sys.exit(2 ** 40)",
    "sys.exit(2**100)": "import sys; sys.exit(2 ** 100)",
    "sys.exit with a text": "import sys; print('out'); sys.exit('a sentence ä')",
    "sys.exit with an object": "import sys\nclass A:\n    def __str__(self): return 'I am A'\nsys.exit(A())",
    "sys.exit with a tuple": "import sys; sys.exit((1, 2))",
    "sys.exit with True": "import sys; sys.exit(True)",
    "sys.exit with a float": "import sys; sys.exit(1.5)",
    "sys.exit with an empty text": "import sys; sys.exit('')",
    "sys.exit with an object that can't be printed":
        "import sys\nclass A:\n    def __str__(self): raise ValueError('no')\nsys.exit(A())",
    "raise SystemExit": "raise SystemExit",
    "exit() and quit()": "try:\n    quit(1)\nexcept SystemExit as e: print(e.code)\nexit(4)",
    "os._exit": "import os; print('lost'); os._exit(7)",
    "os._exit after a flush": "import os; print('kept', flush=True); os._exit(8)",
    "os.abort": "import os; os.abort()",
    "a signal to itself": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "SIGINT to itself": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
    "a raised KeyboardInterrupt": "raise KeyboardInterrupt",
    "a caught KeyboardInterrupt": "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\nexcept KeyboardInterrupt: print('caught')",
    "a signal handler": "import os, signal\nsignal.signal(signal.SIGUSR1, lambda n, f: print('got', n))\nos.kill(os.getpid(), signal.SIGUSR1)\nprint('after')",
    # ---- exceptions and tracebacks
    "an uncaught exception": "def f(x):\n    return 1 / x\n\nprint('before')\nf(0)\n",
    "an exception without a last newline": "x = 1\nraise ValueError(x)",
    "an exception in a nested call": "def a(): b()\ndef b(): c()\ndef c():\n    raise RuntimeError('deep')\na()",
    "chained exceptions": "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('v') from e",
    "an exception during another": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    nonsense",
    "an exception group": "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])",
    "an exception with a note": "e = ValueError('x'); e.add_note('a note'); raise e",
    "an exception of its own": "class Mine(Exception):\n    pass\nraise Mine('hello')",
    "an exception that can't be printed": "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
    "an exception from a library": "import json; json.loads('{')",
    "an exception in a module": ("import other; other.f()", {"files": {"other.py": "def f():\n    return [][1]\n"}}),
    "an exception in eval and exec": "exec('x = 1\\n\\nraise ValueError(5)')",
    "carets under a long expression": "a = {'x': {'y': None}}\nprint(a['x']['y']['z'])",
    "carets in a line with wide characters": "x = 'ä日本' + 1",
    "a NameError with a suggestion": "value = 1\nprint(valeu)",
    "an AttributeError with a suggestion": "import math; math.sqr(2)",
    "an ImportError": "import there_is_no_such_module",
    "a from-import of nothing": "from json import nothing_of_the_kind",
    "an AssertionError": "assert 1 == 2, 'message'",
    "a recursion error": ("def f(n): return f(n + 1)\nf(0)", {}),
    "a traceback that is printed": "import traceback\ndef f():\n    try: 1 / 0\n    except ZeroDivisionError: traceback.print_exc()\nf()",
    "the stack as a program sees it": "import traceback\ndef f(): traceback.print_stack()\nf()",
    "the frames as a program sees them": "import sys\nf = sys._getframe()\nprint(f.f_back, f.f_code.co_name, f.f_lineno)\nimport inspect; print(len(inspect.stack()))",
    "a hook for exceptions": "import sys\nsys.excepthook = lambda t, v, tb: print('hook', t.__name__, v)\nraise ValueError(1)",
    "a hook that fails": "import sys\ndef hook(*a): raise TypeError('hook')\nsys.excepthook = hook\nraise ValueError(1)",
    "an exception in a thread": "import threading\ndef f(): raise ValueError('in thread')\nt = threading.Thread(target=f, name='T'); t.start(); t.join(); print('main goes on')",
    "a syntax error": "def f(:\n    pass",
    "a syntax error in the last line": "x = 1\ny = (",
    "an indentation error": "if True:\nprint(1)",
    "a tab error": "if True:\n        x = 1\n\ty = 2",
    "a syntax error in a module": ("import other", {"files": {"other.py": "x ="}}),
    "an unterminated text": "x = 'abc",
    "a return outside of a function": "return 1",
    "a non-ASCII syntax error": "x = 'ä' +* 3",
    "a syntax warning": "x = 1\nprint(x is 1)",
    "an invalid escape": "print('\\d')",
    # ---- encodings
    "UTF-8 in source and output": "print('äöü 日本 🐣')",
    "UTF-8 on standard error": "import sys; print('äöü 日本 🐣', file=sys.stderr)",
    "surrogates on standard output": "print('\\udc80')",
    "a byte order mark": b"\xef\xbb\xbfprint('bom')\n",
    "CRLF": b"x = '''a\r\nb'''\r\nprint(repr(x))\r\nif x:\r\n    print(1)\r\n",
    "CR alone": b"x = 1\rprint(x)\r",
    "a form feed": "\x0cprint(1)\n",
    "a latin-1 cookie": b"# -*- coding: latin-1 -*-\nprint('\xe4')\n",
    "an unknown cookie": b"# -*- coding: nonsense -*-\nprint(1)\n",
    "bytes that are not UTF-8": b"print('\xff')\n",
    "bytes that are not UTF-8 in a comment": b"# \xff\nprint(1)\n",
    "a NUL byte": b"print(1)\n\0print(2)\n",
    "a NUL byte in a comment": b"print(1)\n# \0\n",
    "names beyond ASCII": "ñ = 5; print(ñ)",
    "encodings of the streams": "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr): print(s.encoding, s.errors, s.name, s.mode, s.newlines)",
    "the locale": "import locale, sys; print(locale.getpreferredencoding(), sys.getfilesystemencoding(), sys.flags.utf8_mode, locale.setlocale(locale.LC_CTYPE))",
    # ---- what a program sees of itself
    "argv": ("import sys; print(sys.argv)", {"args": ["a", "", "b c", "ä", "-x", "--", "*"]}),
    "no arguments": "import sys; print(sys.argv)",
    "orig_argv but for the interpreter": ("import sys; print(sys.orig_argv[1:])", {"args": ["x"]}),
    "the name of the module": "print(__name__)",
    "the file of the module": "import os; print(__file__, os.path.abspath(__file__))",
    "the names in a fresh module": "print(sorted(globals()))",
    "the values in a fresh module": "print(__doc__, __package__, __spec__, __annotations__, type(__loader__).__name__, __builtins__ is __import__('builtins'))",
    "a docstring": "'''the doc'''\nprint(__doc__)",
    "annotations": "x: int = 3\nprint(__annotations__)",
    "the module is in sys.modules": "import sys, __main__; x = 5; print(sys.modules['__main__'].x, __main__ is sys.modules['__main__'])",
    "importing itself": "import main; print(main.__name__)",
    "the path": "import sys; print(sys.path)",
    "the flags": "import sys; print([(n, getattr(sys.flags, n)) for n in ('debug', 'inspect', 'interactive', 'optimize', 'no_user_site', 'no_site', 'ignore_environment', 'verbose', 'bytes_warning', 'quiet', 'isolated', 'dev_mode', 'safe_path', 'int_max_str_digits')])",
    "the interpreter's prefixes": "import sys; print(sys.prefix, sys.exec_prefix, sys.base_prefix, sys.platlibdir)",
    "the executable": "import sys, os; print(os.path.realpath(sys.executable), os.access(sys.executable, os.X_OK))",
    "the version": "import sys; print(sys.version, sys.version_info, sys.implementation.name, sys.hexversion)",
    "the working directory": "import os; print(os.getcwd(), os.path.expanduser('~'))",
    "the files in the working directory": ("import os; print(sorted(os.listdir('.')))", {"files": {"b/c": b"x", "a": b"y"}}),
    "open descriptors": "import os; print(sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))",
    "the threads": "import threading; print(threading.active_count(), threading.current_thread().name, threading.main_thread() is threading.current_thread(), threading.main_thread().ident == threading.get_ident(), threading.main_thread().native_id == threading.get_native_id() == __import__('os').getpid())",
    "the signal handlers": "import signal\nprint([(s.name, str(signal.getsignal(s))) for s in sorted(signal.valid_signals()) if isinstance(s, signal.Signals) and s not in (9, 19) and 'builtin' not in str(signal.getsignal(s))], signal.pthread_sigmask(signal.SIG_BLOCK, []))",
    "the limits of numbers": "import sys; print(sys.maxsize, sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits())",
    "the warnings filters": "import warnings; print([(f[0], f[2].__name__, f[3]) for f in warnings.filters])",
    "the garbage collector": "import gc; print(gc.isenabled(), gc.get_threshold(), gc.garbage)",
    "the niceness": "import os; print(os.nice(0))",
    "interactive is off": "import sys; print(hasattr(sys, 'ps1'), hasattr(sys, 'last_value'))",
    "builtins are as they were": "import builtins; print(sorted(dir(builtins)))",
    "the displayhook and tracing": "import sys; print(sys.displayhook is sys.__displayhook__, sys.excepthook is sys.__excepthook__, sys.gettrace(), sys.getprofile())",
    "the source of a function": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f), inspect.getfile(f))",
    "linecache": "import linecache; print(repr(linecache.getline(__file__, 1)))",
    # ---- streams
    "input()": ("print(input('name? ') + '!'); print(input())", {"stdin": b"Ada\nLovelace"}),
    "input() at the end": "input()",
    "input() without a newline": ("print(repr(input()))", {"stdin": b"last"}),
    "lines of standard input": ("import sys\nfor line in sys.stdin: print(repr(line))", {"stdin": b"a\nb\r\n\nc"}),
    "bytes of standard input": ("import sys; print(sys.stdin.buffer.read())", {"stdin": bytes(range(256))}),
    "standard input that is not UTF-8": ("import sys; print(sys.stdin.read())", {"stdin": b"\xff"}),
    "part of standard input": ("import sys; print(sys.stdin.read(3))", {"stdin": b"x" * 300_000}),
    "no standard input": "import sys; print(repr(sys.stdin.read()))",
    "isatty and fileno": "import sys; print([(s.isatty(), s.fileno()) for s in (sys.stdin, sys.stdout, sys.stderr)])",
    "the streams are pipes": "import os, stat; print([stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (0, 1, 2)])",
    "the originals of the streams": "import sys; print(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)",
    "buffering": "import sys; print([(s.line_buffering, s.write_through, type(s.buffer).__name__) for s in (sys.stdout, sys.stderr)])",
    "bytes to standard output": "import sys; sys.stdout.buffer.write(bytes(range(256))); print('text')",
    "text and bytes in order": "import sys, os; print('a'); sys.stdout.flush(); os.write(1, b'b'); print('c')",
    "output that is never flushed": "print('no newline', end='')",
    "output of 3 MB": ("for i in range(30000): print('x' * 30, i)", {}),
    "a closed standard output": "import sys; sys.stdout.close()",
    "print to a closed standard output": "import sys; print('a'); sys.stdout.close(); print('b')",
    "an exception without descriptors": "import os; os.closerange(0, 1024); raise ValueError(1)",
    "an exception without standard streams": "import os\nfor fd in 0, 1, 2: os.close(fd)\nraise ValueError(1)",
    "an exception without descriptor 1": "import os; print('lost'); os.close(1); raise ValueError(1)",
    "an exception without descriptor 2": "import os; os.close(2); raise ValueError(1)",
    "sys.exit without descriptors": "import os, sys; os.closerange(0, 1024); sys.exit(3)",
    "sys.exit with a text and without descriptors": "import os, sys; os.closerange(0, 1024); sys.exit('text')",
    "an exception with unbuffered streams and without descriptors":
        "import os, sys\nfor n in 'stdout', 'stderr': setattr(sys, n, open(getattr(sys, n).fileno(), 'w', 1, closefd=False))\nos.closerange(0, 1024); raise ValueError(1)",
    "a closed descriptor 1": "import os; print('lost'); os.close(1)",
    "a closed standard error": "import sys; sys.stderr.close(); 1 / 0",
    "standard output replaced": "import sys, io; sys.stdout = io.StringIO(); print('hidden'); sys.stderr.write('seen')",
    "standard output gone": "import sys; sys.stdout = None; print('nothing')",
    "a file that is never closed": ("f = open('f', 'w'); f.write('content'); import atexit, os; atexit.register(lambda: print(os.path.getsize('f')))", {}),
    "a pipe that breaks": "import os, sys, signal\nr, w = os.pipe(); os.close(r)\ntry: os.write(w, b'x')\nexcept BrokenPipeError as e: print(e.errno)",
    "faulthandler": "import faulthandler; print(faulthandler.is_enabled())",
    # ---- the end
    "atexit in reverse order": "import atexit\nfor i in range(3): atexit.register(print, i)\nprint('main')",
    "atexit after an exception": "import atexit; atexit.register(print, 'bye'); 1 / 0",
    "atexit that raises": "import atexit\natexit.register(print, 'second')\natexit.register(lambda: 1 / 0)",
    "atexit that exits": "import atexit, sys\natexit.register(sys.exit, 9)",
    "atexit without its module": "import atexit, sys\natexit.register(print, 'bye')\ndel sys.modules['atexit']",
    "atexit without any module": "import atexit, sys\natexit.register(print, 'bye')\nsys.modules.clear()",
    "atexit with None for its module": "import atexit, sys\natexit.register(print, 'bye')\nsys.modules['atexit'] = None",
    "atexit with another module in its place": "import atexit, sys\natexit.register(print, 'bye')\nsys.modules['atexit'] = type(sys)('atexit')",
    "atexit with a function in its place": "import atexit\natexit.register(print, 'bye')\natexit._run_exitfuncs = lambda: print('another')",
    "atexit in a child": "import atexit, os\natexit.register(print, 'bye')\nif os.fork() == 0: raise SystemExit\nos.wait()",
    "__del__ of a global": "class A:\n    def __del__(self): print('del', __name__)\na = A()\nprint('end')",
    "__del__ in a cycle": "class A:\n    def __del__(self): print('del')\na = A(); a.self = a\nprint('end')",
    "__del__ that raises": "class A:\n    def __del__(self): raise ValueError('in del')\na = A()\ndel a\nprint('end')",
    "weakref.finalize": "import weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'finalized')\nprint('end')",
    "an unfinished generator": "def g():\n    try: yield 1\n    finally: print('closed')\nx = g(); next(x); print('end')",
    "an unfinished coroutine": "async def f(): pass\nf()\nprint('end')",
    "a context that is left by an exception": "class C:\n    def __enter__(self): print('in')\n    def __exit__(self, *a): print('out', a[0].__name__)\nwith C(): 1 / 0",
    "a thread that outlives the main one": "import threading, time\ndef f(): time.sleep(0.2); print('thread')\nthreading.Thread(target=f).start(); print('main')",
    "a daemon thread that does not": "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start(); print('main')",
    "an exit in a thread": "import threading, sys\nthreading.Thread(target=sys.exit, args=(5,)).start(); print('main')",
    "os._exit in a thread": "import threading, os, time\nthreading.Thread(target=os._exit, args=(6,)).start(); time.sleep(20)",
    "a thread pool": "from concurrent.futures import ThreadPoolExecutor as P\nwith P(3) as p: print(list(p.map(abs, [-1, -2, -3])))",
    # ---- processes
    "a subprocess": "import subprocess; print(subprocess.run(['echo', 'hi'], capture_output=True).stdout)",
    "a subprocess on the same output": "import subprocess, sys; print('a', flush=True); subprocess.run(['echo', 'b']); print('c')",
    "a subprocess of the interpreter": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'import sys; print(1 + 1); sys.exit(3)'], capture_output=True))",
    "a subprocess that reads standard input": ("import subprocess; subprocess.run(['cat'])", {"stdin": b"to the cat\n"}),
    "a shell": "import os; print(os.system('exit 3') >> 8); print(os.popen('echo $((2+3))').read())",
    "a program that is not there": "import subprocess; subprocess.run(['/no/such/program'])",
    "exec": "import os; print('a', flush=True); os.execvp('echo', ['echo', 'exec'])",
    "exec of the interpreter": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(7)'])",
    "fork": "import os\npid = os.fork()\nif pid == 0:\n    print('child'); raise SystemExit(4)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "multiprocessing by fork": "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n    with m.get_context('fork').Pool(2) as p: print(p.map(f, range(5)))",
    "multiprocessing by spawn": "import multiprocessing as m\ndef f(q): q.put(5)\nif __name__ == '__main__':\n    c = m.get_context('spawn'); q = c.Queue(); p = c.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join(); print(p.exitcode)",
    "a process pool": "from concurrent.futures import ProcessPoolExecutor as P\nif __name__ == '__main__':\n    with P(2) as p: print(list(p.map(abs, [-1, -2])))",
    "shared memory": "from multiprocessing import shared_memory as s\nm = s.SharedMemory(create=True, size=10); m.buf[0] = 5; print(m.buf[0]); m.close(); m.unlink()",
    "a lock between processes": "import multiprocessing as m\nl = m.Lock()\nwith l: print('held')",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0.01); return 5\nprint(asyncio.run(main()))",
    "asyncio subprocess": "import asyncio\nasync def main():\n    p = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1); print((await p.communicate())[0])\nasyncio.run(main())",
    "a socket pair": "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))",
    "a unix socket": "import socket; s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('s'); c.send(b'q'); print(s.accept()[0].recv(1))",
    "nobody to wait for": "import os\ntry: os.wait()\nexcept ChildProcessError as e: print(e.errno)",
    # ---- modules
    "a second module": ("import helper; print(helper.X, helper.__file__, helper.__name__)", {"files": {"helper.py": b"X = 5"}}),
    "a module in place of a standard one": ("import random; print(random.X)", {"files": {"random.py": b"X = 'mine'"}}),
    "a module in place of a preloaded one": ("import json; print(json.X)", {"files": {"json.py": b"X = 'mine'"}}),
    "a package": ("import pkg.sub; from pkg import Y; print(pkg.sub.X, Y)", {"files": {"pkg/__init__.py": b"Y = 1", "pkg/sub.py": b"X = 2"}}),
    "relative imports in the main file": "from . import x",
    "an entry in a directory": ("import sys; print(sys.path[0], sys.argv, __file__)", {"entry": "app/start.py"}),
    "an entry with an odd name": ("print(__file__, __name__)", {"entry": "my program"}),
    "runpy": ("import runpy; print(runpy.run_path('other.py')['X'])", {"files": {"other.py": b"X = __name__"}}),
    "a directory with __main__": ("import runpy; runpy.run_path('app', run_name='__main__')", {"files": {"app/__main__.py": b"print(__name__, __file__)"}}),
    "pickling a class of the main module": "import pickle\nclass A: pass\nprint(pickle.loads(pickle.dumps(A())).__class__)",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass P: x: int\nprint(P(1), P.__module__)",
    "a future import": "from __future__ import annotations\nx: nonsense = 1\nprint(__annotations__)",
    "typing": "import typing\ndef f(x: 'A'): pass\nclass A: pass\nprint(typing.get_type_hints(f))",
    "reloading": ("import importlib, helper; helper.X = 9; importlib.reload(helper); print(helper.X)", {"files": {"helper.py": b"X = 5"}}),
    "many standard modules": "import argparse, ast, asyncio, bisect, calendar, cmath, collections, contextlib, copy, csv, ctypes, datetime, decimal, difflib, email, enum, fractions, functools, glob, gzip, hashlib, heapq, html, http, inspect, io, itertools, json, logging, lzma, math, multiprocessing, operator, os, pathlib, pickle, platform, pprint, queue, random, re, secrets, select, shutil, signal, socket, sqlite3, ssl, statistics, string, struct, subprocess, sys, tempfile, textwrap, threading, time, timeit, tokenize, traceback, types, typing, unittest, urllib.request, uuid, warnings, weakref, xml.etree.ElementTree, zipfile, zlib, zoneinfo; print('all')",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\nunittest.main(argv=['x', '-q'], exit=False)\nprint('done')",
    "sqlite": "import sqlite3; c = sqlite3.connect('d.db'); c.execute('create table t (x)'); c.execute('insert into t values (4)'); print(c.execute('select * from t').fetchall())",
    "a seeded random": "import random; random.seed(5); print(random.random())",
    "ctypes": "import ctypes; print(ctypes.CDLL(None).abs(-5))",
    "decimal and fractions": "from decimal import Decimal as D, getcontext; print(D(1) / 3, getcontext().prec)",
    "logging": "import logging; logging.warning('w'); logging.getLogger('x').error('e'); logging.info('i')",
    "warnings": "import warnings; warnings.warn('careful'); warnings.warn('old', DeprecationWarning)",
    "a resource warning is silent": "open('main.py'); print(1)",
    "a large recursion": "import sys; sys.setrecursionlimit(50000)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(20000))",
    "numbers and devices of files": "import os\nos.mkdir('d'); open('f', 'w').close()\nhere = os.stat('.').st_dev\nfor e in sorted(os.scandir('.'), key=str): print(e.name, e.inode() == e.stat().st_ino, e.stat().st_dev == here)",
    "a deep structure": "x = []\nfor _ in range(100000): x = [x]\ndel x; print('ok')",
    "a big integer": "print(len(str(2 ** 10000)))",
    "too big an integer to print": "print(10 ** 5000)",
    "time zones": "import time, datetime; print(time.tzname, datetime.datetime.fromtimestamp(0, datetime.timezone.utc))",
    "the time is right": "import time; print(time.time() > 1.7e9, time.monotonic() > 0)",
    "a temporary file": "import tempfile, os\nwith tempfile.NamedTemporaryFile(dir='.') as f: f.write(b'x'); f.flush(); print(os.path.getsize(f.name))\nprint(os.listdir('.'))",
    "a match statement": "match [1, 2]:\n    case [a, b]: print(a + b)",
    "walrus and f-strings": "if (n := 5) > 3: print(f'{n=} {n:>5} {\"x\"!r}')",
}

class Comparison(Case):
    """Filled from the table below, one test a row."""
    SERVER = SERVER
    RECORDED = Recorded("python", name="python-box")

    @classmethod
    def tearDownClass(cls):
        if RECORDING:
            cls.RECORDED.write(PROGRAMS)

    def compare(self, name, program, args=(), stdin=b"", files=None, entry="main.py"):
        program = program.encode() if isinstance(program, str) else program
        files = {name: content.encode() if isinstance(content, str) else content for name, content in (files or {}).items()}
        asked = [{**files, entry: program}, entry, args, stdin]
        limits = {"output_bytes": 8 << 20, "pids": 64, "memory_bytes": 256 << 20}
        result = self.execute(files={**files, entry: program}, entry=entry, args=args, stdin=stdin, limits=limits)
        ending = ("signal", result.signal) if Status.Name(result.status) == "SIGNALED" else ("exit", result.exit_code)
        self.assertIn(Status.Name(result.status), ("EXITED", "SIGNALED"), describe(result))
        compare(self.RECORDED, name, [PYTHON, *asked], normalised((result.stdout, result.stderr, ending)),
                lambda: normalised(reference(*asked)), self.assertEqual)


def add_comparison(name, row):
    program, options = row if isinstance(row, tuple) else (row, {})

    def test(self):
        self.compare(name, program, **options)
    test.__doc__ = f"as python3: {name}"
    setattr(Comparison, "test_" + "".join(c if c.isalnum() else "_" for c in name), test)


for _name, _row in PROGRAMS.items():
    add_comparison(_name, _row)


class Fresh(Case):
    """Values that must differ from run to run, although all sandboxes are forked from one process."""
    SERVER = SERVER

    def distinct(self, code, runs=12, **arguments):
        outputs = [self.output(code, **arguments) for _ in range(runs)]
        self.assertEqual(runs, len(set(outputs)), outputs)

    def test_random_numbers_differ(self):
        self.distinct("import random; print(random.random(), random.getrandbits(64))")

    def test_a_new_generator_differs(self):
        self.distinct("import random; print(random.Random().random())")

    def test_system_randomness_differs(self):
        self.distinct("import os, secrets; print(os.urandom(16), secrets.token_hex())")

    def test_uuids_differ(self):
        self.distinct("import uuid; print(uuid.uuid4())")
        self.distinct("import uuid; print(uuid.uuid1())")

    def test_temporary_names_differ(self):
        self.distinct("import tempfile; print(tempfile.mktemp(), next(tempfile._get_candidate_names()))")

    def test_the_random_numbers_of_children_differ(self):
        code = "import random, os, sys\nfor _ in range(3):\n    if os.fork() == 0: print(random.random()); sys.exit()\n    os.wait()"
        self.assertEqual(3, len(set(self.output(code).split())))

    def test_a_process_id_is_its_own(self):
        out = self.output("import os, threading, subprocess; print(os.getpid(), os.readlink('/proc/self'), threading.get_native_id(),"
                          "subprocess.run(['sh', '-c', 'echo $PPID'], capture_output=True, text=True).stdout)").split()
        self.assertEqual(1, len(set(out)), out)
        self.assertNotEqual("1", out[0])

    def test_it_leads_its_session(self):
        self.assertEqual("True True\n", self.output("import os; print(os.getsid(0) == os.getpgid(0), os.getpgid(0) == os.getpid())"))

    def test_modules_that_were_preloaded_have_no_state(self):
        code = "import sys; m = sys.modules.get('{0}'); import {0}; print(getattr({0}, 'poison', 'clean')); {0}.poison = 1"
        for module in ("json", "random", "re", "math"):
            for _ in range(6):
                self.assertEqual("clean\n", self.output(code.format(module)))


class Environment(Case):
    SERVER = SERVER

    def test_the_environment_is_small_and_sane(self):
        env = dict(line.split("=", 1) for line in self.output("import os\nfor k, v in os.environ.items(): print(f'{k}={v}')").splitlines())
        self.assertEqual(WORK, env["HOME"])
        self.assertIn("/usr/bin", env["PATH"].split(":"))
        self.assertIn("UTF-8", env["LANG"])
        self.assertLess(len(env), 12, env)

    def test_a_subprocess_sees_the_same_environment(self):
        code = "import os, subprocess; subprocess.run(['env', '-0']) if 0 else print(sorted(os.environ.items()) == " \
               "sorted(tuple(l.split('=', 1)) for l in subprocess.run(['env', '-0'], capture_output=True, text=True).stdout.split(chr(0)) if l))"
        self.assertEqual("True\n", self.output(code, env={"A": "b\nc=d"}))

    def test_the_environment_on_proc_holds_nothing_of_the_server(self):
        os.environ["HATCHERY_TEST_CANARY"] = "canary"
        self.addCleanup(os.environ.pop, "HATCHERY_TEST_CANARY")
        out = self.output("print(open('/proc/self/environ').read())")
        self.assertNotIn("HATCHERY", out)
        self.assertNotIn("SUDO", out)


if __name__ == "__main__":
    unittest.main()
