"""LuaJIT: a program must not be able to tell Hatchery from `luajit main.lua`, except by the first numbers of
math.random."""

import re
import shutil
import unittest

from lib import lua_programs
from lib.case import Case, ServerModule
from lib.language_case import Language, tests_of

PACKAGES = lua_programs.packages_of("5.1")
SERVER = ServerModule(__name__, config=lua_programs.configuration("luajit", PACKAGES))
setUpModule = SERVER.set_up


def tearDownModule():
    SERVER.tear_down()
    shutil.rmtree(PACKAGES)


def normalise(output):
    """Replaces addresses of objects and of C functions, which differ from run to run."""
    return re.sub(rb"0x[0-9a-f]{6,}|builtin#\d+", b"0xADDRESS", output)


MORE = {
    "TZ": ("print(os.date('%H', 0)) os.execute('date -d @0 +%H')", {"env": {"TZ": "Asia/Tokyo"}}),
    "LD_DEBUG": ("print(1)", {"env": {"LD_DEBUG": "help"}}),
    "LC_ALL": ("print(os.setlocale(), os.setlocale(''))", {"env": {"LC_ALL": "POSIX"}}),
    "the compiler is on": "print(jit.status()) print(jit.version, jit.version_num, jit.os, jit.arch)",
    "compiled loops": "local traces = 0 jit.attach(function(what) if what == 'stop' then traces = traces + 1 end end, 'trace')\n"
                      "local s = 0 for i = 1, 1e7 do s = s + i % 7 end print(s, traces > 0)",
    "the compiler switched off": "jit.off() local s = 0 for i = 1, 1e5 do s = s + i end print(s, (jit.status()))",
    "jit.opt": "jit.opt.start('hotloop=2') local s = 0 for i = 1, 100 do s = s + i end print(s)",
    "jit.util and jit.bc": "local bc = require('jit.bc') bc.dump(function(a) return a + 1 end, io.stdout)",
    "ffi": "local ffi = require('ffi')\nffi.cdef[[ int printf(const char *format, ...); int getpid(void); size_t strlen(const char *); ]]\n"
           "print(ffi.C.getpid() > 1, tonumber(ffi.C.strlen('hello')))\nffi.C.printf('%s %d\\n', 'from C', ffi.new('int', 42))",
    "ffi structs": "local ffi = require('ffi')\nffi.cdef[[ typedef struct { double x, y; } point; ]]\n"
                   "local point = ffi.metatype('point', { __add = function(a, b) return ffi.new('point', a.x + b.x, a.y + b.y) end })\n"
                   "local p = point(1, 2) + point(3, 4) print(p.x, p.y, ffi.sizeof('point'))",
    "ffi callbacks": "local ffi = require('ffi')\nffi.cdef[[ void qsort(void *, size_t, size_t, int (*)(const int *, const int *)); ]]\n"
                     "local a = ffi.new('int[4]', 4, 2, 3, 1) ffi.C.qsort(a, 4, 4, function(x, y) return x[0] - y[0] end) print(a[0], a[1], a[2], a[3])",
    "ffi of a library": "local ffi = require('ffi') ffi.cdef[[ double cos(double); ]] print(ffi.load('m').cos(0))",
    "ffi of a library that is not there": "print(pcall(require('ffi').load, 'nothing-of-the-kind'))",
    "ffi finalizers": "local ffi = require('ffi') x = ffi.gc(ffi.new('int[1]'), function() print('finalized') end) print('end')",
    "a null pointer by ffi": "local ffi = require('ffi') print(ffi.cast('int *', nil) == nil) local x = ffi.cast('int *', 8)[0]",
    "_exit by ffi": "local ffi = require('ffi') ffi.cdef[[ void _exit(int); ]] io.write('lost') ffi.C._exit(5)",
    "exit by ffi": "local ffi = require('ffi') ffi.cdef[[ void exit(int); ]] io.write('kept') ffi.C.exit(5)",
    "abort by ffi": "local ffi = require('ffi') ffi.cdef[[ void abort(void); ]] ffi.C.abort()",
    "fork by ffi": "local ffi = require('ffi') ffi.cdef[[ int fork(void); int wait(int *); ]]\nif ffi.C.fork() == 0 then print('child') os.exit(3) end\n"
                   "local s = ffi.new('int[1]') ffi.C.wait(s) print('parent', bit.rshift(s[0], 8))",
    "a signal handler by ffi": "local ffi = require('ffi') ffi.cdef[[ int kill(int, int); int getpid(void); ]] ffi.C.kill(ffi.C.getpid(), 15)",
    "64 bits": "print(2LL^40, 1ULL - 2, 0x7fffffffffffffffLL, 5LL / 2LL)",
    "bit operations": "print(bit.band(6, 3), bit.bor(6, 3), bit.bxor(6, 3), bit.lshift(1, 31), bit.tohex(255), bit.bnot(0))",
    "Lua 5.1": "print(_VERSION, unpack({ 1, 2 }), loadstring('return 7')(), table.maxn({ 1, 2 }), math.pow, getfenv() == _G)",
    "parts of Lua 5.2": "print(#table.pack and table.pack, load('return ...', 'x', 't')(4)) for i = 1, 2 do if i == 1 then goto next end print(i) ::next:: end",
    "setfenv": "local f = function() return x end setfenv(f, { x = 'inner' }) print(f())",
    "newproxy": "local p = newproxy(true) getmetatable(p).__len = function() return 12 end print(#p)",
    "module": ("require('m') print(m.f())", {"files": {"m.lua": "module('m')\nfunction f() return _NAME end\n"}}),
    "string.buffer": "local ok, buffer = pcall(require, 'string.buffer') print(ok, ok and buffer.new():put('a', 1):get())",
    "table.new and clear": "local t = require('table.new')(10, 0) t[1] = 1 require('table.clear')(t) print(#t)",
    "names beyond ASCII": "local ñ = 5 print(ñ)",
    "the seed of a program": "math.randomseed(42) print(math.random(), math.random(1, 100), math.random(5))",
    "an error in compiled code": "local function f(i) if i == 900 then error('at 900') end return i end\nfor i = 1, 1000 do f(i) end",
    "a stack overflow in compiled code": "local function f(n) local x = f(n + 1) return x end f(1)",
    "memory that there is not": "local t = {} print(pcall(string.rep, 'x', 2^40))",
    "LUA_INIT_5_1": ("print(x)", {"env": {"LUA_INIT_5_1": "x = 1", "LUA_INIT": "x = 2"}}),
    "a finalizer that makes objects": "local p = newproxy(true) getmetatable(p).__gc = function() local q = newproxy(true)\n"
                                      "getmetatable(q).__gc = function() print('second') end print('first') end",
    "collectgarbage": "print(collectgarbage('step'), collectgarbage('stop'), collectgarbage('restart'), collectgarbage('isrunning'))",
    "the profiler": "local p = require('jit.p') print(type(p.start))",
}

