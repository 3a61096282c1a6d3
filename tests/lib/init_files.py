"""Settings, start files and libraries of a language that a request plants beside its program, or
names in variables: rows of the semantics table (lib/language_case.py). Hatchery obeys them where
the language's own command does, but only after the job's socket is closed; or it does not obey them
at all. `ours` marks rows where only the command obeys; docs/languages.md says why.

Each program prints "real". A planted file says that it ran, tells every descriptor that listens that a compiler refused
the program (proto/ipc/job.h), and ends the process with 77. Compilers and helpers have a table of their own:
lib/planted.py."""

REAL = (b"real\n", b"", ("exit", 0))
# Rows where the command has another home directory, or another path to it.
OBEYED = (b"", b"planted\n", ("exit", 77))
OBEYED_BY_SQL = (b"planted\n", b"", ("exit", 77))

SHELL = "echo planted >&2\nexit 77\n"
# A struct job_failure of the step REFUSED, and the byte by which a prestarted helper says the same.
PERL = ("print STDERR qq(planted\\n); for my $fd (3 .. 63) { open my $f, '>&=', $fd or next; "
        "syswrite $f, $_ for pack('LlZ1028', 4, 77, ''), 'C' } require POSIX; POSIX::_exit(77);\n")
NODE = ("const { fstatSync, writeSync } = require('fs'); writeSync(2, 'planted\\n'); const frame = Buffer.alloc(1036); frame[0] = 4; frame[4] = 77;\n"
        "for (let fd = 3; fd < 64; fd++) for (const bytes of ['C', frame]) try { if (fstatSync(fd).isSocket()) writeSync(fd, bytes); } catch { }\n"
        "process.reallyExit(77);\n")
PYTHON = "import os\nos.write(2, b'planted\\n')\nos._exit(77)\n"
RUBY = "$stderr.puts 'planted'\nexit! 77\n"
PHP = "<?php fwrite(STDERR, \"planted\\n\"); exit(77);\n"
TCL = "puts stderr planted\nexit 77\n"
TCL_INDEX = "# Tcl autoload index file, version 2.0\n" + TCL
LUA = "io.stderr:write('planted\\n') os.exit(77)\n"
R = "cat('planted\\n', file = stderr()); quit(status = 77)\n"
PROLOG = ":- format(user_error, 'planted~n', []), halt(77).\n"
SQL = ".print planted\n.exit 77\n"

PHP_SETTINGS = "auto_prepend_file = /home/sandbox/planted.php\n"


def plant(content, *names):
    return dict.fromkeys(names, content)


def gem(name):
    """A library of ruby's start, newer than the system's, where `gem install --user-install` puts it."""
    specification = f"Gem::Specification.new {{ |s| s.name = '{name}'; s.version = '99.0'; s.summary = 'x'; s.files = ['lib/{name}.rb'] }}\n"
    return {f"{home}/{file}": content for home in (".gem/ruby/3.1.0", ".local/share/gem/ruby/3.1.0")
            for file, content in ((f"gems/{name}-99.0/lib/{name}.rb", RUBY), (f"specifications/{name}-99.0.gemspec", specification))}


def with_files(program, *files, **options):
    return program, {"files": {name: content for some in files for name, content in some.items()}, **options}


