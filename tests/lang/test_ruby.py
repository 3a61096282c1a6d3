"""Ruby, forked: the same programs by Hatchery and by `ruby main.rb`, and the ends of hostile ones."""

import re
import unittest

from lib import language_case
from lib.case import ServerModule, describe
from lib.hatchery import Status
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="language ruby {\n    warm = 2\n"
                                       "    preload = { json, set, tempfile, no_such_library }\n}\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def normalise(stream):
    """Replaces addresses of objects, and names with a pid: they differ from run to run."""
    return re.sub(rb"pid \d+", b"pid N", re.sub(rb"0x[0-9a-f]{16}", b"0xADDRESS", stream))


SEMANTICS = {
    "hello": "puts 'Hello, World!'",
    "stdin to its end": ("print $stdin.read.upcase", {"stdin": "one\ntwo\nthree"}),
    "stdin by line": ("while line = gets\n  puts \"#{$.}: #{line.chomp.reverse}\"\nend", {"stdin": "one\ntwo\nthree"}),
    "args": ("p ARGV, $*.equal?(ARGV), ARGV.map(&:encoding), ARGV.map(&:frozen?)", {"args": ["a", "", "b c", "ä", "-x", "--", "*"]}),
    "env": ("puts ENV['GREETING'], ENV['EMPTY'].inspect, `printf %s \"$GREETING\"`", {"env": {"GREETING": "hällo wörld", "EMPTY": ""}}),
    "several files": ("require_relative 'lib/a'\nrequire './b'\nload 'c.rb'\nputs A, B, $c, require_relative('lib/a')", {
        "files": {"lib/a.rb": "require_relative 'deeper/d'\nA = \"a #{D} #{__FILE__} #{__dir__}\"\n",
                  "lib/deeper/d.rb": "D = __method__.inspect\n", "b.rb": "B = 'b'\n", "c.rb": "$c = 'c'\n"}}),
    "exit code": "puts 1\nexit 3",
    "uncaught error": "def f(x)\n  g(x)\nend\ndef g(x) = raise(ArgumentError, \"no #{x}\")\nputs 'before'\n[1].each { |x| f(x) }",
    "syntax error": "puts 1\nif true\n  x = (1 +\nend",
    "death by signal": "puts 'x'; $stdout.flush; Process.kill(:TERM, $$); sleep 5",
    "exit hook": "at_exit { puts 'last' }\nEND { puts 'first' }\nputs 'main'",
    "buffered output": "print 'no newline'",
    "binary output": "$stdout.binmode; $stdout.write((0..255).to_a.pack('C*'))",
    "utf-8 output": "puts 'äöü 日本 🐣', 'ä'.length, 'ä'.bytesize",
    "unread stdin": ("puts 'done'", {"stdin": b"x" * 200_000}),
    "pending work": "Thread.new { begin; sleep; ensure; puts 'killed'; end }\nsleep 0.3\nputs 'main ends'",
    "own source": "puts __FILE__, $0, DATA.class, DATA.path, DATA.pos, File.read(__FILE__).lines.size\nDATA.each_line { |l| puts l }\n__END__\none\ntwo",
    "subprocess": "puts `echo said; exit 4`, $?.exitstatus\nsystem('exit 5'); p $?.exitstatus\np system('no-such-program')",
    "stderr": "$stderr.puts 'err'; warn 'warned'; puts 'out'; $stderr.print 'end'",
}

