"""Perl: a program must not be able to tell Hatchery from `perl main.pl`."""

from lib.case import Case, ServerModule, describe
from lib.hatchery import Status
from lib.hostile import HostileCase
from lib.language_case import Language, tests_of

PRELOADED = "POSIX Data::Dumper JSON::PP Time::HiRes Text::Wrap Storable"
SERVER = ServerModule(__name__, config=f"""
client_share = 100
language perl {{ warm = 2 running = 2 preload = {{ {', '.join(f'"{name}"' for name in PRELOADED.split())}, "No::Such" }} }}
""")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

# A module among the request's files that has the name of a preloaded module.
OWN_WRAP = "package Text::Wrap; sub wrap { 'my own' } sub only_here { 1 } 1;"
UP = ("package Up; use Filter::Util::Call; sub import { filter_add(sub { my $s = filter_read(); "
      "s/quiet/LOUD/ if $s > 0; $s }) } 1;")
PHASES = ("print '5 main '; END { print 'e1 ' } END { print 'e2 ' } INIT { print '3 ' } INIT { print '4 ' } "
          "CHECK { print '2 ' } CHECK { print '1 ' } BEGIN { print '0 ' } UNITCHECK { print 'u ' } "
          "print ${^GLOBAL_PHASE}; END { print ${^GLOBAL_PHASE} }")
DESTRUCTION = ("package D; sub new { bless { n => $_[1] } } "
               "sub DESTROY { print 'destroyed ', $_[0]{n}, ' ', ${^GLOBAL_PHASE}, qq(\\n) }\n"
               "package main; our $global = D->new('g'); my $lexical = D->new('l'); { my $x = D->new('inner') } "
               "print qq(end of main\\n);")
SPECIAL = ("print map { defined ? qq(<$_>) : '<undef>' } $/, $\\, $,, $;, $\", $|, $^F, $^H, $^P, $^S, $., $&, $1, $_, "
           "$^A, $^L, $:, $^, $~, $=, $-, $%, $^M")
ENVIRONMENT = ("print join ',', map { qq($_=$ENV{$_}) } grep { !/^(HOME|PWD|OLDPWD|SHLVL|_)$/ } sort keys %ENV")

