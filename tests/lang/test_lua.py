"""Lua 5.4: a program must not be able to tell Hatchery from `lua main.lua`."""

import re
import shutil
import unittest

from lib import lua_programs
from lib.case import Case, ServerModule, describe
from lib.language_case import Language, tests_of

PACKAGES = lua_programs.packages_of("5.4")
SERVER = ServerModule(__name__, config=lua_programs.configuration("lua", PACKAGES))
setUpModule = SERVER.set_up


def tearDownModule():
    SERVER.tear_down()
    shutil.rmtree(PACKAGES)


def normalise(output):
    """Replaces addresses, and the last digit of a number: a stack of half a million levels has room for one more level
    here."""
    return re.sub(rb"(skipping 49997)\d levels", rb"\1N levels", re.sub(rb"0x[0-9a-f]{6,}", b"0xADDRESS", output))


MORE = {
    "TZ": ("print(os.date('%H', 0)) os.execute('date -d @0 +%H')", {"env": {"TZ": "Asia/Tokyo"}}),
    "LD_DEBUG": ("print(1)", {"env": {"LD_DEBUG": "help"}}),
    "LC_ALL": ("print(os.setlocale(), os.setlocale(''))", {"env": {"LC_ALL": "POSIX"}}),
    "os.exit of a float": "os.exit(3.0)",
    "os.exit of a text": "os.exit('x')",
    "a variable that is closed": "local x <close> = setmetatable({}, { __close = function(_, e) print('closed', e) end })\nprint('end')",
    "a variable that is closed by an error": "local x <close> = setmetatable({}, { __close = function(_, e) print('closed', e) end })\nerror('x')",
    "a variable that is closed by os.exit": "local x <close> = setmetatable({}, { __close = function(_, e) print('closed', e) end })\nos.exit(3, true)",
    "a variable that is not closed by os.exit": "local x <close> = setmetatable({}, { __close = function(_, e) print('closed', e) end })\nos.exit(3)",
    "an error while closing": "local x <close> = setmetatable({}, { __close = function() error('in close') end })\nprint('end')",
    "constants": "local x <const> = 1\nx = 2",
    "integers and floats": "print(7 // 2, 7 / 2, 7 // 2.0, 2^31, 1 << 62, math.maxinteger + 1, 3 | 4, ~0, math.type(1), math.type(1.0), 10 // 0.0)",
    "integer division by zero": "print(1 // 0)",
    "a number without an integer": "print(1.5 | 1)",
    "integer overflow of for": "for i = math.maxinteger - 1, math.maxinteger do print(i) end",
    "utf8": "for p, c in utf8.codes('äΩ🐣') do print(p, c) end print(utf8.char(228, 128035), utf8.len('\\xff'))",
    "string.pack": "print(string.unpack('<i4', string.pack('<i4', -2)), string.packsize('i4i8'))",
    "warnings are off": "warn('hidden') warn('@on') warn('seen ', 'in parts') warn('@off') warn('hidden')",
    "the mode of the collector": "print(collectgarbage('incremental'), collectgarbage('generational'), collectgarbage('isrunning'))",
    "an error in a finalizer is a warning": "warn('@on') setmetatable({}, { __gc = function() error('in gc') end })\ncollectgarbage()",
    "a finalizer that makes objects": "setmetatable({}, { __gc = function() setmetatable({}, { __gc = function() print('never') end }) print('gc') end })",
    "the order of finalizers": "for i = 1, 5 do _G['x' .. i] = setmetatable({}, { __gc = function() print(i) end }) end",
    "a coroutine that is closed": "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() print('closed') end }) coroutine.yield() end)\n"
                                  "coroutine.resume(co) print(coroutine.close(co), coroutine.status(co))",
    "a coroutine that is left": "coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() print('never') end }) coroutine.yield() end)()",
    "LUA_INIT_5_4": ("print(from)", {"env": {"LUA_INIT": "from = 'LUA_INIT'", "LUA_INIT_5_4": "from = 'LUA_INIT_5_4'"}}),
    "LUA_PATH_5_4": ("print(package.path)", {"env": {"LUA_PATH": "x", "LUA_PATH_5_4": "?.lua;;"}}),
    "LUA_INIT that takes arg away": ("print(...)", {"env": {"LUA_INIT": "arg = nil"}, "args": ["a"]}),
    "package.searchpath": "print(package.searchpath('a.b', './?.lua;/x/?/init.lua'))",
    "what require passes": ("require('m')", {"files": {"m/init.lua": "print(...)"}}),
    "attributes that are unknown": "local x <nonsense> = 1",
    "goto continue": "for i = 1, 3 do if i == 2 then goto continue end print(i) ::continue:: end",
    "a global function in messages": "function f() g() end\nfunction g() error('here') end\nf()",
    "a table with __name": "print(pcall(function() return setmetatable({}, { __name = 'My' }) + 1 end))\nerror(setmetatable({}, { __name = 'My' }))",
    "table.move and unpack": "print(table.unpack(table.move({ 1, 2, 3 }, 2, 3, 1))) print(table.pack(1, nil, 3).n)",
    "print and tostring": "print(tostring(1e15), 1e100, -0.0, 2^63, math.tointeger(3.0), tostring(nil), 0x7fffffffffffffff + 1)",
    "a chunk that is too deep": "print(load(('('):rep(300) .. '1'))",
    "string coercion": "print('10' + 5, '3' * '4', 10 .. 20) print(pcall(function() return 'a' + 1 end))",
    "io.lines with formats": ("for a, b in io.lines('f', 1, 'l') do print(a, b) end", {"files": {"f": "xone\nytwo\n"}}),
    "io.read of a number": ("print(math.type(io.read('n')), math.type(io.read('n')))", {"stdin": "1 1.5"}),
    "os.date of nonsense": "os.date('%Ez')",
    "bytes of a dumped function": "print(#string.dump(function() end, true) > 10, load(string.dump(function() return 8 end))())",
    "names beyond ASCII": "local ñ = 5",
    "what is not in 5.4": "print(loadstring, unpack, setfenv, math.pow, table.getn, bit32, newproxy)",
    "_VERSION": "print(_VERSION)",
    "math.randomseed": "math.randomseed(42) print(math.random(1, 1000000), math.random(1, 1000000)) print(select('#', math.randomseed()))",
}

