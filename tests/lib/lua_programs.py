"""Programs for Lua 5.4 and LuaJIT that are the same in both dialects."""

import os
import tempfile
from pathlib import Path

from lib.case import Case
from lib.hostile import MIB, HostileCase

LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000}

SEMANTICS = {
    "hello": 'print("Hello, World!")\n',
    "stdin to its end": ('io.write(io.read("*a"):upper())\n', {"stdin": "some\nlines äö\nand no end"}),
    "stdin by line": ('for line in io.lines() do print("<" .. line .. ">") end\n', {"stdin": "one\n two \nthree\r\n\nfour"}),
    "args": ('print(#arg, arg[0], arg[-1], select("#", ...))\nfor i, a in ipairs({...}) do print(i, "[" .. a .. "]", a == arg[i]) end\n',
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*", "$HOME"]}),
    "env": ('print(os.getenv("GREETING"), os.getenv("USER"), os.getenv("NOT_THERE"))\nos.execute("echo $GREETING")\n',
            {"env": {"GREETING": "good day = 1"}}),
    "several files": ('local greet = require("lib.greet")\nprint(greet("you"), package.loaded["lib.greet"] == greet)\ndofile("other.lua")\n'
                      'print(loadfile("other.lua") ~= nil)\n',
                      {"files": {"lib/greet.lua": 'local names = require "lib.names"\nreturn function(w) return names.hi .. w end\n',
                                 "lib/names.lua": 'print(...)\nreturn { hi = "hi " }\n', "other.lua": 'print("other", ...)\n'}}),
    "exit code": "os.exit(3)\n",
    "uncaught error": 'local function f(x)\n  local y = 1\n  return x.y.z, y\nend\nprint("before")\nlocal r = f({})\nprint(r)\n',
    "syntax error": 'print("never")\nlocal x = = 2\n',
    "death by signal": 'print("lost")\nlocal f = io.open("/proc/self/stat"); local pid = f:read("*n"); f:close()\nos.execute("kill -TERM " .. math.floor(pid))\n'
                       "while true do end\n",
    "buffered output": 'io.write("no newline")\n',
    "binary output": "for i = 0, 255 do io.write(string.char(i)) end\n",
    "utf-8 output": 'print("Grüße, 世界 🐣", #"世界")\nlocal größe = nil\n',
    "unread stdin": ('print("done")\n', {"stdin": "x" * 200_000}),
    "pending work": 'local co = coroutine.wrap(function() print("in"); coroutine.yield(); print("never") end)\nco()\n'
                    'local p = io.popen("sleep 0.2; echo late >&2", "w")\nprint("end")\n',
    "own source": 'print(arg[0], debug.getinfo(1, "S").source, debug.getinfo(1, "l").currentline)\n-- from the source\n'
                  'for l in io.lines(arg[0]) do io.write("> ", l, "\\n") end\n',
    "subprocess": 'local p = io.popen("echo inner; exit 7")\nprint(p:read("*a"))\nprint(p:close())\nprint(os.execute("exit 5"))\nprint(os.execute())\n',
    "stderr": 'io.stderr:write("err\\n")\nprint("out")\nio.stderr:write("err 2\\n")\n',
}

MORE = {
    "an empty program": "",
    "a comment": "-- nothing",
    "a first line with a hash": "#!/usr/bin/nonsense\nprint('after', debug.getinfo(1, 'l').currentline)\n",
    "a byte order mark": b"\xef\xbb\xbfprint('bom')\n",
    "carriage returns": b"local x = [[a\r\nb]]\r\nprint(#x)\r\n",
    "a source that is not UTF-8": b"print('caf\xe9')\n",
    "a NUL in the source": b"print(#'a\0b')\n",
    "an unfinished string": "print('abc",
    "an unfinished block": "if true then\nprint(1)\n",
    "a goto to nowhere": "goto nowhere\n",
    "too many locals": "".join(f"local v{i}\n" for i in range(201)),
    "os.exit of true": "io.write('x') os.exit(true)",
    "os.exit of false": "io.write('x') os.exit(false)",
    "os.exit of 256": "os.exit(257)",
    "os.exit of -1": "os.exit(-1)",
    "os.exit in a coroutine": "coroutine.wrap(function() io.write('kept'); os.exit(4) end)()",
    "os.exit in pcall": "pcall(function() os.exit(6) end) print('never')",
    "os.exit in a finalizer": "local p = newproxy and newproxy(true) or setmetatable({}, {})\ngetmetatable(p).__gc = function() os.exit(9) end\n",
    "a value returned by the program": "return 5",
    "error of a string": "error('message')",
    "error without position": "error('message', 0)",
    "error of the caller": "local function f() error('message', 2) end\nf()",
    "error of nil": "error()",
    "error of a table": "error({ code = 2 })",
    "error of a number": "error(42)",
    "error of true": "error(true)",
    "error of an object": "error(setmetatable({}, { __tostring = function() return 'I am an object' end }))",
    "error of an object that can't be told": "error(setmetatable({}, { __tostring = function() return 5 end }))",
    "error in __tostring": "error(setmetatable({}, { __tostring = function() error('worse') end }))",
    "error in a coroutine": "local co = coroutine.create(function() error('inside') end)\nprint(coroutine.resume(co))\ncoroutine.wrap(function() error('wrapped') end)()",
    "error in a module": ("require('bad')", {"files": {"bad.lua": "local x\n\nx.y = 1\n"}}),
    "error in a module's syntax": ("require('bad')", {"files": {"bad.lua": "x = = 1\n"}}),
    "a module that is not there": "require('nothing.of.the.kind')",
    "modules that need each other": ("print(pcall(require, 'a'))", {"files": {"a.lua": "return require('b')", "b.lua": "return require('a')"}}),
    "dofile of nothing": "dofile('nothing.lua')",
    "assert": "assert(1 == 2, 'not equal')",
    "assert without a message": "assert(false)",
    "a deep traceback": "local function f(n) if n == 0 then error('deep') end f(n - 1) return 1 end\nf(40)",
    "tail calls in a traceback": "local function f(n) if n == 0 then error('deep') end return f(n - 1) end\nf(3)",
    "a stack overflow": "local function f(n) return 1 + f(n + 1) end\nf(1)",
    "a caught stack overflow": "local function f(n) return 1 + f(n + 1) end\nlocal ok, e = pcall(f, 1)\nprint(ok, (e:gsub('\\n.*', '')))",
    "methods and fields in messages": "local t = { a = {} }\nprint(pcall(function() t.a.b.c() end))\nprint(pcall(function() t:nothing() end))\nt.x.y = 1",
    "arithmetic on nil": "local a\nprint(a + 1)",
    "comparison of two kinds": "print(1 < 'x')",
    "concatenation of nil": "print('x' .. nothing)",
    "a bad argument": "('x'):rep({})",
    "a call of a field of nothing": "io.nothing()",
    "xpcall and traceback": "print(xpcall(function() local x = nil; x() end, function(e) return debug.traceback(e, 1) end))",
    "the stack as a program sees it": "print(debug.traceback('here'))\nlocal n = 0 while debug.getinfo(n) do n = n + 1 end print(n)",
    "main chunk": "local i = debug.getinfo(1, 'S') print(i.what, i.short_src, i.linedefined)\nprint(coroutine.running())",
    "LUA_INIT": ("print(prepared, arg[0])", {"env": {"LUA_INIT": "prepared = 'by LUA_INIT'"}}),
    "LUA_INIT of a file": ("print(prepared)", {"env": {"LUA_INIT": "@init.lua"}, "files": {"init.lua": "prepared = arg[0]"}}),
    "LUA_INIT that fails": ("print('never')", {"env": {"LUA_INIT": "error('in init')"}}),
    "LUA_INIT that can't be parsed": ("print('never')", {"env": {"LUA_INIT": "= ="}}),
    "LUA_INIT of a missing file": ("print('never')", {"env": {"LUA_INIT": "@missing.lua"}}),
    "LUA_INIT that changes arg": ("print(...)", {"env": {"LUA_INIT": "arg[2] = 'changed'"}, "args": ["a", "b", "c"]}),
    "LUA_PATH": ("print(package.path)\nrequire('m')", {"env": {"LUA_PATH": "./src/?.lua;;"}, "files": {"src/m.lua": "print(...)"}}),
    "LUA_CPATH": ("print(package.cpath)", {"env": {"LUA_CPATH": "/x/?.so"}}),
    "package.path": "print(package.path) print(package.cpath) print(package.config)",
    "globals": "local names = {} for k, v in pairs(_G) do names[#names + 1] = k .. ':' .. type(v) end\ntable.sort(names) print(table.concat(names, ' '))",
    "libraries": "local names = {} for k, v in pairs(package.loaded) do if type(v) == 'table' then for n in pairs(v) do names[#names + 1] = k .. '.' .. tostring(n) end end end\n"
                 "table.sort(names) print(table.concat(names, ' '))",
    "preloaded modules": "local t = {} for k in pairs(package.preload) do t[#t + 1] = k end table.sort(t) print(table.concat(t, ' '))",
    "finalizers at the end": "for i = 1, 3 do local p = newproxy and newproxy(true) or setmetatable({}, {})\n"
                             "getmetatable(p).__gc = function() print('gc', i) io.write('last ') end _G['p' .. i] = p end\nprint('end')",
    "finalizers after an error": "p = newproxy and newproxy(true) or setmetatable({}, {})\ngetmetatable(p).__gc = function() print('gc') end\nerror('x')",
    "finalizers and os.exit": "p = newproxy and newproxy(true) or setmetatable({}, {})\ngetmetatable(p).__gc = function() print('gc') end\nos.exit(2)",
    "finalizers and os.exit that closes": "p = newproxy and newproxy(true) or setmetatable({}, {})\ngetmetatable(p).__gc = function() print('gc') end\nos.exit(2, true)",
    "an error in a finalizer": "p = newproxy and newproxy(true) or setmetatable({}, {})\ngetmetatable(p).__gc = function() error('in gc') end\nprint('end')",
    "a file that is never closed": "f = io.open('f', 'w') f:write('content')\np = newproxy and newproxy(true) or setmetatable({}, {})\n"
                                   "getmetatable(p).__gc = function() print(io.open('f'):read('*a')) end",
    "collected objects": "local n = 0\nfor i = 1, 100 do local p = newproxy and newproxy(true) or setmetatable({}, {}) getmetatable(p).__gc = function() n = n + 1 end end\n"
                         "collectgarbage() collectgarbage() print(n)",
    "weak tables": "local t = setmetatable({}, { __mode = 'k' }) t[{}] = 1 collectgarbage() print(next(t))",
    "metamethods": "local V = {} V.__index = V V.__add = function(a, b) return a.x + b.x end V.__call = function(s, y) return y * 2 end V.__eq = function() return true end\n"
                   "V.__concat = function() return 'cat' end V.__unm = function() return 'neg' end\n"
                   "local a, b = setmetatable({ x = 1 }, V), setmetatable({ x = 2 }, V) print(a + b, a(4), a == b, a .. b, -a)",
    "closures": "local function counter() local n = 0 return function() n = n + 1 return n end end\nlocal a, b = counter(), counter() print(a(), a(), b())",
    "coroutines": "local gen = coroutine.wrap(function(a) for i = 1, 3 do a = coroutine.yield(a + i) end return 'done' end)\nprint(gen(1), gen(10), gen(100), gen(1000))\nprint(pcall(gen))",
    "string functions": "print(('%5.2f|%-5s|%05d|%x|%q'):format(3.14159, 'ab', 42, 255, 'a\\nb'), ('hello'):gsub('l', { l = 'L' }), ('a,b,c'):find(',', 1, true), ('x=1'):match('(%w+)=(%w+)'))",
    "sorting": "local t = { 5, 2, 8, 1 } table.sort(t, function(a, b) return a > b end) print(table.concat(t, ' '))\nprint(pcall(table.sort, { 1, 'x', 2 }))",
    "numbers": "print(1e15, 2^53, 0.1, 1/0, -1/0, 100, 1e100, math.huge, math.pi, 7 % -3, -7 % 3, 0x10, tonumber('z', 36), tonumber('1e1'), tostring(1.5))",
    "time": "print(os.date('!%Y-%m-%d %H:%M:%S', 86400), os.time({ year = 2020, month = 1, day = 1, hour = 12 }), os.clock() < 5, os.difftime(5, 3))",
    "a locale": "print(os.setlocale(), os.setlocale(nil, 'ctype'), os.setlocale('C.UTF-8', 'ctype'), os.setlocale('xx'))",
    "reading numbers": ("print(io.read('*n', '*n', '*l'))\nprint(io.read(3), io.read(0), io.read('*l'), io.read('*l'))", {"stdin": "12 0x1F rest\nabcdef\n"}),
    "reading at the end": "print(io.read('*l'), io.read('*a'), io.read('*n'), io.read(5), io.read(0))",
    "binary input": ("local s = io.read('*a') print(#s, s:byte(1, 3))", {"stdin": bytes(range(256))}),
    "part of standard input": ("print(#io.read(3))", {"stdin": b"x" * 300_000}),
    "files": "local f = assert(io.open('a.txt', 'w')) f:write('one\\n', 2, '\\n') f:close()\nfor l in io.lines('a.txt') do print(l) end\nprint(io.open('nothing/x'))\nprint(os.rename('a.txt', 'b.txt'), os.remove('a.txt'))\n"
             "local g = io.open('b.txt', 'r+') print(g:seek('end'), g:seek('set', 1), g:read('*a')) print(io.type(g), io.type(4), g:close(), io.type(g))",
    "a closed file": "local f = io.tmpfile() f:close() f:write('x')",
    "standard output closed": "io.stdout:close() print('lost')",
    "standard output redirected": "io.output('out.txt') io.write('hidden') io.close() io.output(io.stdout) io.write(io.open('out.txt'):read('*a'), '\\n')",
    "buffering": "io.stdout:setvbuf('no') io.write('a') os.execute('printf b') io.write('c')\nio.stdout:setvbuf('full') io.write('d') os.execute('printf e') io.write('f')",
    "output before a subprocess": "io.write('after') os.execute('echo before')",
    "output of 900 KB": "for i = 1, 9000 do print(('x'):rep(100)) end",
    "a pipe that breaks": "local p = io.popen('exit 0', 'w') os.execute('sleep 0.1') p:write(('x'):rep(100000)) p:flush() print('never')",
    "a pipe to a program": "io.stdout:setvbuf('no') local p = io.popen('cat', 'w') p:write('through') p:close() print(' done')",
    "a program that is not there": "print(os.execute('nothing-of-the-kind'))",
    "a program killed by a signal": "print(os.execute('kill -9 $$'))",
    "the environment of a subprocess": ("os.execute('env | grep -v ^_= | grep -v ^PWD= | grep -v ^SHLVL= | grep -v ^OLDPWD= | sort')", {"env": {"A": "b\nc=d"}}),
    "the working directory": ("os.execute('pwd; ls')", {"files": {"x/y": "z"}}),
    "open descriptors": "os.execute('ls /proc/$PPID/fd | sort -n | tr \"\\\\n\" \" \"')",
    "the signals that are ignored": "for l in io.lines('/proc/self/status') do if l:match('^Sig[BIC]') then print(l) end end",
    "SIGINT": "if jit then jit.off() end\nlocal f = io.open('/proc/self/stat') local pid = f:read('*n') f:close()\n"
              "os.execute('(sleep 0.2; kill -INT ' .. math.floor(pid) .. ') &')\nwhile true do end",
    "a binary chunk": "local f = io.open('c.out', 'wb') f:write(string.dump(function(...) print('binary', ...) end)) f:close()\nloadfile('c.out')(1, 2)",
    "load": "print((loadstring or load)('return 1 + 1')()) print((loadstring or load)('x = = 1', '=name'))",
    "debug hooks": "local n = 0 debug.sethook(function(e, l) n = n + 1 end, 'l')\nlocal x = 1\nx = x + 1\ndebug.sethook()\nprint(n)",
    "many globals": "for i = 1, 5000 do _G['v' .. i] = i end local s = 0 for i = 1, 5000 do s = s + _G['v' .. i] end print(s)",
    "a large table": "local t = {} for i = 1, 1e6 do t[i] = i end print(#t)",
    "memory that there is not": "local ok, e = pcall(string.rep, 'x', 1e10) print(ok)",
    "arg is writable": "arg = nil print(...)",
    "main.lua requires itself": "if not once then once = true require('main') print('outer', ...) else print('inner', ...) end",
}

CORPUS = {
    "hello": SEMANTICS["hello"],
    "fizzbuzz": 'for i = 1, 100 do print(i % 15 == 0 and "FizzBuzz" or i % 5 == 0 and "Buzz" or i % 3 == 0 and "Fizz" or i) end\n',
    "primes": "local composite, count = {}, 0\nfor i = 2, 999999 do\n  if not composite[i] then\n    count = count + 1\n"
              "    for j = i * i, 999999, i do composite[j] = true end\n  end\nend\nprint(count)\n",
    "word count": 'local counts, words = {}, {}\nfor word in io.read("*a"):gmatch("%S+") do\n  if not counts[word] then words[#words + 1] = word end\n'
                  "  counts[word] = (counts[word] or 0) + 1\nend\n"
                  "table.sort(words, function(a, b) if counts[a] ~= counts[b] then return counts[a] > counts[b] end return a < b end)\n"
                  'for _, word in ipairs(words) do print(word .. " " .. counts[word]) end\n',
}
NO_JSON = {"json": "Lua has no JSON of its own; lua-cjson and luarocks have"}

RANDOM = [
    "print(math.random())\n",
    "print(math.random(1, 1000000), math.random(1, 1000000))\n",
    "print(os.tmpname())\n",
    # the order of keys shows the seed of the hashes
    'local t, keys = {}, {}\nfor i = 1, 2000 do t["key" .. i] = true end\nfor k in pairs(t) do keys[#keys + 1] = k end\nprint(table.concat(keys, " "))\n',
]

ECHO = [
    ("1 + 1", "2\n"),
    ("local x = 4\nx * x, x", "16\t4\n"),
    ("'text'", "text\n"),
    ("x", "nil\n"),
    ("nil", "nil\n"),
    ("print(1)", "1\n"),
    ("local function f() return 1, nil, 3 end\nf()", "1\tnil\t3\n"),
    ("local function f() end\nf()", ""),
    ("local function f()\n  return 5\nend\n(f)()", "5\n"),
    ("local t = { f = function(self) return self.v end, v = 7 }\nt:f()", "7\n"),
    ("local t = { v = 7 }\nt.v", "7\n"),
    ("local t = { 1, 2 }\n#t", "2\n"),
    ("local x = 1 -- a comment\nx -- another", "1\n"),
    ("local x = 'return 5' --[[ y ]]\nx;", "return 5\n"),
    ("not true", "false\n"),
    ("...", ""),
    ("(function() return 3 end)()", "3\n"),
    ("for i = 1, 2 do print(i) end", "1\n2\n"),
    ("for i = 1, 2 do print(i) end\n6 * 7", "1\n2\n42\n"),
    ("local x = 5\n-3", ""),  # that is 5 - 3
    ("x = 5", ""),
    ("return 5", ""),  # a statement, not an expression
    ("do local x = 1 end", ""),
    ("", ""),
    ("#!shebang\n'x'", "x\n"),
    ("if true then print(1) end 'a' .. 'b'", "1\nab\n"),
    ("function f() g() end", ""),
    ("setmetatable({}, { __tostring = function() return 'object' end })", "object\n"),
    ("print = nil 5", ""),
    ("local s = [==[\n]] return ]==]\n#s", "10\n"),
    ('local s = "\\"" s', '"\n'),
    ("{ } == nil", "false\n"),
    ("1e-3", "0.001\n"),
    ("repeat local x = 1 until x == 1 8", "8\n"),
]


class LuaHostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while true do end", limits={"wall_us": 300_000})

    def test_an_endless_match_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "print(('a'):rep(100000):find(('.-'):rep(8) .. 'b'))", limits={"wall_us": 300_000})

    def test_an_endless_loop_that_catches_errors_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while true do pcall(function() while true do end end) end", limits={"wall_us": 300_000})

    def test_a_table_that_grows_ends_at_the_limit(self):
        result = self.hostile("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", limits={"memory_bytes": 64 * MIB})
        self.assert_memory(result)

    def test_a_string_that_doubles_ends_at_the_limit(self):
        result = self.hostile("local s = 'x' while true do s = s .. s end", limits={"memory_bytes": 64 * MIB})
        self.assert_memory(result)

    def assert_memory(self, result):
        """The run met the kernel's memory limit, or its allocator got no addresses before that."""
        if not (result.status == 1 and b"not enough memory" in result.stderr):
            self.assert_status(result, "MEMORY_LIMIT")

    def test_recursion_without_end_is_an_error_of_the_program(self):
        result = self.hostile("local function f() return 1 + f() end f()")
        self.assert_exited(result, 1)
        self.assertIn(b"stack overflow", result.stderr)

    def test_a_fork_bomb_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while true do io.popen('sleep 100') end", limits={"wall_us": 500_000, "open_files": 1024})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "while true do print(('x'):rep(1000)) end", limits={"output_bytes": MIB})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile("local f = io.open('f', 'w') f:setvbuf('no') local ok, e repeat ok, e = f:write(('x'):rep(65536)) until not ok print(e)",
                              limits={"disk_bytes": 8 * MIB})
        self.assertEqual(b"No space left on device\n", result.stdout)

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile("for _, name in ipairs({ '/etc/shadow', '/proc/1/environ', '/root/x', '/proc/1/root/etc/shadow' }) do print(io.open(name)) end\n"
                              "print(io.open('/usr/x', 'w')) print(os.remove('/usr/bin/lua')) os.execute('mount -t tmpfs x /tmp; kill -9 1')")
        self.assert_exited(result)
        self.assertEqual(4, result.stdout.count(b"No such file or directory") + result.stdout.count(b"Permission denied"), result.stdout)
        self.assertEqual(2, result.stdout.count(b"Read-only file system"), result.stdout)

    def test_no_socket_leads_out(self):
        result = self.hostile("print(os.execute(\"bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'\"))")
        self.assertIn(b"Address family not supported", result.stderr)

    def test_what_stays_behind_is_killed(self):
        result = self.hostile("os.execute('setsid sleep 1000 >/dev/null 2>&1 &') print('end')")
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)

    def test_a_stack_of_c_is_bounded(self):
        result = self.hostile("local s = ('('):rep(1000000) print((loadstring or load)('return ' .. s))")
        self.assert_exited(result)
        self.assertIn(b"nil", result.stdout)