LANGUAGE = Language(
    name="perl",
    killed='print "one\\n"; print "part"; print STDERR "err\\n"; print "two"; kill KILL => $$; sleep 9', fresh={"PERL_HASH_SEED": "0"},
    main="main.pl",
    command=["perl"],
    semantics={
        "hello": 'print "Hello, World!\\n";',
        "stdin to its end": ("local $/; print uc <STDIN>;", {"stdin": "one\ntwo\nlast"}),
        "stdin by line": ('while (<>) { chomp; print "$.: $_!\\n" }', {"stdin": "one\ntwo\n\nlast"}),
        "args": ('print scalar(@ARGV), map { "<$_>" } @ARGV', {"args": ["a", "", "b c", "ä", "-x", "--", "*"]}),
        "env": ('print "$ENV{GREETING}|$ENV{USER}\\n"; system q(echo "$GREETING")',
                {"env": {"GREETING": "good day, ä"}}),
        "several files": ('use lib "."; use My::Thing qw(twice); require "./plain.pl"; print twice(plain()), "\\n"; '
                          'print join(",", sort keys %INC), "\\n"',
                          {"files": {"My/Thing.pm": "package My::Thing; use strict; use Exporter 'import'; "
                                                    "our @EXPORT_OK = 'twice'; sub twice { 2 * shift } 1;",
                                     "plain.pl": "sub plain { 21 } 1;"}}),
        "exit code": "exit 3",
        "uncaught error": 'print "before\\n";\nsub f {\n  die "it broke" }\nf();\n',
        "syntax error": "my $x = ;\nprint 1;\n",
        "death by signal": "kill TERM => $$; sleep 10",
        "exit hook": 'END { print "end, $?\\n" } print "main\\n"; exit 4',
        "buffered output": 'print "no newline"',
        "binary output": "binmode STDOUT; print map { chr } 0 .. 255",
        "utf-8 output": 'use utf8; binmode STDOUT, ":utf8"; print "äöü 日本 🐣\\n"; print length("äöü"), "\\n"',
        "unread stdin": ('print "done\\n"', {"stdin": b"x" * 200_000}),
        "pending work": "use threads; threads->create(sub { sleep 100 }); print qq(main ends\\n);",
        "own source": 'print __FILE__, " $0 ", __LINE__, "\\n"; print <DATA>; print tell(DATA), "\\n"; '
                      "open my $f, '<', $0 or die; print <$f>\n__END__\nthe data\nof this file\n",
        "subprocess": '$| = 1; print "first\\n"; system "echo in a child; exit 5"; print $? >> 8, "\\n"; '
                      'print "got ", scalar `printf abc`, " $?\\n"',
        "stderr": 'print STDERR "to stderr\\n"; print "to stdout\\n"; warn "a warning"; warn "another\\n"',
    },
    more={
        "a time zone for what starts": ("print scalar localtime 0; system q(date -d @0 +%H)", {"env": {"TZ": "Asia/Tokyo"}}),
        "a variable of the linker": ("print 1", {"env": {"LD_DEBUG": "help"}}),
        # ---- endings
        "an empty program": "",
        "a program that is a comment": "# nothing",
        "die with a newline": 'die "just this\\n"',
        "die without anything": "die",
        "die with an errno": '$! = 5; die "x"',
        "die with the status of a child": 'system "exit 7"; $! = 0; die "x"',
        "die with a hash": "eval { die { code => 3 } }; print $@->{code}",
        "die with an object that has text": "package E; use overload '\"\"' => sub { 'I am E: ' . $_[0]{t} . qq(\\n) };\n"
                                            "package main; die bless { t => 5 }, 'E'",
        "die again": 'eval { eval { die "in\\n" }; print "1 $@"; die "out: $@" }; print "2 $@"; die',
        "die while standard input is read": ("<STDIN>; <STDIN>;\ndie 'after two lines'", {"stdin": "a\nb\nc\n"}),
        "a handler of die": "$SIG{__DIE__} = sub { print 'handler: ', @_ };\ndie 'dead'",
        "a handler of warn": "$SIG{__WARN__} = sub { print 'w: ', @_ };\nwarn 'x'; my $u; use warnings; print 1 + $u",
        "confess and its frames": "use Carp; sub f { g(@_, 'x') }\nsub g { confess 'deep' }\nf(1, 2, undef)",
        "croak from a package": "package P; use Carp; sub f { croak 'not so' }\npackage main;\nP::f(1);",
        "carp and cluck": "use Carp qw(carp cluck); sub f { carp 'hm'; cluck 'hm hm' } f()",
        "exit in eval": 'eval { exit 6 }; print "not reached"',
        "exit in a string eval": 'eval q(exit 6); print "not reached"',
        "exit in BEGIN": 'BEGIN { print "early\\n"; exit 7 } print "never"',
        "exit in a sort block": "my @x = sort { exit 8 } 2, 1",
        "exit in a signal handler": "$SIG{USR1} = sub { exit 9 }; kill USR1 => $$; sleep 20",
        "exit in a destructor": "package D; sub DESTROY { print 'gone'; exit 4 } package main; my $d = bless [], 'D'; undef $d;",
        "exit of a large number": "exit 256 + 3",
        "exit of a negative number": "exit -1",
        "exit status in END": "END { $? = 12 } END { print 'second to last' } exit 3",
        "die in END": "END { print 'still here' } END { $! = 0; $? = 0; die 'in the end' } print 'main ';",
        "die in BEGIN": 'BEGIN { die "no" }\nprint 1;',
        "all blocks in their order": PHASES,
        "POSIX _exit": "use POSIX (); $| = 1; print 'kept'; POSIX::_exit(5)",
        "POSIX _exit loses what is buffered": "use POSIX (); END { print 'no' } print 'lost'; POSIX::_exit(5)",
        "POSIX abort": "use POSIX (); POSIX::abort()",
        "kill -9": "kill 9, $$; sleep 10",
        "exec": "$| = 1; print 'before '; exec 'echo', 'after'",
        "exec of nothing": "exec '/no/such/program' or print 'failed: ', $! + 0",
        "goto out of a sub": "sub f { goto &g } sub g { print join ',', @_, (caller(0))[3] } f(1, 2)",
        "last outside of a loop": "sub f { last }\nf(); print 1",
        "global destruction": DESTRUCTION,
        "a cycle is destroyed at the end": "package D; sub DESTROY { print 'destroyed' } package main; my $x = bless {}, 'D'; $x->{me} = $x;",
        "an error in a destructor": "package D; sub DESTROY { die 'in destroy' } package main; { my $d = bless [], 'D' }\nprint 'on'",
        "a file that is never closed": "open our $f, '>', 'f'; print $f 'content'; END { close $f; print -s 'f' }",
        "deep recursion": "no warnings; sub f { my $n = shift; $n ? 1 + f($n - 1) : 0 } print f(20_000)",
        "a warning about deep recursion": "use warnings; sub f { my $n = shift; $n ? 1 + f($n - 1) : 0 }\nprint f(200)",
        "deeply nested data": "my $x; $x = [$x] for 1 .. 100_000; print 'made'; undef $x; print ' gone'",
        "a deep regular expression": "print ((('a' x 100_000) =~ /^(a|b)*$/) ? 'yes' : 'no')",
        # ---- what can't be parsed
        "several errors": "use strict;\nmy $x = $y;\nprint $z;\n",
        "a missing bracket": "if (1) {\nprint 1;\n",
        "a missing quote": "print 'abc;\n",
        "a missing heredoc": "print <<X;\nabc\n",
        "an unknown sub": "nothing_of_the_kind(1);",
        "an unknown method": "main->nothing;",
        "an unknown package": "Nobody->new;",
        "a missing module": "use No::Such::Module;\nprint 1",
        "a missing file": "require './nothing.pl';",
        "a missing module that is preloaded by name alone": "require No::Such;",
        "a module that returns nothing": ("use lib '.'; require Zero; print 1", {"files": {"Zero.pm": "0;"}}),
        "a module with a syntax error": ("use lib '.'; use Broken; print 1",
                                         {"files": {"Broken.pm": "package Broken;\nsub {;\n1;"}}),
        "a module that dies": ("use lib '.';\neval { require Dies }; print $@; eval { require Dies }; print $@; use Dies;",
                               {"files": {"Dies.pm": "package Dies;\ndie 'while loading';"}}),
        "a version that is too new": "use 7.0; print 1",
        "errors in a string eval": "eval 'die 1'; print $@; eval '1 +'; print $@; eval qq(#line 7 \"x\"\\ndie); print $@",
        "a line directive": "# line 200 \"elsewhere\"\ndie 'here'",
        "a name used once": "use warnings; $Lonely::name = 1; print 'x'",
        "warnings of the compiler": "use warnings; my $x = 1; my $x = 2; my @a = (1); print @a[0]; print 'a' + 1;",
        "warnings by the first line": "#!/usr/bin/perl -w\nmy $u; print 'x' . $u; print $main::once;",
        "options of the first line": ("#!/usr/bin/perl -ln\nprint qq(<$_>)", {"stdin": "a\nb\n"}),
        "taint mode in the first line": "#!/usr/bin/perl -T\nprint 1",
        "another interpreter in the first line": "#!/bin/cat\nshown by cat\n",
        "a first line that looks for perl": "#!/usr/bin/env perl\nuse strict; print qq(ok\\n)",
        "unicode switch in the first line": "#!/usr/bin/perl -CS\nprint chr 228",
        "carriage returns": "print 'a';\r\nprint 'b';\r\n",
        "a byte order mark": b"\xef\xbb\xbfprint 'bom', \"\xc3\xa4\";\n",
        "UTF-16": "print 'wide', \"\\n\";\n".encode("utf-16"),
        "a NUL in the source": b"print 'a';\0print 'b';",
        "latin-1 in the source": b"print length '\xe4', '\xe4'",
        "no newline at the end": "print 1;\nprint 2",
        "POD": "print 1;\n\n=head1 NAME\n\nnot code\n\n=cut\n\nprint __LINE__;",
        "POD at the start": "=pod\n\nx\n\n=cut\n\nprint __LINE__;",
        "formats": "our ($n, $v) = ('abc', 1.5);\nformat STDOUT_TOP =\nName   Value\n.\nformat STDOUT =\n@<<<<< @##.##\n$n, $v\n.\nwrite;",
        "signatures and say": "use v5.36; sub f ($x, $y = 2) { say $x + $y } f(1); f();",
        "a source filter": ("use lib '.'; use Up;\nprint 'quiet';\n", {"files": {"Up.pm": UP}}),
        # ---- what a program sees of itself
        "who it is": "print qq($0 $^X $^O $^V $] @{[__PACKAGE__]} ${^TAINT} $^W ${^UNICODE} ${^UTF8LOCALE}|\\n)",
        "caller at the top": "print defined caller() ? 'called' : 'top'; sub f { my @c = caller; print qq( @c) } f(); eval { print ' ', (caller(0))[3] }",
        "a return at the top": "return 5; print 1",
        "wantarray at the top": "print defined wantarray() ? 'yes' : 'no'",
        "the search path": "print join qq(\\n), @INC",
        "no modules are loaded": "print join ',', %INC; print 'none' unless %INC",
        "modules that are loaded": "use strict; use warnings; use POSIX; use JSON::PP; use Data::Dumper; use Time::HiRes; print qq($_ $INC{$_}\\n) for sort keys %INC",
        "modules that only another asks for": "require Carp; print join(',', sort keys %INC), qq(\\n); require List::Util; print join ',', sort keys %INC",
        "a module that is loaded again": "require Carp; delete $INC{'Carp.pm'}; { no warnings; require Carp; } print $INC{'Carp.pm'}",
        "a module of the same name": ("use lib 'lib'; use Text::Wrap (); print Text::Wrap::wrap(), Text::Wrap::only_here(), $INC{'Text/Wrap.pm'}, defined &Text::Wrap::fill ? 'old' : 'clean'",
                                      {"files": {"lib/Text/Wrap.pm": OWN_WRAP}}),
        "a module of the same name from a hook": "BEGIN { unshift @INC, sub { my $t = 'package Text::Wrap; sub wrap { q(hooked) } 1;'; $_[1] eq 'Text/Wrap.pm' ? \\$t : () } } use Text::Wrap (); print Text::Wrap::wrap(1, 2, 3)",
        "an empty search path": "BEGIN { @INC = () } eval 'use Text::Wrap; 1' or print $@",
        "the number of an eval": "eval 'warn'; eval 'warn'",
        "the number of an eval with modules": "use strict; use warnings; use List::Util; eval 'warn'",
        "assigning to its name": "$0 = 'another name'; print $0; open my $f, '<', '/proc/self/comm'; print <$f>",
        "its process": "open my $f, '<', '/proc/self/comm'; print <$f>; print $< == $>, map { -p $_ ? 1 : 0 } *STDIN, *STDOUT, *STDERR",
        "errors at the start": "print $! + 0, '|', $@, '|', $?, '|', $^E + 0",
        "special variables at the start": SPECIAL,
        "the time it began": "print abs(time - $^T) < 5 ? 'now' : 'then', -M $0 < 1 ? ' new' : ' old'",
        "open descriptors": "opendir my $d, '/proc/self/fd'; print scalar(grep { !/^\\./ } readdir $d); open my $f, '<', $0; print fileno $f",
        "signal handlers": "print join ',', map { qq($_=$SIG{$_}) } grep { defined $SIG{$_} } sort keys %SIG; open my $f, '<', '/proc/self/status'; print grep { /^Sig(Blk|Ign|Cgt)/ } <$f>",
        "files in the work directory": ("print join ',', sort glob '*'; use Cwd; print cwd", {"files": {"b/c": b"x", "a": b"y"}}),
        "variables of the environment": (ENVIRONMENT, {"env": {"EMPTY": "", "X": "1=2"}}),
        "a changed environment": "$ENV{NEW} = 'n'; delete $ENV{USER}; print `echo \"\\$NEW,\\$USER\"`, `printenv NEW USER`; { local $ENV{PATH} = '/bin'; print `echo \\$PATH` }",
        "a library path in the environment": ("use There; print There::f(), $INC[0]",
                                              {"env": {"PERL5LIB": "./lib"}, "files": {"lib/There.pm": "package There; sub f { 'there ' } 1;"}}),
        "options in the environment": ("print 'x' . undef", {"env": {"PERL5OPT": "-w -MList::Util=sum"}}),
        "unicode in the environment": ("print chr(228), $ARGV[0] eq chr(228) ? 'decoded' : 'bytes'", {"env": {"PERL_UNICODE": "SA"}, "args": ["ä"]}),
        "a hash seed in the environment": ("print join ',', keys %{{ map { $_ => 1 } 'a' .. 'z' }}", {"env": {"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}}),
        "a locale in the environment": ("use POSIX; print setlocale(LC_ALL, '')", {"env": {"LC_ALL": "C"}}),
        # ---- streams, files, processes
        "an odd end of standard input": ("print '[', join('][', <STDIN>), ']'", {"stdin": b"a\0b\r\nc"}),
        "binary standard input": ("binmode STDIN; local $/; my $x = <STDIN>; print length $x, ' ', unpack '%32C*', $x", {"stdin": bytes(range(256)) * 50}),
        "getc, read and eof": ("print getc, '|'; read STDIN, my $b, 3; print $b, '|', eof() ? 1 : 0; print <STDIN>; print eof(STDIN) ? 1 : 0", {"stdin": "abcdefg\nh"}),
        "wide characters": "use warnings; print chr(0x263a), qq(\\n); print chr(228)",
        "open with layers": "use open qw(:std :utf8); print chr(0x263a)",
        "decoding": ("use Encode; my $x = decode('UTF-8', scalar <STDIN>); print length $x, encode('UTF-16BE', $x)", {"stdin": "äö"}),
        "unicode in regular expressions": "use utf8; my $x = 'Straße Ünïcode Ω'; binmode STDOUT, ':utf8'; print uc $x, lc $x, join '|', $x =~ /(\\w+)/g, $x =~ /\\p{Greek}/ ? 'greek' : '', \"\\N{GREEK SMALL LETTER ALPHA}\"",
        "autoflush and order": "$| = 1; print STDOUT 'a'; system 'printf b'; print 'c'; STDOUT->autoflush(0); print 'd'; system 'printf e'; STDOUT->flush",
        "a closed standard output": "close STDOUT; print 'x' or print STDERR 'no'; ",
        "standard output to a string": "{ local *STDOUT; open STDOUT, '>', \\my $s; print 'hidden'; close STDOUT; print STDERR $s } print 'seen'",
        "standard output to a file and back": "open my $old, '>&', \\*STDOUT; open STDOUT, '>', 'f'; print 'x'; system 'echo child'; open STDOUT, '>&', $old; print 'back ', -s 'f'",
        "a broken pipe": "pipe my $r, my $w; close $r; $SIG{PIPE} = sub { print 'PIPE ' }; syswrite $w, 'x' or print $! + 0; $SIG{PIPE} = 'DEFAULT'; syswrite $w, 'x'; print 'never'",
        "output of 900 kB": "print 'x' x 99, qq(\\n) for 1 .. 9_000",
        "in-place editing": ("local ($^I, @ARGV) = ('.bak', 'f'); while (<>) { s/a/b/; print } open my $f, '<', 'f'; print STDOUT <$f>", {"files": {"f": "aaa\nxa\n"}}),
        "files of the arguments": ("print \"$ARGV $.: $_\" while <>; print 'end'", {"args": ["f", "g"], "files": {"f": "1\n2\n", "g": "3\n"}}),
        "a missing file of the arguments": ("print while <>;", {"args": ["nothing"]}),
        "fork and wait": "$| = 1; my $pid = fork; if (!$pid) { print qq(child\\n); exit 3 } waitpid $pid, 0; print 'parent ', $? >> 8, qq(\\n)",
        "END runs in every child": "END { print qq(end\\n) } $| = 1; my $pid = fork; if (!$pid) { print 'child '; exit } waitpid $pid, 0; print 'parent ';",
        "a fork that ends without exit": "my $pid = fork; if (!$pid) { print 'child' } else { waitpid $pid, 0; print ' parent' }",
        "a child that dies of a signal": "my $pid = fork; if (!$pid) { kill KILL => $$; sleep 9 } waitpid $pid, 0; print $? & 127, ' ', wait",
        "pipes to and from programs": "$| = 1; open my $w, '|-', 'tr a-z A-Z' or die; print $w 'shout'; close $w; open my $r, '-|', 'echo', 'a  b' or die; print <$r>; close $r; print $?",
        "a fork by open": "my $pid = open my $k, '-|'; if (!$pid) { print 'from the child'; exit 2 } print <$k>; close $k; print ' ', $? >> 8",
        "IPC::Open3": "use IPC::Open3; use Symbol 'gensym'; my $pid = open3(my $in, my $out, my $err = gensym, 'sh', '-c', 'cat; echo e >&2; exit 4'); print $in 'sent'; close $in; print <$out>, <$err>; waitpid $pid, 0; print $? >> 8",
        "system in a list": "$| = 1; print system('sh', '-c', 'exit 3') >> 8, ' ', system({ 'sh' } 'x', '-c', 'echo $0'), ' ', system('/no/such')",
        "perl from perl": "print `$^X -e 'print 6 * 7'`; print qx(perl -v) =~ /This is perl/ ? 'perl' : ''",
        "a handler by name": "sub h { print qq(got $_[0]\\n) } $SIG{USR1} = 'h'; kill USR1 => $$; print 'after'",
        "a time-out by die": "eval { local $SIG{ALRM} = sub { die qq(late\\n) }; alarm 1; 1 while 1; }; print $@",
        "SIGINT": "kill INT => $$; sleep 9",
        "numbers": "print eval { 1 / 0 } // $@, 9**9**9, -9**9**9, 0.1 + 0.2, ' ', 1e21, ' ', 1/3, ' ', 2**64, ' ', 0x7fffffffffffffff + 1",
        "threads": "use threads; use threads::shared; my $n :shared = 0; my @t = map { threads->create(sub { require JSON::PP; lock $n; $n += shift; ref JSON::PP->new }, $_) } 1 .. 4; print join(',', map { $_->join } @t), ' ', $n",
        "an error in a thread": "use threads; threads->create(sub { die 'in a thread' })->join; print 'on'",
        "sockets in the sandbox": "use Socket; socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die; syswrite $a, 'over'; sysread $b, my $x, 9; print $x",
        "a temporary file": "use File::Temp 'tempfile'; my ($f, $name) = tempfile(UNLINK => 1); print $f 'x'; close $f; print -s $name",
        "an anonymous temporary file": "open my $f, '+>', undef or die; print $f 'kept'; seek $f, 0, 0; print <$f>",
        "the time": "use POSIX; print strftime('%Y-%m-%d %H:%M', gmtime 86400 * 365), scalar(gmtime 0), mktime(0, 0, 0, 1, 0, 70)",
        "a time zone": ("print scalar localtime 0", {"env": {"TZ": "EST5"}}),
        # ---- the language and its libraries
        "seeded random numbers": "srand 42; print join ',', map { int rand 1000 } 1 .. 5; print srand(7)",
        "sorting": "print join ',', sort { $b <=> $a } 10, 9, 100; print sort qw(b a C); my %h = (a => 2, b => 1); print sort { $h{$a} <=> $h{$b} } keys %h",
        "Data::Dumper": "use Data::Dumper; $Data::Dumper::Sortkeys = 1; print Dumper({ a => [1, 'x', undef], b => \\'r', c => sub { 1 } })",
        "Storable": "use Storable qw(freeze thaw dclone); print thaw(freeze([1, { a => 2 }]))->[1]{a}, dclone({ x => [5] })->{x}[0]",
        "List::Util": "use List::Util qw(sum max first reduce uniq); print sum(1 .. 4), max(3, 9), first { $_ > 2 } 1 .. 5; print reduce { $a * $b } 1 .. 5; print uniq 1, 1, 2",
        "POSIX": "use POSIX qw(floor ceil :sys_wait_h :limits_h); print floor(-1.5), ceil(1.2), WNOHANG, INT_MAX, POSIX::strtol('ff', 16)",
        "big numbers": "use bigint; print 2 ** 100",
        "constant and parent": "use constant { A => 1, B => [2, 3] }; print A, B->[1]; package P; sub hi { 'hi from ' . ref shift } package C; use parent -norequire, 'P'; package main; print bless({}, 'C')->hi",
        "tie": "package T; sub TIESCALAR { bless [] } sub FETCH { ++$_[0][0] } package main; tie my $x, 'T'; print $x, $x; untie $x",
        "AUTOLOAD and can": "package A; our $AUTOLOAD; sub AUTOLOAD { print qq($AUTOLOAD;) } package main; A->foo; bless([], 'A')->bar; print A->can('foo') ? 1 : 0",
        "local and typeglobs": "our $x = 1; sub f { print $x } { local $x = 2; f() } f(); *g = sub { print 'g' }; g()",
        "a preloaded module that no other needs": "use Text::Wrap qw(wrap $columns); $columns = 20; print wrap('', '  ', 'the quick brown fox jumps over the lazy dog')",
        "modules that are not preloaded": "use Text::ParseWords; print join '|', shellwords(q(a 'b c' d)); use Digest::MD5 'md5_hex'; print md5_hex 'x'",
        "Test::More": "use Test::More tests => 2; ok 1, 'first'; is 1, 2, 'second'",
        "Getopt::Long": ("use Getopt::Long; GetOptions('n=i' => \\my $n, 'v' => \\my $v) or exit 2; print qq($n $v @ARGV)", {"args": ["--n", "5", "-v", "rest"]}),
        "Getopt::Long with errors": ("use Getopt::Long; GetOptions('n=i' => \\my $n) or exit 2;", {"args": ["--n", "x", "--what"]}),
        "sprintf and pack": "printf '%05.1f|%-5s|%x|%b|%e|%s|%vd', 3.14159, 'ab', 255, 5, 12345.678, 'u', '1.22.333'; print unpack 'H*', pack 'nNvVw', 1, 2, 3, 4, 300",
        "B and the main program": "use B; print ref B::main_root(), ref B::main_start(), B::svref_2object(sub {})->FILE",
    },
    corpus={
        "hello": 'print "Hello, World!\\n";',
        "fizzbuzz": 'print +($_ % 15 ? $_ % 5 ? $_ % 3 ? $_ : "Fizz" : "Buzz" : "FizzBuzz"), "\\n" for 1 .. 100;',
        "primes": "my $n = 1_000_000; my $s = '1' x $n; substr $s, 0, 2, '00';\n"
                  "for (my $i = 2; $i * $i < $n; $i++) { next unless substr $s, $i, 1;\n"
                  "for (my $j = $i * $i; $j < $n; $j += $i) { substr($s, $j, 1) = '0' } } print $s =~ tr/1//, qq(\\n);",
        "word count": 'my %n; while (<>) { $n{$_}++ for split } print "$_ $n{$_}\\n" for sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n;',
        "json": "use strict; use JSON::PP; my $o = decode_json(do { local $/; <STDIN> }); my $t = 0; $t += $_ for @{ $o->{items} };\n"
                "print JSON::PP->new->canonical->encode({ name => $o->{name}, total => $t }), qq(\\n);",
    },
    random=["print rand", "print join ',', map { int rand 1000 } 1 .. 10", "print srand",
            "use File::Temp 'tempfile'; print +(tempfile)[1]", "use List::Util 'shuffle'; print join ',', shuffle 1 .. 50",
            "my %h = map { $_ => 1 } 1 .. 500; print join ',', keys %h",
            "open my $f, '+>', undef; opendir my $d, '/proc/self/fd'; print map { readlink qq(/proc/self/fd/$_) } 3 .. 5"],
)

Semantics = tests_of(SERVER, LANGUAGE)


class Differences(Case):
    """The statements of docs/languages.md about Perl."""

    SERVER = SERVER

    def test_functions_of_preloaded_modules_are_there_before_they_are_required(self):
        self.assertEqual("there 0", self.output("print defined &Text::Wrap::wrap ? 'there ' : 'not there '; "
                                                "print exists $INC{'Text/Wrap.pm'} ? 1 : 0", language="perl"))

    def test_an_eval_does_not_count_what_preloaded_modules_have_evaluated(self):
        self.assertEqual("1", self.output("use JSON::PP; print eval '__FILE__ =~ /(\\d+)/; $1'", language="perl"))

    def test_the_hash_function_is_one_for_all_runs_and_the_order_is_not(self):
        program = "use Hash::Util 'hash_seed'; print unpack('H*', hash_seed), qq(\\n), join ',', keys %{{ map { $_ => 1 } 1 .. 500 }}"
        first, second = (self.output(program, language="perl").split() for _ in range(2))
        self.assertEqual(first[0], second[0])
        self.assertNotEqual(first[1], second[1])

    def test_status_lists_what_was_preloaded(self):
        [row] = [row for row in self.client.status().languages if row.name == "perl"]
        preloads = {preload.name: preload for preload in row.preloads}
        self.assertEqual({*PRELOADED.split(), "No::Such"}, set(preloads))
        self.assertEqual(["No::Such"], [name for name, preload in preloads.items() if preload.missing])
        self.assertGreater(preloads["JSON::PP"].first_us, preloads["JSON::PP"].again_us)


class Hostile(HostileCase):
    """Hostile programs end as they should, and the next program runs."""

    SERVER, LANGUAGE, HELLO = SERVER, "perl", 'print "Hello, World!\\n"'

    def ends_in_time(self, program):
        self.assert_ends("TIME_LIMIT", program, limits={"wall_us": 500_000})

    def prints(self, expected, program):
        result = self.hostile(program)
        self.assertEqual(expected, result.stdout, describe(result))

    def test_a_fork_bomb_stops_at_the_limit(self):
        self.prints(b"refused", "$SIG{CHLD} = 'IGNORE'; my $n = 0; while ($n < 500) { my $p = fork; "
                                "if (!defined $p) { print 'refused'; last } if (!$p) { sleep 60; exit } $n++ }")

    def test_a_fork_bomb_that_goes_on_ends_with_its_time(self):
        self.ends_in_time("fork while 1")

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "my @x; push @x, 'x' x 1_000_000 while 1", limits={"wall_us": 60_000_000, "cpu_us": 60_000_000})

    def test_an_endless_loop_ends_with_its_time(self):
        self.ends_in_time("1 while 1")

    def test_an_endless_loop_that_ignores_signals_ends_with_its_time(self):
        self.ends_in_time("$SIG{$_} = 'IGNORE' for keys %SIG; END { 1 while 1 } 1 while 1")

    def test_an_endless_BEGIN_ends_with_its_time(self):
        self.ends_in_time("BEGIN { 1 while 1 }")

    def test_an_endless_destructor_ends_with_its_time(self):
        self.ends_in_time("package D; sub DESTROY { 1 while 1 } package main; our $x = bless [], 'D'")

    def test_a_regular_expression_that_backtracks_ends_with_its_time(self):
        self.ends_in_time("('a' x 40) =~ /^(?:a?){40}(?:(?:a|a)*)*b\\1{3}|(a+a+)+x$/ while 1")

    def test_a_flood_of_output_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "print 'x' x 65536 while 1")

    def test_a_full_disk_is_an_error(self):
        self.prints(b"28", "open my $f, '>', 'f'; while (1) { syswrite $f, 'x' x 1_000_000 or last } print $! + 0")

    def test_secrets_of_the_host_are_not_there(self):
        self.prints(b"no no no no no ", "for (qw(/etc/shadow /proc/1/environ /proc/1/root/etc/shadow /proc/kcore /dev/mem)) "
                                        "{ print open(my $f, '<', $_) && defined(<$f>) ? 'read ' : 'no ' }")

    def test_calls_that_are_forbidden_are_refused(self):
        self.prints(b"-1 -1 -1 -1", "print join ' ', syscall(101, 16, 1, 0, 0), syscall(165, 0, 0, 0, 0, 0), "  # ptrace, mount
                                    "syscall(272, 0x10000000), syscall(321, 0, 0, 0)")  # unshare, bpf

    def test_there_is_no_network(self):
        self.prints(b"no: 97", "use Socket; print socket(my $s, PF_INET, SOCK_STREAM, 0) ? 'open' : 'no: ' . ($! + 0)")

    def test_nothing_of_ours_has_a_name(self):
        self.prints(b"0", "print scalar grep { /hatchery/i } keys %main::, %INC, %ENV, values %ENV")

    def test_a_pattern_of_a_million_brackets_harms_nobody(self):
        result = self.hostile("my $x = '(' x 1_000_000 . ')' x 1_000_000; eval { 'a' =~ /$x/ }; print length $@ ? 'error' : 'none'")
        self.assertIn(Status.Name(result.status), ("EXITED", "SIGNALED", "MEMORY_LIMIT", "TIME_LIMIT"), describe(result))