MORE = {
    "RUBYLIB": ("p $LOAD_PATH.first(2)", {"env": {"RUBYLIB": "lib:/other"}}),
    "RUBYOPT": ("p $VERBOSE, $LOADED_FEATURES.grep(/shellwords/).size", {"env": {"RUBYOPT": "-w -rshellwords"}}),
    "RUBY_ of memory": ("p GC.stat(:heap_allocated_pages) > 300", {"env": {"RUBY_GC_HEAP_INIT_SLOTS": "400000", "RUBY_THREAD_VM_STACK_SIZE": "2000000"}}),
    "LC_ALL": ("p Encoding.default_external, Encoding.find('locale'), __ENCODING__", {"env": {"LC_ALL": "C"}}),
    "LANG": ("p Encoding.default_external", {"env": {"LANG": "POSIX"}}),
    "GEM_HOME and GEM_PATH": ("p Gem.dir, Gem.path", {"env": {"GEM_HOME": "/tmp/gems", "GEM_PATH": "/tmp/more"}}),
    "LD_DEBUG": ("p 1", {"env": {"LD_DEBUG": "help"}}),
    # ---- endings
    "an empty program": "",
    "a comment": "# nothing",
    "a comment without a line": "#",
    "exit true": "exit true",
    "exit false": "exit false",
    "exit 259": "exit 259",
    "exit -1": "exit(-1)",
    "exit in a rescue": "begin; exit 4; rescue SystemExit => e; p e.status, e.success?; end; exit 5",
    "exit in eval": "eval 'exit 6'",
    "exit in a thread": "Thread.new { exit 7 }.join; puts 'no'",
    "exit!": "at_exit { puts 'no' }; $stdout.sync = true; print 'x'; exit! 8",
    "exit! loses what is buffered": "print 'lost'; exit!",
    "abort": "abort 'a sentence ä'",
    "abort with an exception": "begin; raise 'was'; rescue; abort; end",
    "raise SystemExit": "raise SystemExit",
    "return": "puts 1; return; puts 2",
    "a signal that is handled": "trap(:TERM) { puts 'got'; exit 5 }; Process.kill(:TERM, $$); sleep 5",
    "SIGINT": "Process.kill(:INT, $$); sleep 5",
    "SIGINT caught": "begin; Process.kill(:INT, $$); sleep 5; rescue Interrupt => e; p e; end",
    "SIGHUP": "Process.kill(:HUP, $$); sleep 5",
    "SIGUSR1": "Process.kill(:USR1, $$); sleep 5",
    "SIGKILL": "puts 'lost'; Process.kill(:KILL, $$)",
    "SIGPIPE does not kill": "Process.kill(:PIPE, $$); sleep 0.3; puts 'alive'",
    "SIGCHLD": "trap(:CHLD) { puts 'child' }; system 'true'; sleep 0.3",
    "raise Interrupt": "raise Interrupt",
    "raise SignalException": "at_exit { puts 'hook' }; raise SignalException, 'TERM'",
    "what handles signals": "Signal.list.keys.sort.each { |s| next if %w[KILL STOP EXIT].include?(s); begin; puts \"#{s} #{trap(s, 'DEFAULT').inspect}\"; rescue ArgumentError; puts \"#{s} #{$!}\"; end }",
    "trap EXIT": "trap(:EXIT) { |s| puts \"exit #{s}\" }; at_exit { puts 'hook' }; exit 3",
    # ---- hooks
    "hooks in hooks": "at_exit { puts 'a'; at_exit { puts 'b' } }; at_exit { puts 'c' }",
    "an error in a hook": "at_exit { puts 'still' }; at_exit { raise 'in hook' }; puts 1",
    "an error in a hook after an error": "at_exit { raise 'second' }; raise 'first'",
    "exit in a hook": "at_exit { exit 9 }; raise 'main'",
    "the error in a hook": "at_exit { p $!, $!.backtrace }; raise 'x'",
    "the status in a hook": "at_exit { p $!.status }; exit 4",
    "finalizers": "ObjectSpace.define_finalizer(Object.new, proc { puts 'finalised' }); puts 'end'",
    "an open file is flushed": "f = File.open('x', 'w'); f.write 'abc'; pid = fork { exec 'sh', '-c', 'sleep 0.3; cat x' }; f.close; Process.wait pid",
    "a Tempfile goes": "require 'tempfile'; t = Tempfile.new('x'); t.write 'abc'; t.close; p File.size(t.path); at_exit { p File.exist?(t.path) }",
    "a finalizer that prints after a hook": "at_exit { puts 'hook' }; 3.times { |i| ObjectSpace.define_finalizer(Object.new, proc { puts 'f' }) }; exit 4",
    "a finalizer that fails": "ObjectSpace.define_finalizer(Object.new, proc { raise 'x' }); exit 2",
    "a finalizer and a thread": "Thread.new { begin; sleep; ensure; puts 'thread' end }; sleep 0.3; ObjectSpace.define_finalizer(Object.new, proc { puts 'f' })",
    "a finalizer after an error": "ObjectSpace.define_finalizer(Object.new, proc { puts 'f' }); raise 'x'",
    "exit in a finalizer": "ObjectSpace.define_finalizer(Object.new, proc { exit 9 }); puts 1",
    "exit in the end of a thread": "Thread.new { begin; sleep; ensure; exit 5; end }; sleep 0.3; puts 1",
    "an open file is flushed at the end": "f = File.open('x', 'w'); f.write 'abc'; $stdout.write 'out'; fork { at_exit { } ; f.flush; exit }; Process.wait; puts File.read('x')",
    "a file of a child is flushed at its end": "fork { $f = File.open('x', 'w'); $f.write 'abc' }; Process.wait; p $?.exitstatus, File.read('x')",
    "a child that fails": "fork { $f = File.open('x', 'w'); $f.write 'abc'; raise 'child' }; Process.wait; p $?.exitstatus, File.read('x')",
    "a compressed file that is not closed": "require 'zlib'; $w = Zlib::GzipWriter.open('x.gz'); $w.write 'abc'; exit 3",
    "a status out of range": "exit 1 << 33 rescue p $!",
    "a SystemExit of one's own": "class E < SystemExit; end; raise E.new(6, 'x')",
    "an error that a hook replaces": "at_exit { exit 3 }; at_exit { raise 'x' }",
    "stdout closed": "STDOUT.close; puts 1",
    "stdout is stderr": "$stdout = $stderr; puts 'err'; STDOUT.puts 'out'",
    # ---- errors
    "an error without a text": "raise ''",
    "an error of several lines": "raise \"one\\ntwo\"",
    "an error in UTF-8": "raise 'ä日本'",
    "an error with a cause": "begin; raise 'a'; rescue; raise TypeError, 'b'; end",
    "an error without a class name": "raise Class.new(StandardError), 'anonymous'",
    "an error whose message fails": "class E < StandardError; def message; raise 'no'; end; end; raise E",
    "an error with a backtrace of its own": "raise RuntimeError, 'x', ['here:1', 'there:2']",
    "an error in a block in a method": "class A; def m; [1].each { |x| {}.fetch(x) }; end; end\nA.new.m",
    "an error in eval": "eval \"\\n\\n1 / 0\"",
    "an error in a required file": ("require_relative 'other'", {"files": {"other.rb": "\nraise 'there'"}}),
    "a syntax error in a required file": ("require_relative 'other'", {"files": {"other.rb": "def"}}),
    "a required file is missing": "require 'no/such/thing'",
    "a relative file is missing": "require_relative 'nothing'",
    "a gem is missing": "gem 'no_such_gem_at_all'",
    "an error in a thread": "t = Thread.new { raise 'thread' }; t.join rescue puts 'joined'",
    "an error in a thread ends all": "Thread.abort_on_exception = true; Thread.new { raise 'thread' }; sleep 5; puts 'no'",
    "an error in a Fiber": "Fiber.new { raise 'fiber' }.resume",
    "did you mean": "value = 1\nputs valeu",
    "did you mean a method": "[].frist",
    "did you mean a file": "require 'jsson'",
    "error_highlight": "x = { a: nil }\np x[:a][:b][:c]",
    "deep recursion": "def f(n) = f(n + 1)\nbegin; f(0); rescue SystemStackError => e; puts e.message; end",
    "deep recursion, uncaught": "def f(n) = f(n + 1)\nf(0)",
    "a recursion in C": "a = []; b = a; 200_000.times { b << []; b = b[0] }; begin; a.flatten; a.hash; puts 'fine'; rescue SystemStackError => e; puts e.message; end",
    "an uncaught throw": "throw :x",
    "an invalid break": "break",
    "an invalid byte": b"puts '\xff'.inspect, '\xff'.valid_encoding?",
    "an invalid byte in a name": b"x\xff = 1",
    "a NUL byte": b"puts 1\n\0puts 2",
    "warnings of the parser": "def f; end\nif x = 1 then end\nputs 2",
    "NotImplementedError": "def f = raise(NotImplementedError)\nf",
    "frozen": "'a'.freeze << 'b'",
    "caller": "def f = puts(caller, caller(0), caller_locations(0)[0].absolute_path)\nf",
    "the backtrace of main": "p caller, __method__, binding.source_location",
    # ---- the first lines
    "a first line": "#!/usr/bin/env ruby\nputs __LINE__",
    "a first line with -w": "#!/usr/bin/ruby -w\np $VERBOSE, Warning[:deprecated]\nx = 1",
    "a first line with -W0": "#!/usr/bin/ruby -W0\np $VERBOSE, $-W; warn 'unheard'",
    "a first line of a shell": "#!/bin/sh\nputs 1",
    "a first line of a shell, then ruby's": "#!/bin/sh\nexec ruby -x \"$0\"\n#!ruby\nputs __LINE__; raise 'x'",
    "a magic comment": "# frozen_string_literal: true\np 'a'.frozen?",
    "an encoding": b"# encoding: iso-8859-1\np '\xe4'.encoding, '\xe4'.encode('UTF-8'), __ENCODING__\n",
    "an unknown encoding": "# encoding: nonsense\n",
    "a byte order mark": b"\xef\xbb\xbfputs 'bom', __ENCODING__",
    "CRLF": b"puts 'a'\r\nx = <<E\r\nb\r\nE\r\np x\r\n",
    "DATA without __END__": "p DATA",
    "an empty DATA": "p DATA.read\n__END__\n",
    "DATA in UTF-8": "p DATA.read, DATA.external_encoding\n__END__\nä\n",
    # ---- what a program sees of itself
    "its names": "p $0, $PROGRAM_NAME, __FILE__, __dir__, File.expand_path(__FILE__), __FILE__ == $0, $PROGRAM_NAME.frozen?",
    "another name": "$0 = 'renamed'; p $0, $PROGRAM_NAME, __FILE__",
    "its variables": "p $!, $@, $., $~, $_, $;, $,, $/, $\\, $VERBOSE, $DEBUG, $-w, $-p, $-l, $-a, $-i, $FILENAME",
    "encodings": "p Encoding.default_external, Encoding.default_internal, __ENCODING__, Encoding.find('locale'), Encoding.find('filesystem'), $stdin.external_encoding, $stdout.external_encoding, ENV['HOME'].encoding",
    "streams": "[$stdin, $stdout, $stderr].each { |s| p s, s.fileno, s.sync, s.tty?, s.lineno rescue p $!.message }",
    "the path of libraries": "puts $LOAD_PATH",
    "the path of gems": "puts Gem.path",
    "what is loaded": "p defined?(DidYouMean), defined?(ErrorHighlight), defined?(Gem), Gem.loaded_specs.keys - ['json', 'set', 'tempfile', 'tmpdir', 'fileutils', 'delegate', 'etc', 'ostruct']",
    "the top level": "p self, self.class, local_variables, TOPLEVEL_BINDING.local_variables\nx = 1\np TOPLEVEL_BINDING.local_variables, eval('x', TOPLEVEL_BINDING), TOPLEVEL_BINDING.receiver",
    "methods of the top level": "def hi; end\npublic def ho; end\np Object.private_method_defined?(:hi), 1.ho",
    "threads": "p Thread.list.size, Thread.main == Thread.current, Thread.current, ThreadGroup::Default.list.size",
    "the interpreter": "p RUBY_VERSION, RUBY_DESCRIPTION, RUBY_ENGINE, RbConfig.ruby, $:.size",
    "object ids": "p Object.new.object_id.class, 'a'.object_id == 'a'.object_id, 1.object_id, nil.object_id, :a.object_id == :a.object_id",
    "the environment": "p ENV.keys.sort - ['PWD', 'SHLVL', '_', 'OLDPWD']",
    "the time zone of the request": ("p Time.at(0).hour, Time.at(0).zone", {"env": {"TZ": "Asia/Tokyo"}}),
    # ---- processes and threads
    "fork with a block": "pid = fork { puts 'child'; exit 4 }; Process.wait pid; p $?.exitstatus",
    "fork and hooks": "at_exit { puts 'hook' }; $stdout.sync = true; fork or (puts 'child'; exit); Process.wait; puts 'parent'",
    "fork and random numbers": "r = (1..3).map { IO.popen('-') { |io| io ? io.read : print(rand(10**12)) } }; p r.uniq.size",
    "threads that work": "q = Queue.new; ts = 4.times.map { |i| Thread.new { 3.times { |j| q << i * 10 + j; Thread.pass } } }; ts.each(&:join); p q.size.times.map { q.pop }.sort",
    "a thread that never yields": "t = Thread.new { loop { } }; sleep 0.3; puts 'main goes on'",
    "a thread interrupts another": "t = Thread.new { begin; sleep; rescue => e; puts e.message; end }; sleep 0.3; t.raise 'wake'; t.join",
    "sleep, and a signal": "Thread.new { sleep 0.3; Process.kill(:USR2, $$) }; trap(:USR2) { puts 'usr2' }; sleep 1; puts 'woken'",
    "Timeout": "require 'timeout'; begin; Timeout.timeout(0.05) { loop { } }; rescue Timeout::Error => e; puts e.message; end",
    "a Ractor": "puts Ractor.new { 20 + 22 }.take",
    "Monitor and Mutex": "require 'monitor'; m = Mutex.new; p m.synchronize { m.locked? }; begin; m.synchronize { m.lock }; rescue ThreadError => e; puts e.message; end",
    "a deadlock": "Thread.new { Thread.stop }; begin; Thread.list.last.join; rescue Exception => e; puts e.class, e.message.lines.first; end",
    "exec": "at_exit { puts 'no' }; puts 'lost'; exec 'echo', 'replaced'",
    "exec of nothing": "begin; exec 'no-such-program'; rescue Errno::ENOENT => e; puts e.message; end; sleep 0.01; puts 'on'",
    "open3": "require 'open3'; o, e, s = Open3.capture3('cat; echo err >&2; exit 3', stdin_data: 'in'); p o, e, s.exitstatus",
    "popen both ways": "IO.popen(['cat', '-n'], 'r+') { |io| io.puts 'x'; io.close_write; p io.read }",
    "ruby starts ruby": "puts `ruby -e 'puts 6 * 7'`; p $?.success?",
    "spawn and wait": "p Process.wait2(spawn('exit 3'))[1].exitstatus; begin; Process.wait; rescue Errno::ECHILD => e; puts e.message; end",
    # ---- garbage
    "a full collection": "GC.start; GC.compact; p [1, 'a', :b, { c: 1.5 }]",
    "much garbage": "a = (1..200_000).map { |i| 'x' * 20 + i.to_s }; p a.size, a.last; a = nil; GC.start; puts 'fine'",
    "GC.stress": "GC.stress = true; a = (1..20).map(&:to_s); GC.stress = false; p a",
    "WeakRef": "require 'weakref'; w = WeakRef.new(Object.new); p w.weakref_alive?.class",
    # ---- libraries
    "standard libraries": "%w[csv yaml bigdecimal digest openssl zlib date time pp etc stringio strscan erb ostruct securerandom fileutils logger optparse benchmark open3 socket io/console psych ripper].each { |l| p [l, require(l)] if !%w[].include?(l) && require(l).nil? }; p Digest::SHA256.hexdigest('x'), BigDecimal('1.1') + 1, Date.new(2020, 1, 1) + 1",
    "a preloaded library works": "require 'json'; require 'set'; p JSON.parse('[1, {\"a\": null}]'), Set[1, 2], JSON.generate({ 'ä' => 1 })",
    "a gem by name": "gem 'json'; require 'json'; p JSON::VERSION",
    "a file of the request named as a library": ("require 'json'; p defined?(JSON::VERSION); require './json'; p $own", {"files": {"json.rb": "$own = true"}}),
    "bundler": "require 'bundler'; p defined?(Bundler)",
    "refinements": "using Module.new { refine(String) { def hi = 'hi' } }; p 'x'.hi",
    "pattern matching": "case { a: [1, 2] } in { a: [x, *] } then p x end",
    "BEGIN and END": "BEGIN { puts 0 }\nEND { puts 9 }\nputs 1",
    "ARGF from a file": ("puts ARGF.read, ARGF.filename", {"args": ["x.txt"], "files": {"x.txt": "content\n"}}),
    "ARGF from stdin": ("ARGF.each_line { |l| p [ARGF.lineno, l] }", {"stdin": "a\nb"}),
    "irb on a pipe": ("x = 5\nbinding.irb\nputs 'after'", {"stdin": "x + 1\nexit\n"}),
    "the numbers of descriptors": ("File.open('x', 'w') { |f| p f.fileno }", {"ours": (b"3\n", b"", ("exit", 0))}),
}