def packages_of(tree):
    """A directory as luarocks --tree leaves it; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="hatchery-test-lua-"))
    os.chmod(folder, 0o755)
    modules = folder / "share" / "lua" / tree
    (modules / "deep").mkdir(parents=True)
    (modules / "mine.lua").write_text("local count = 0\nreturn { next = function() count = count + 1 return count end }\n")
    (modules / "deep" / "init.lua").write_text("return ...\n")
    (modules / "broken.lua").write_text("error('broken')\n")
    return folder


def configuration(runtime, packages):
    """The language without packages, and the same with packages, some of them preloaded."""
    return (f"client_share = 100\nlanguage {runtime} {{ warm = 2 running = 2 }}\nlanguage {runtime}-more {{\n  runtime = {runtime}\n  warm = 2\n"
            f"  packages = \"{packages}\"\n  preload = {{ mine, broken, missing }}\n}}\n")


class Packages(Case):
    LANGUAGE = None

    def more(self, program, **options):
        return self.output(program, language=f"{self.LANGUAGE}-more", **options)

    def test_a_preloaded_module_is_there_in_the_same_state_for_each(self):
        for _ in range(4):
            self.assertEqual("true\t1\n", self.more("local there = package.loaded.mine ~= nil print(there, require('mine').next())"))

    def test_packages_come_last(self):
        path = self.more("print(package.path)").strip().split(";")
        tree = [part for part in path if part.startswith("/hatchery/packages/share/lua/")]
        self.assertEqual(path[-2:], tree)
        self.assertEqual("deep\n", self.more("print((require('deep')))"))
        self.assertIn(";/hatchery/packages/lib/lua/", self.more("print(package.cpath)"))

    def test_a_module_of_the_program_comes_first(self):
        self.assertEqual("own\n", self.more("print((require('deep')))", files={"deep.lua": "return 'own'\n"}))

    def test_a_module_that_fails_to_load_fails_in_the_program(self):
        result = self.execute("require('broken')", language=f"{self.LANGUAGE}-more")
        self.assert_exited(result, 1)
        self.assertIn(b"broken.lua:1: broken", result.stderr)

    def test_variables_that_make_another_state(self):
        out = self.more("print(package.path) print(require('mine').next())", env={"LUA_PATH": "./x/?.lua"})
        self.assertTrue(out.startswith("./x/?.lua;/hatchery/packages/"), out)
        self.assertTrue(out.endswith("\n1\n"), out)

    def test_random_numbers_differ_where_modules_are_preloaded(self):
        numbers = [self.more("print(math.random())") for _ in range(8)]
        self.assertEqual(8, len(set(numbers)), numbers)
