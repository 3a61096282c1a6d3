"""Tcl 8.6: a program must not be able to tell Hatchery from `tclsh main.tcl`."""

import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

PACKAGES = Path(tempfile.mkdtemp(prefix="hatchery-test-tcl-"))
SERVER = ServerModule(__name__, config="client_share = 100\nlanguage tcl { warm = 2 running = 2 }\nlanguage tcl-more {\n  runtime = tcl\n  warm = 2\n"
                      f'  packages = "{PACKAGES}"\n  preload = {{ clock, http, missing }}\n}}\n')


def setUpModule():
    os.chmod(PACKAGES, 0o755)
    (PACKAGES / "mine").mkdir()
    (PACKAGES / "mine" / "pkgIndex.tcl").write_text("package ifneeded Mine 2.0 {package provide Mine 2.0}\n")
    (PACKAGES / "Mod-1.5.tm").write_text("package provide Mod 1.5\n")
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()
    shutil.rmtree(PACKAGES)


def normalise(output):
    """Replaces handles and process ids, which differ from run to run."""
    return re.sub(rb"0x[0-9a-f]{6,}", b"0xADDRESS", output)


SEMANTICS = {
    "hello": 'puts "Hello, World!"\n',
    "stdin to its end": ("puts -nonewline [string toupper [read stdin]]\n", {"stdin": "some\nlines äö\nand no end"}),
    "stdin by line": ('while {[gets stdin line] >= 0} { puts "<$line>" }\nputs [eof stdin]\n', {"stdin": "one\n two \nthree\r\n\nfour"}),
    "args": ('puts "$argv0 $argc"\nforeach a $argv { puts "\\[$a\\] [string length $a]" }\nputs $argv\n',
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*", "$HOME", "{", "-encoding"]}),
    "env": ("puts $env(GREETING)\nputs [info exists env(NOT_THERE)]\nputs [lsort [array names env]]\nputs [exec sh -c {echo $GREETING}]\n",
            {"env": {"GREETING": "good day = 1", "Ä": "ö"}}),
    "several files": ("source lib/greet.tcl\nputs [greet you]\nlappend auto_path lib\nputs [package require Names]\nputs $names::hi\n",
                      {"files": {"lib/greet.tcl": 'proc greet {w} { return "hi $w from [file tail [info script]]" }\nputs [info script]\n',
                                 "lib/pkgIndex.tcl": "package ifneeded Names 1.2 [list source [file join $dir names.tcl]]\n",
                                 "lib/names.tcl": "package provide Names 1.2\nnamespace eval names { variable hi hey }\n"}}),
    "exit code": "exit 3\n",
    "uncaught error": 'proc f {x} {\n  set y 1\n  error "bad $x"\n}\nputs before\nf 5\nputs never\n',
    "syntax error": 'puts before\nputs "unfinished\nputs never\n',
    "death by signal": "puts lost\nexec kill -TERM [pid]\nafter 5000\n",
    "exit hook": "rename exit real_exit\nproc exit {{code 0}} { puts \"bye $code\"; real_exit $code }\nputs work\n",
    "buffered output": "puts -nonewline {no newline}\n",
    "binary output": "fconfigure stdout -translation binary\nfor {set i 0} {$i < 256} {incr i} { puts -nonewline [binary format c $i] }\n",
    "utf-8 output": 'puts "Grüße, 世界"; puts [string length "世界"]; puts [string toupper größe]\n',
    "unread stdin": ("puts done\n", {"stdin": "x" * 200_000}),
    "pending work": "after 100 {puts never}\nafter idle {puts never}\nset p [open {|sh -c {sleep 0.2; echo late >&2}} w]\nputs end\n",
    "own source": 'puts [info script]\n# from the source\nset f [open [info script]]\nputs [lindex [split [read $f] \\n] 1]\nputs [dict get [info frame 0] line]\n',
    "subprocess": "puts [exec echo inner]\nputs [catch {exec sh -c {echo out; echo err >&2; exit 7}} result options]\nputs $result\n"
                  "puts [lindex [dict get $options -errorcode] 0][lindex [dict get $options -errorcode] 2]\n",
    "stderr": "puts stderr err\nputs out\nputs stderr {err 2}\n",
}

MORE = {
    "LD_DEBUG": ("puts 1\n", {"env": {"LD_DEBUG": "help"}}),
    "LANG": ("puts [encoding system]\n", {"env": {"LANG": "POSIX"}}),
    "TCL_TZ": ("puts [clock format 0 -format %H]\n", {"env": {"TCL_TZ": ":Asia/Tokyo"}}),
    "an empty program": "",
    "a comment": "# nothing",
    "a first line with a hash": "#!/usr/bin/nonsense\nputs after\n",
    "a trick for the shell": "#!/bin/sh\n# \\\nexec tclsh \"$0\" \"$@\"\nputs after\n",
    "a byte order mark": b"\xef\xbb\xbfputs bom\n",
    "carriage returns": b"set x {a\r\nb}\r\nputs [string length $x]\r\n",
    "a control Z": b"puts a\n\x1aputs b\n",
    "a NUL in the source": b"puts [string length {a\0b}]\n",
    "a source that is not UTF-8": b"puts [string length caf\xe9]\n",
    "an unfinished brace": "proc f {} {\nputs x\n",
    "extra characters": "set x {a}b\n",
    "an unknown command": "puts a\nnothing_of_the_kind 1 2\n",
    "an unknown command that is a program": "puts [catch {ls} e]\nputs $e\n",
    "wrong arguments": "proc f {a b} {}\nf 1\n",
    "an unknown variable": "puts $nothing\n",
    "an unknown option": "string nothing x\n",
    "exit of a text": "exit x\n",
    "exit of 256": "exit 257\n",
    "exit of -1": "exit -1\n",
    "exit within catch": "catch {exit 4}\nputs never\n",
    "exit within a procedure": "proc f {} { exit 5 }\nputs -nonewline kept; f\n",
    "exit that is gone": "rename exit {}\nputs end\n",
    "exit that fails": "rename exit real\nproc exit args { error no }\nputs end\n",
    "exit that is traced": "trace add execution exit enter {apply {args {puts [list leaving {*}$args]}}}\nputs end\n",
    "a return at the top": "puts a\nreturn\nputs never\n",
    "a return with a code": "return -code error bad\n",
    "a return with level 0": "return -level 0 -code 5 x\n",
    "break at the top": "break\n",
    "continue at the top": "continue\n",
    "error with info and code": "error message {my info} {MY CODE}\n",
    "throw": "throw {A B} thrown\n",
    "try and finally": "try { error x } on error {m o} { puts [dict get $o -errorline] } finally { puts finally }\ntry { error y } finally { puts again }\n",
    "errorInfo and errorCode": "catch {expr {1 / 0}}\nputs $errorInfo\nputs $errorCode\n",
    "a deep error": "proc a {} b\nproc b {} { c 1 }\nproc c {x} {\n  if {$x} {\n    foreach i {1 2} { lindex {} a b c d [error deep] }\n  }\n}\na\n",
    "an error in a namespace": "namespace eval n {\n  proc f {} { error in }\n  f\n}\n",
    "an error in a sourced file": ("source bad.tcl", {"files": {"bad.tcl": "\n\nerror bad\n"}}),
    "a missing file": "source nothing.tcl\n",
    "a missing package": "package require nothing_of_the_kind\n",
    "an error in an expression": "expr {1 +}\n",
    "an error in eval": "eval {error x}\n",
    "an error in uplevel": "proc f {} { uplevel 1 {error x} }\nf\n",
    "an error in a method": "oo::class create A { method m {} { error inside } }\n[A new] m\n",
    "an error with a long command": "error [string repeat x 300] [string repeat y 300]\n",
    "an error in UTF-8": "error größe\n",
    "infinite recursion": "proc f {} { f }\nf\n",
    "recursion that is caught": "proc f {} { f }\nputs [catch f e]\nputs $e\ninterp recursionlimit {} 50\nputs [catch f e]$e\n",
    "coroutines": "proc gen {} { yield; foreach i {1 2 3} { yield $i } }\ncoroutine g gen\nputs [g][g][g]\nputs [g]\nputs [catch g e]$e\n",
    "tailcall": "proc f {n} { if {$n} { tailcall f [expr {$n - 1}] } else { return deep } }\nputs [f 100000]\n",
    "events": "after 30 {lappend l b}\nafter 10 {lappend l a}\nafter 50 {set done 1}\nvwait done\nputs $l\n",
    "an error in an event": "after 10 {error in_event}\nafter 500 {set done 1}\nvwait done\nputs end\n",
    "bgerror": "proc bgerror m { puts \"bg: $m\"; set ::done 1 }\nafter 10 {error x}\nvwait done\n",
    "update": "after idle {puts idle}\nupdate\nputs end\n",
    "file events": ("proc reader {} { if {[gets stdin l] < 0} { set ::done 1 } else { puts <$l> } }\nfileevent stdin readable reader\nvwait done\n",
                    {"stdin": "a\nb\nc\n"}),
    "a pipe with events": "set p [open {|echo piped}]\nfileevent $p readable {set got [gets $p]}\nvwait got\nputs $got\nclose $p\n",
    "a pipe that fails": "set p [open {|sh -c {exit 3}}]\nread $p\nputs [catch {close $p} e o]$e\nputs [lindex [dict get $o -errorcode] 2]\n",
    "exec and standard error": "puts [catch {exec sh -c {echo err >&2}} e]$e\nputs [exec sh -c {echo err >&2} 2>@1]\nputs [exec cat << input]\nputs [exec echo a | tr a b]\n",
    "exec of a missing program": "exec nothing_of_the_kind\n",
    "exec in the background": "set p [exec sh -c {sleep 0.1; echo late} &]\nputs [string is integer $p]\nafter 1000\n",
    "a killed program": "puts [catch {exec sh -c {kill -9 $$}} e o]$e\nputs [lrange [dict get $o -errorcode] 2 end]\n",
    "output before a subprocess": "puts -nonewline after\nexec echo before >@stdout\n",
    "buffering": "puts [fconfigure stdout -buffering][fconfigure stderr -buffering][fconfigure stdin -buffering]\nputs [fconfigure stdout]\n",
    "buffering none": "fconfigure stdout -buffering none\nputs -nonewline a\nexec echo b >@stdout\nputs c\n",
    "buffering full": "fconfigure stdout -buffering full\nputs a\nexec echo b >@stdout\nputs c\n",
    "encodings": "puts [encoding system]\nputs [fconfigure stdin -encoding][fconfigure stdout -encoding]\nputs [llength [encoding names]]\n",
    "encodings of the request": ("puts [encoding system]\nputs grö[fconfigure stdout -encoding]\nputs $env(X)\nputs $argv\n",
                                 {"env": {"LC_ALL": "C", "X": "ö"}, "args": ["ä"]}),
    "another encoding": "fconfigure stdout -encoding iso8859-1\nputs größe\nputs [encoding convertto utf-8 ä]\n",
    "binary input": ("fconfigure stdin -translation binary\nset s [read stdin]\nputs [string length $s]\nbinary scan $s cu3 l\nputs $l\n", {"stdin": bytes(range(256))}),
    "input that is not UTF-8": ("puts [string length [read stdin]]\n", {"stdin": b"\xff\xfe caf\xe9"}),
    "part of standard input": ("puts [read stdin 3]\n", {"stdin": "x" * 300_000}),
    "reading at the end": "puts [gets stdin][eof stdin][read stdin]|[gets stdin x]$x\n",
    "standard output closed": "close stdout\nputs lost\n",
    "standard error closed": "close stderr\nerror lost\n",
    "standard input closed": "close stdin\nputs [catch {gets stdin} e]$e\n",
    "a file that is never closed": ("set f [open f w]\nputs $f content\nrename exit real\nproc exit args { flush $::f; puts [exec cat f]; real }\n", {}),
    "a file that is flushed at the end": "set f [open f w]\nputs $f content\nexec sh -c {(sleep 0.3; cat f >&2) >/dev/null &}\n",
    "files": "set f [open a.txt w]\nputs $f {one\ntwo}\nclose $f\nputs [file size a.txt]\nfile rename a.txt b.txt\nputs [glob *]\nputs [file exists a.txt]\n"
             "set f [open b.txt r+]\nseek $f 4\nputs [gets $f][tell $f]\nclose $f\nputs [catch {open nothing/x} e]$e\nfile delete b.txt\n",
    "file attributes": "close [open f w]\nputs [file attributes f -permissions]\nputs [file type f][file isdirectory .]\nputs [file normalize f]\nputs [pwd]\n",
    "a temporary file": "set f [file tempfile name]\nputs $f; puts [file dirname $name]\n",
    "what a program sees of itself": "puts [info script]\nputs [info nameofexecutable]\nputs [info patchlevel]\nputs $tcl_version\nputs $tcl_interactive\nputs [info library]\n",
    "global variables": "puts [lsort [info globals]]\n",
    "global variables and their values": "foreach v [lsort [info globals]] { if {![array exists $v] && $v ne {argv0}} { puts \"$v=[set $v]\" } }\n",
    "commands": "puts [lsort [info commands]]\nputs [lsort [info procs]]\nputs [lsort [namespace children ::]]\n",
    "packages that are there": "puts [lsort [package names]]\nputs [info loaded]\n",
    "auto_path": "puts $auto_path\nputs [::tcl::tm::path list]\n",
    "the platform": "foreach k [lsort [array names tcl_platform]] { if {$k ne {user}} { puts \"$k=$tcl_platform($k)\" } }\n",
    "channels": "puts [lsort [file channels]]\n",
    "threads": "puts [info exists tcl_platform(threaded)]\nputs [llength [glob /proc/self/task/*]]\n",
    "the frames": "puts [info level]\nputs [dict get [info frame 1] type]\nputs [info frame]\nproc f {} { info level 0 }\nputs [f]\n",
    "a math package": "puts [expr {2**200}]\nputs [expr {1.0 / 3}]\nputs [expr {int(7.9)}][expr {7 / -2}][expr {-7 % 3}]\nputs [expr {0x10 + 0b11 + 0o17}]\n",
    "numbers": "puts [expr {1e300 * 1e10}]\nputs [catch {expr {1 / 0}} e]$e\nputs [format {%5.2f|%-5s|%05d|%x} 3.14159 ab 42 255]\nputs [scan 12abc %d%s]\n",
    "a seed of the program": "puts [expr {srand(42)}]\nputs [expr {rand()}]\nputs [expr {int(rand() * 100)}]\n",
    "strings": "puts [string map {a 1 b 2} abc]\nputs [regexp -inline {(\\w+)=(\\w+)} x=1]\nputs [regsub -all {l+} hello <&>]\nputs [string is integer 12]\nputs [lsort -integer {10 9 8}]\n",
    "dictionaries": "set d {b 2 a 1}\ndict incr d a\ndict lappend d c x y\nputs $d\ndict for {k v} $d { puts $k:$v }\n",
    "arrays": "array set a {x 1 y 2}\nputs [lsort [array names a]]\nunset a(x)\nputs [array size a]\nparray a\n",
    "classes": "oo::class create A { variable n; constructor {x} { set n $x }; method get {} { return $n }; destructor { puts destroyed } }\nset a [A new 5]\nputs [$a get]\n$a destroy\nA create b 6\nputs [b get]\n",
    "clock": "puts [clock format 0 -gmt 1]\nputs [clock format 86400 -format %Y-%m-%dT%H:%M:%S -timezone :UTC]\nputs [clock scan {2020-01-01 12:00} -gmt 1]\nputs [clock format 0]\n",
    "clock with a time zone of the request": ("puts [clock format 0]\nputs [clock format 0 -timezone :Europe/Paris]\n", {"env": {"TZ": "America/New_York"}}),
    "clock with a locale of the request": ("puts [clock format 0 -locale system -format {%A %B} -gmt 1]\n", {"env": {"LANG": "de_DE.UTF-8"}}),
    "a mistake in clock": "clock format x\n",
    "a mistake in clock scan": "puts [catch {clock scan nonsense} e]$e\n",
    "msgcat": "package require msgcat\nputs [msgcat::mclocale]\nmsgcat::mcset en hi hello\nputs [msgcat::mc hi]\n",
    "http": "package require http\nputs [catch {http::geturl http://127.0.0.1:1/} e]\n",
    "tcltest": "package require tcltest\ntcltest::test a-1 {adds} {expr {1 + 1}} 2\ntcltest::test a-2 {fails} {expr {1 + 1}} 3\ntcltest::cleanupTests\n",
    "interpreters": "set i [interp create -safe]\nputs [catch {$i eval {exec ls}} e]$e\nputs [$i eval {expr 1 + 1}]\ninterp delete $i\n",
    "limits of an interpreter": "set i [interp create]\n$i limit command -value 100\nputs [catch {$i eval {while 1 {}}} e]$e\n",
    "traces": "trace add variable x write {apply {args {puts $args}}}\nset x 5\n",
    "env is written to": "set env(NEW) value\nputs [exec sh -c {echo $NEW}]\nunset env(NEW)\nputs [exec sh -c {echo <$NEW>}]\n",
    "env of the request is taken away": ("unset env(A)\nputs [exec sh -c {echo <$A>}]\nputs [info exists env(A)]\n", {"env": {"A": "1"}}),
    "env in UTF-8": ("puts $env(A)\nputs [string length $env(A)]\n", {"env": {"A": "größe 世界"}}),
    "TCLLIBPATH": ("puts $auto_path\nputs [package require Mine]\nputs [clock format 0 -gmt 1]\n",
                   {"env": {"TCLLIBPATH": "mine"}, "files": {"mine/pkgIndex.tcl": "package ifneeded Mine 2.0 {package provide Mine 2.0}\n"}}),
    "TCL_LIBRARY that is none": ("puts here\nputs [catch {parray x} e]$e\n", {"env": {"TCL_LIBRARY": "/nonexistent"}}),
    "modules": ("::tcl::tm::path add [pwd]/tm\nputs [package require Mod]\n", {"files": {"tm/Mod-1.5.tm": "package provide Mod 1.5\n"}}),
    "a startup file": ("puts [info exists ::started]\n", {"files": {".tclshrc": "set ::started 1\n"}}),
    "output of 900 KB": "for {set i 0} {$i < 9000} {incr i} { puts [string repeat x 99] }\n",
    "a pipe that breaks": "set p [open {|true} w]\nafter 100\nputs [catch {puts $p [string repeat x 100000]; flush $p} e]\n",
    "zlib": "puts [string length [zlib compress [string repeat a 1000]]]\nputs [zlib crc32 hello]\n",
    "lambdas": "puts [apply {x {expr {$x ** 2}}} 12]\nputs [lmap x {1 2 3} {expr {$x * 2}}]\n",
    "the signals that are ignored": "set f [open /proc/self/status]\nforeach l [split [read $f] \\n] { if {[regexp {^Sig[BIC]} $l]} { puts $l } }\n",
    "open descriptors": "puts [lsort [glob -tails -directory /proc/[pid]/fd *]]\n",
    "time": "puts [regexp {microseconds per iteration} [time {expr 1} 10]]\nputs [expr {[clock seconds] > 1600000000}]\n",
    "names of files in UTF-8": "close [open größe w]\nputs [glob *ö*]\nputs [file exists größe]\n",
    "load of nothing": "load nothing.so\n",
    "a socket of its own": "puts [catch {socket 127.0.0.1 1} e]\n",
}

CORPUS = {
    "hello": SEMANTICS["hello"],
    "fizzbuzz": "for {set i 1} {$i <= 100} {incr i} {\n  puts [expr {$i % 15 == 0 ? {FizzBuzz} : $i % 5 == 0 ? {Buzz} : $i % 3 == 0 ? {Fizz} : $i}]\n}\n",
    "primes": "proc primes {n} {\n  set composite [lrepeat $n 0]\n  set count 0\n  for {set i 2} {$i < $n} {incr i} {\n    if {[lindex $composite $i]} continue\n"
              "    incr count\n    for {set j [expr {$i * $i}]} {$j < $n} {incr j $i} { lset composite $j 1 }\n  }\n  return $count\n}\nputs [primes 1000000]\n",
    "word count": "foreach word [regexp -all -inline {\\S+} [read stdin]] { incr counts($word) }\n"
                  "set rows [lmap word [lsort [array names counts]] { list $word $counts($word) }]\n"
                  "foreach row [lsort -integer -decreasing -index 1 $rows] { puts $row }\n",
}

Tcl = tests_of(SERVER, Language(
    name="tcl",
    killed="puts one; puts -nonewline part; puts stderr err; puts -nonewline two; exec kill -KILL [pid]; after 9000",
    main="main.tcl", command=["tclsh"], semantics=SEMANTICS, more=MORE, corpus=CORPUS, normalise=normalise,
    absent={"json": "Tcl has no JSON of its own; tcllib has"},
    random=["puts [expr {rand()}]\n", "puts [expr {int(rand() * 1000000000)}]\n", "close [file tempfile name]\nputs $name\n"],
    limits={"wall_us": 60_000_000, "cpu_us": 60_000_000}))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "tcl"
    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while 1 {}", limits={"wall_us": 300_000})

    def test_an_endless_wait_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "after 1000000\nvwait x", limits={"wall_us": 300_000})

    def test_an_endless_loop_of_events_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "proc f {} { after 0 f }\nf\nvwait x", limits={"wall_us": 300_000})

    def test_a_string_that_doubles_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "set s x\nwhile 1 { append s $s }", limits={"memory_bytes": 64 * MIB})

    def test_a_list_that_grows_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "while 1 { lappend l [string repeat x 1000][incr i] }", limits={"memory_bytes": 64 * MIB})

    def test_recursion_without_end_is_an_error_of_the_program(self):
        result = self.hostile("proc f {} { f }\nf")
        self.assert_exited(result, 1)
        self.assertIn(b"too many nested evaluations", result.stderr)

    def test_a_fork_bomb_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while 1 { catch {exec sleep 100 &} }", limits={"wall_us": 500_000})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "while 1 { puts [string repeat x 1000] }", limits={"output_bytes": MIB})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile("set f [open f w]\nwhile 1 { puts $f [string repeat x 65536]; flush $f }", limits={"disk_bytes": 8 * MIB})
        self.assertIn(b"no space left on device", result.stderr, describe(result))

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile("foreach f {/etc/shadow /proc/1/environ /root/x} { puts [catch {open $f} e]$e }\nputs [catch {open /usr/x w} e]$e\n"
                              "puts [catch {exec mount -t tmpfs x /tmp} e]\nputs [catch {exec kill -9 1}]\nputs alive")
        self.assert_exited(result)
        self.assertEqual(3, result.stdout.count(b"no such file or directory") + result.stdout.count(b"permission denied"), result.stdout)
        self.assertIn(b"read-only file system", result.stdout)
        self.assertTrue(result.stdout.endswith(b"alive\n"), result.stdout)

    def test_no_socket_leads_out(self):
        result = self.hostile("puts [catch {socket 127.0.0.1 22} e]$e\nputs [catch {socket -server x 0} e]$e")
        self.assert_exited(result)
        self.assertEqual(2, result.stdout.count(b"1couldn't open socket: "), result.stdout)

    def test_what_stays_behind_is_killed(self):
        result = self.hostile("exec setsid sleep 1000 >/dev/null 2>/dev/null &\nputs end")
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)