CORPUS = {
    "hello": "puts 'Hello, World!'",
    "fizzbuzz": "1.upto(100) { |i| puts i % 15 == 0 ? 'FizzBuzz' : i % 5 == 0 ? 'Buzz' : i % 3 == 0 ? 'Fizz' : i }",
    "primes": "n = 1_000_000\ns = Array.new(n, true); s[0] = s[1] = false\n"
              "(2..Integer.sqrt(n)).each { |i| (i * i).step(n - 1, i) { |j| s[j] = false } if s[i] }\nputs s.count(true)",
    "word count": "$stdin.read.split.tally.sort_by { |w, n| [-n, w] }.each { |w, n| puts \"#{w} #{n}\" }",
    "json": "require 'json'\nd = JSON.parse($stdin.read)\nputs JSON.generate({ name: d['name'], total: d['items'].sum })",
}

LANGUAGE = Language(
    name="ruby",
    killed="puts 'one'; print 'part'; $stderr.puts 'err'; STDOUT.write 'two'; Process.kill(:KILL, $$); sleep",
    main="main.rb", command=["ruby"], semantics=SEMANTICS, more=MORE, corpus=CORPUS, normalise=normalise,
    random=["p rand(10**15)\n", "p Random.new.rand(10**15)\n", "p [Random.rand, Random.bytes(9), Random.new_seed]\n",
            "p (1..30).to_a.shuffle\n", "require 'securerandom'; p SecureRandom.uuid\n",
            "require 'tempfile'; p Tempfile.new('x').path.sub(/\\d{8}-\\d+-/, '')\n",
            "require 'tmpdir'; p Dir.mktmpdir.sub(/\\d{8}-\\d+-/, '')\n", "require 'openssl'; p OpenSSL::Random.random_bytes(9)\n"],
    random_together=True,
    echo=[("6 * 7", "=> 42\n"), ("puts 1\n'ä'", "1\n=> \"ä\"\n"), ("nil", "=> nil\n"), ("puts 1", "1\n=> nil\n"), ("x = 5", "=> 5\n"),
          ("def f; end", "=> :f\n"), ("", ""), ("# nothing", ""), ("1;", "=> 1\n"), ("{ a: [1] }", "=> {:a=>[1]}\n"),
          ("at_exit { puts 'bye' }\n:a", "=> :a\nbye\n"), ("exit 3", ""), ("raise 'x'", ""),
          ("(1..30).to_a", "=> \n[" + ",\n ".join(map(str, range(1, 31))) + "]\n"),
          ("BasicObject.new", "(Object doesn't support #inspect)\n=> \n")],
)