Lua = tests_of(SERVER, Language(
    name="lua",
    killed="print('one') io.write('part') io.stderr:write('err\\n') io.write('tw', 'o') os.execute('kill -KILL $PPID')", fresh={"LD_BIND_NOW": "1"},
    main="main.lua", command=["lua"],
    semantics={**lua_programs.SEMANTICS,
               "exit hook": "setmetatable({}, { __gc = function() print('bye') end })\n"
                            "local t <close> = setmetatable({}, { __close = function() print('closing') end })\nprint('work')\n"},
    more={**lua_programs.MORE, **MORE}, corpus=lua_programs.CORPUS, absent=lua_programs.NO_JSON, normalise=normalise,
    random=[*lua_programs.RANDOM, "print(math.random(0))\n"], limits=lua_programs.LIMITS,
    echo=[*lua_programs.ECHO, ("local f = tostring\nlocal x = f\n(9)", ""),  # Lua reads the last two lines as f(9)
          ("7 // 2, 1 << 4", "3\t16\n"), ("~5", "-6\n"), ("local x <const> = 3\nx", "3\n"), ("x = 1 ::l:: x", "1\n")]))


class Packages(lua_programs.Packages):
    SERVER = SERVER
    LANGUAGE = "lua"


class Hostile(lua_programs.LuaHostile):
    SERVER = SERVER
    LANGUAGE = "lua"


class Seeds(Case):
    SERVER = SERVER

    def test_the_seeds_of_hashes_are_many(self):
        """The order of keys shows the seed of a run. With few seeds, some of 60 runs would have the same order"""
        program = lua_programs.RANDOM[-1]
        self.assertEqual(60, len({self.output(program, language="lua") for _ in range(60)}))


class Echo(Case):
    """Except for the echo, a program behaves as without it."""

    SERVER = SERVER

    def echo(self, program, **options):
        return self.execute(program, language="lua", echo_last_expression=True, **options)

    def test_an_error_has_the_traceback_of_the_plain_command(self):
        program = "local function f()\n  error('x')\nend\nf()"
        echoed, plain = self.echo(program), self.execute(program, language="lua")
        self.assertEqual((plain.stderr, plain.exit_code), (echoed.stderr, echoed.exit_code))
        self.assertEqual(1, plain.exit_code)

    def test_a_syntax_error_is_that_of_the_program(self):
        for program in ("x = = 1", "x y z", "print('a", "f(", "1 +"):
            echoed, plain = self.echo(program), self.execute(program, language="lua")
            self.assertEqual((plain.stderr, plain.exit_code, plain.stdout), (echoed.stderr, echoed.exit_code, echoed.stdout))
            self.assertEqual(1, plain.exit_code, describe(plain))

    def test_an_expression_on_the_last_line_of_many(self):
        program = "".join(f"local function f{i}(a, b) if a then return b else return {i} end end\nv{i} = f{i}(nil)\n" for i in range(150)) + "v1 + v149"
        self.assertEqual(b"150\n", self.echo(program).stdout)

    def test_a_print_that_fails(self):
        result = self.echo("print = function() error('no') end 5")
        self.assertEqual((b"", b"lua: error calling 'print' (main.lua:1: no)\n"), (result.stdout, result.stderr))


if __name__ == "__main__":
    unittest.main()