LuaJit = tests_of(SERVER, Language(
    name="luajit",
    killed="print('one') io.write('part') io.stderr:write('err\\n') io.write('tw', 'o') os.execute('kill -KILL $PPID')", fresh={"LD_BIND_NOW": "1"},
    main="main.lua", command=["luajit"],
    semantics={**lua_programs.SEMANTICS,
               "exit hook": "bye = newproxy(true) getmetatable(bye).__gc = function() print('bye') end\nprint('work')\n"},
    more={**lua_programs.MORE, **MORE}, corpus=lua_programs.CORPUS, absent=lua_programs.NO_JSON, normalise=normalise,
    random=lua_programs.RANDOM, limits=lua_programs.LIMITS,
    echo=[*lua_programs.ECHO, ("bit.band(6, 3)", "2\n"), ("1LL", "1LL\n")]))


class Packages(lua_programs.Packages):
    SERVER = SERVER
    LANGUAGE = "luajit"


class Hostile(lua_programs.LuaHostile):
    SERVER = SERVER
    LANGUAGE = "luajit"

    def by_ffi(self, declarations, code):
        return self.hostile(f"local ffi = require('ffi') ffi.cdef[[ {declarations} int fork(void); long syscall(long, ...); ]]\n"
                            f"{code}", limits={"wall_us": 500_000})

    def test_a_bomb_of_forks(self):
        self.assert_status(self.by_ffi("", "while true do ffi.C.fork() end"), "TIME_LIMIT")

    def test_calls_that_no_sandbox_has(self):
        """ptrace, mount, bpf, unshare, kexec_load, open_by_handle_at, keyctl."""
        result = self.by_ffi("", "for _, n in ipairs({ 101, 165, 321, 272, 246, 304, 250 }) do print(n, tonumber(ffi.C.syscall(n, 0LL, 0LL, 0LL, 0LL, 0LL)), ffi.errno()) end")
        self.assert_exited(result)
        rows = [line.split() for line in result.stdout.decode().splitlines()]
        self.assertEqual(7, len(rows), rows)
        for number, returned, error in rows:
            self.assertEqual("-1", returned, rows)
            self.assertIn(error, ("1", "38"), rows)  # EPERM, ENOSYS

    def test_a_write_to_a_wild_address(self):
        result = self.by_ffi("", "ffi.cast('char *', 0x1234567)[0] = 1")
        self.assert_status(result, "SIGNALED")
        self.assertEqual(11, result.signal)

    def test_code_of_its_own(self):
        """The compiler needs writable memory that becomes executable: no wall refuses it, the others hold."""
        result = self.by_ffi("void *mmap(void *, size_t, int, int, int, long);",
                             "local p = ffi.cast('uint8_t *', ffi.C.mmap(nil, 4096, 7, 0x22, -1, 0)) ffi.copy(p, '\\xb8\\x2a\\0\\0\\0\\xc3', 6)\n"
                             "if jit.arch == 'x64' then print(ffi.cast('int (*)(void)', p)()) else print(42) end")
        self.assertEqual(b"42\n", result.stdout)


class Random(Case):
    SERVER = SERVER

    def test_it_begins_with_another_number_than_the_command(self):
        """The one difference: the command's first number is the same in every run."""
        numbers = {self.output("print(math.random())", language="luajit") for _ in range(5)}
        self.assertEqual(5, len(numbers))


if __name__ == "__main__":
    unittest.main()