class Semantics(tests_of(SERVER, LANGUAGE)):
    def assert_alive(self, client=None):
        self.assertEqual(b"42\n", (client or self.client).execute("puts 6 * 7", language="ruby").stdout)

    def test_its_alias(self):
        self.assertEqual(b"42\n", self.execute("puts 6 * 7", language="rb").stdout)

    def test_object_ids_and_addresses_of_a_run_tell_nothing_of_the_one_before(self):
        ids = {self.run_program("p Object.new.object_id, $count.inspect; $count = 1").stdout for _ in range(6)}
        self.assertEqual(1, len(ids), ids)


class Hostile(language_case.LanguageCase):
    SERVER, LANGUAGE = SERVER, LANGUAGE

    # The harness's own tests are those of Semantics.
    test_no_name_of_the_tables_is_forgotten = test_echo_last_expression = test_each_run_begins_afresh = None
    test_what_is_random_differs_between_runs_one_after_the_other = None
    test_what_is_random_differs_between_runs_at_one_time = test_status_knows_the_language = None

    def tearDown(self):
        self.assertEqual(b"42\n", self.run_program("puts 6 * 7").stdout)
        super().tearDown()

    def ends_as(self, name, program, **options):
        result = self.run_program(program, **options)
        self.assert_status(result, name)
        return result

    def test_a_fork_bomb_ends_at_the_time_limit(self):
        """Ruby's own fork waits and tries again when there is no room for a process."""
        result = self.ends_as("TIME_LIMIT", "$stdout.sync = true\nloop { fork { sleep }; print '.' }", limits={"pids": 16, "wall_us": 500_000})
        self.assertTrue(1 <= len(result.stdout) < 16, describe(result))

    def test_a_fork_bomb_of_all_its_children_ends_at_the_time_limit(self):
        self.ends_as("TIME_LIMIT", "loop { fork }", limits={"wall_us": 500_000})

    def test_threads_stop_at_the_process_limit(self):
        result = self.run_program("begin; loop { Thread.new { sleep } }; rescue ThreadError => e; puts e.class; end", limits={"pids": 16})
        self.assertEqual(b"ThreadError\n", result.stdout, describe(result))

    def test_a_memory_bomb_ends_at_the_memory_limit(self):
        self.ends_as("MEMORY_LIMIT", "a = []; loop { a << 'x' * 1_000_000 }", limits={"wall_us": 60_000_000, "cpu_us": 60_000_000})

    def test_a_bomb_of_objects_ends_at_the_memory_limit(self):
        self.ends_as("MEMORY_LIMIT", "a = []; loop { a << [a.size] }", limits={"wall_us": 60_000_000, "cpu_us": 60_000_000})

    def test_an_endless_loop_ends_at_the_time_limit(self):
        self.ends_as("TIME_LIMIT", "loop { }", limits={"wall_us": 300_000})

    def test_an_endless_loop_that_rescues_everything_ends_at_the_time_limit(self):
        self.ends_as("TIME_LIMIT", "trap(:TERM, 'IGNORE'); begin; loop { }; rescue Exception; retry; end", limits={"wall_us": 300_000})

    def test_a_regular_expression_that_explodes_ends_at_the_time_limit(self):
        self.ends_as("TIME_LIMIT", "p(('a' * 40 + 'b') =~ /^(a|a)*$/)", limits={"wall_us": 300_000})

    def test_a_flood_of_output_ends_at_the_output_limit(self):
        self.ends_as("OUTPUT_LIMIT", "loop { puts 'x' * 10_000 }")

    def test_a_disk_filler_gets_an_error(self):
        result = self.run_program("begin; File.open('x', 'w') { |f| loop { f.write('x' * 1_000_000) } }\n"
                                  "rescue SystemCallError => e; puts e.class; end")
        self.assertTrue(result.stdout == b"Errno::ENOSPC\n" or Status.Name(result.status) == "MEMORY_LIMIT", describe(result))

    def test_walls(self):
        program = """
def try(name) = puts("#{name} #{begin; yield; 'done'; rescue Exception => e; e.class; end}")
try('shadow') { File.read('/etc/shadow') }
try('init') { File.read('/proc/1/environ') }
try('usr') { File.write('/usr/x', 'x') }
try('etc') { File.write('/etc/x', 'x') }
require 'socket'
try('tcp') { TCPSocket.new('127.0.0.1', 22) }
try('udp') { UDPSocket.new }
try('kill') { Process.kill(:KILL, 1) }
try('uid') { Process::Sys.setuid(0) }
try('chroot') { Dir.chroot('/tmp') }
try('ptrace') { raise Errno::EPERM if syscall(101, 16, 1, 0, 0) < 0 }
try('mount') { syscall(165, 'none', '/tmp', 'tmpfs', 0, 0) }
try('unshare') { syscall(272, 0x10000000) }
try('bpf') { syscall(321, 0, 0, 0) }
try('setns') { syscall(308, 0, 0) }
"""
        result = self.run_program(program)
        self.assert_exited(result)
        self.assertEqual(["shadow Errno::ENOENT", "init Errno::ENOENT", "usr Errno::EROFS", "etc Errno::EROFS", "tcp Errno::EAFNOSUPPORT",
                          "udp Errno::EAFNOSUPPORT", "kill Errno::EPERM", "uid Errno::EPERM", "chroot Errno::EPERM", "ptrace Errno::EPERM",
                          "mount Errno::EPERM", "unshare Errno::EPERM", "bpf Errno::ENOSYS", "setns Errno::EPERM"],
                         result.stdout.decode().splitlines(), describe(result))

    def test_a_crash_of_the_interpreter_is_a_signal(self):
        result = self.run_program("require 'fiddle'; Fiddle::Pointer.new(8)[0]")
        self.assert_status(result, "SIGNALED")

    def test_children_that_are_left_behind_are_ended(self):
        self.assert_exited(self.run_program("5.times { fork { Process.setsid; trap(:TERM, 'IGNORE'); sleep } }; puts 1"))


if __name__ == "__main__":
    unittest.main()