INIT_FILES = {
    "awk": {
        "start files": with_files('BEGIN { print "real" }\n', plant('BEGIN { print "planted"; exit 77 }\n', ".awkrc", ".gawkrc", "init.awk", "awk/inplace.awk")),
    },
    "bash": {
        "start files": with_files("echo real\n", plant(SHELL, ".bashrc", ".bash_profile", ".profile", ".bash_env", ".bash_aliases", ".inputrc", "echo")),
        "a start file that a variable names": with_files("echo real\n", plant(SHELL, "planted"), env={"BASH_ENV": "./planted", "ENV": "./planted"}),
    },
    "bc": {
        "start files": with_files('print "real\\n"\n', plant('print "planted\\n"\nhalt\n', ".bcrc", ".bc", "libmath.b")),
        "options and a file that a variable names": with_files('print "real\\n"\n', plant('print "planted\\n"\nhalt\n', "planted"), env={"BC_ENV_ARGS": "-l planted"}),
    },
    "javascript": {
        "a module that a variable names": with_files("console.log('real');\n", plant(NODE, "planted.js"), env={"NODE_OPTIONS": "--require ./planted.js"}),
    },
    "lua": {
        "libraries named as its own": with_files("print('real')\n", plant(LUA, "init.lua", "string.lua", "table.lua", "debug.lua", ".lua", "_G.lua", "lua.lua")),
        "a start file that a variable names": with_files("print('real')\n", plant(LUA, "planted"), env={"LUA_INIT": "@planted"}),
    },
    "luajit": {
        "libraries named as its own": with_files("require('jit.util') print('real')\n", plant(LUA, "jit.lua", "jit/opt.lua", "jit/util.lua", "jit/vmdef.lua", "jit/init.lua", "bit.lua", "ffi.lua")),
        "a start file that a variable names": with_files("print('real')\n", plant(LUA, "planted"), env={"LUA_INIT": "@planted"}),
    },
    "perl": {
        "start files and libraries": with_files("use strict; use Carp; print qq(real\\n);\n", plant(PERL, "strict.pm", "warnings.pm", "Carp.pm", "sitecustomize.pl", ".perldb", "perl5db.pl", ".perlrc", "lib/strict.pm")),
        "a module that a variable names": with_files("print qq(real\\n);\n", plant(PERL, "Planted.pm"), env={"PERL5OPT": "-MPlanted", "PERL5LIB": "."}),
    },
    "php": {
        "settings": with_files("<?php echo \"real\\n\";\n", plant(PHP, "planted.php"), plant(PHP_SETTINGS, "php.ini", "php-cli.ini", ".user.ini", ".php.ini", "conf.d/planted.ini")),
        "settings that a variable names": with_files("<?php echo \"real\\n\";\n", plant(PHP, "planted.php"), plant(PHP_SETTINGS, "php.ini", "planted.ini"),
                                                     env={"PHPRC": ".", "PHP_INI_SCAN_DIR": "."}, ours=OBEYED),
    },
    "prolog": {
        "start files": with_files(":- writeln(real).\n", plant(PROLOG, "init.pl", ".plrc", "swipl.rc", "lists.pl", ".local/share/swi-prolog/init.pl")),
        "the start file of its home": with_files(":- writeln(real).\n", plant(PROLOG, ".config/swi-prolog/init.pl")),
    },
    "python": {
        "start files and libraries": with_files("print('real')\n", plant(PYTHON, "sitecustomize.py", "usercustomize.py", ".pythonrc.py", "encodings/__init__.py", "site.py", "codecs.py"),
                                                {"pyvenv.cfg": "home = .\n", "planted.pth": "import sitecustomize\n"}),
        "the start file of its home": with_files("print('real')\n", plant(PYTHON, ".local/lib/python3.11/site-packages/usercustomize.py"), ours=REAL),
    },
    "r": {
        "settings and start files": with_files("cat('real\\n')\n", plant(R, ".Rprofile", "Rprofile.site", "planted.R"),
                                               plant("R_PROFILE=/home/sandbox/planted.R\n", ".Renviron", "Renviron.site"), ours=REAL),
        "start files that variables name": with_files("cat('real\\n')\n", plant(R, "planted.R"), plant("R_DEFAULT_PACKAGES=planted\n", "planted"),
                                                      env={"R_PROFILE": "planted.R", "R_PROFILE_USER": "planted.R", "R_ENVIRON": "planted", "R_ENVIRON_USER": "planted"}),
    },
    "ruby": {
        "start files and libraries": with_files("require 'json'\nputs 'real'\n", plant(RUBY, ".irbrc", ".rubyrc", "rubygems.rb", "json.rb", "did_you_mean.rb", "enc/encdb.rb", "gem_prelude.rb", "rubygems_plugin.rb"),
                                                {"Gemfile": "exit! 77\n", ".bundle/config": "BUNDLE_GEMFILE: Gemfile\n", ".gemrc": "gem: --pre\n"}),
        "newer libraries among the gems of its home": with_files("require 'json'\nputs 'real'\n", gem("did_you_mean"), gem("error_highlight"), ours=REAL),
        "a library that a variable names": with_files("puts 'real'\n", plant(RUBY, "planted.rb"), env={"RUBYOPT": "-r./planted", "RUBYLIB": "."}),
    },
    "sed": {
        "start files": with_files("s/.*/real/\n", plant("s/.*/planted/\n", ".sedrc", "sedrc", ".sed"), stdin="x\n"),
    },
    "sqlite": {
        "a start file": with_files("SELECT 'real';\n", plant(SQL, ".sqliterc", "sqliterc", ".config/sqlite3/sqliterc"), ours=OBEYED_BY_SQL),
        "a start file before what is the command's": with_files(".print real\n", plant(SQL, ".sqliterc"), ours=OBEYED_BY_SQL),
    },
    "tcl": {
        "start files and indices": with_files("catch nothing\nputs real\n", plant(TCL, ".tclshrc", "init.tcl", "lib/init.tcl", "lib/tcl8.6/init.tcl", "library/init.tcl", "auto.tcl", "tm.tcl"),
                                              plant(TCL_INDEX, "tclIndex", "pkgIndex.tcl", "lib/tclIndex")),
        "an index that a variable names": with_files("catch nothing\nputs real\n", plant(TCL_INDEX, "tclIndex"), env={"TCLLIBPATH": "."}),
    },
}
INIT_FILES["node-prestarted"] = INIT_FILES["javascript"]