class Packages(Case):
    SERVER = SERVER

    def more(self, program, **options):
        return self.output(program, language="tcl-more", **options)

    def test_packages_are_on_the_paths(self):
        self.assertEqual("2.0 1.5\n", self.more("puts [list [package require Mine] [package require Mod]]"))
        self.assertEqual("/hatchery/packages\n", self.more("puts [lindex $auto_path end]"))
        self.assertEqual("2.0\n", self.more("puts [package require Mine]", env={"TCLLIBPATH": "x"}))

    def test_what_is_preloaded_is_there(self):
        program = "puts [list [expr {[package provide http] ne {}}] [namespace exists ::msgcat]]"
        self.assertEqual("1 1\n", self.more(program))
        self.assertEqual("0 0\n", self.output(program, language="tcl"))

    def test_a_clock_that_is_preloaded_heeds_the_time_zone_of_the_request(self):
        self.assertEqual("16\n", self.more("puts [clock format 0 -format %H]", env={"TZ": "America/Los_Angeles"}))

    def test_random_numbers_differ(self):
        numbers = [self.more("puts [expr {rand()}]") for _ in range(8)]
        self.assertEqual(8, len(set(numbers)), numbers)


class Events(Case):
    """Tcl's thread for events belongs to the sandbox: the zygote leaves none behind."""

    SERVER = SERVER

    def test_waits_in_many_runs(self):
        for _ in range(10):
            self.assertEqual("1 2\n", self.output("puts -nonewline \"[llength [glob /proc/self/task/*]] \"\nafter 5 {set x 1}\nvwait x\n"
                                                  "puts [llength [glob /proc/self/task/*]]\n", language="tcl"))


if __name__ == "__main__":
    unittest.main()
