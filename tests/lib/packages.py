"""Third-party packages as the tools of their ecosystems leave them: a small one for each runtime, made by hand if the
tool would need a network."""

import subprocess
import textwrap

RUNTIMES = ("python", "perl", "ruby", "php", "lua", "luajit", "tcl", "r", "prolog", "javascript", "java")

LUA = "local count = 0\nlocal M = {}\nfunction M.greet(who) count = count + 1 return 'hello ' .. who .. ' ' .. count end\nreturn M\n"

# Name of the file to its text, below the runtime's directory.
FILES = {
    # pip install --target
    "python": {
        "greeter/__init__.py": """
            import importlib.resources
            from .words import HELLO
            count = 0
            def greet(who):
                global count
                count += 1
                return f"{HELLO} {who} {count}"
            def data():
                return (importlib.resources.files(__name__) / "data.txt").read_text()
        """,
        "greeter/words.py": "HELLO = 'hello'\n",
        "greeter/data.txt": "some data\n",
        "greeter-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeter\nVersion: 1.2\n",
        "one_file.py": "WHERE = __file__\n",
        "json/__init__.py": "raise ImportError('this is not the json of the standard library')\n",
    },
    # cpanm --local-lib
    "perl": {
        "lib/perl5/My/Greeter.pm": """
            package My::Greeter;
            use strict; use warnings;
            use My::Words;
            our $VERSION = '1.2';
            my $count = 0;
            sub greet { return My::Words::HELLO() . " $_[0] " . ++$count }
            1;
        """,
        "lib/perl5/My/Words.pm": "package My::Words;\nuse constant HELLO => 'hello';\n1;\n",
    },
    # composer install, in short
    "php": {
        "vendor/autoload.php": """
            <?php
            require_once __DIR__ . '/composer/autoload_real.php';
            return ComposerAutoloaderInit::getLoader();
        """,
        "vendor/composer/autoload_real.php": """
            <?php
            class ComposerAutoloaderInit {
                private static $loader;
                public static function getLoader() {
                    return self::$loader ??= (function () {
                        spl_autoload_register(function ($class) {
                            $file = __DIR__ . '/../acme/src/' . strtr($class, '\\\\', '/') . '.php';
                            if (is_file($file)) { require $file; }
                        });
                        return new stdClass();
                    })();
                }
            }
        """,
        "vendor/acme/src/Acme/Greeter.php": """
            <?php
            namespace Acme;
            class Greeter {
                private static $count = 0;
                public static function greet($who) { return "hello $who " . ++self::$count; }
            }
        """,
    },
    # luarocks --tree
    "lua": {"share/lua/5.4/greeter/init.lua": LUA},
    "luajit": {"share/lua/5.1/greeter.lua": LUA},
    "tcl": {
        "greeter1.2/pkgIndex.tcl": "package ifneeded greeter 1.2 [list source [file join $dir greeter.tcl]]\n",
        "greeter1.2/greeter.tcl": """
            package provide greeter 1.2
            namespace eval greeter {
                variable count 0
                proc greet {who} { variable count; return "hello $who [incr count]" }
            }
        """,
    },
    # pack_install, of a pack
    "prolog": {
        "greeter/pack.pl": "name(greeter).\nversion('1.2.0').\ntitle('Greets').\n",
        "greeter/prolog/greeter.pl": """
            :- module(greeter, [greet/2]).
            :- dynamic count/1.
            count(0).
            greet(Who, Text) :- retract(count(N)), M is N + 1, assertz(count(M)), format(atom(Text), 'hello ~w ~w', [Who, M]).
        """,
    },
    # npm install --prefix
    "javascript": {
        "package.json": '{"dependencies": {"greeter": "1.2.0"}}\n',
        "node_modules/greeter/package.json": '{"name": "greeter", "version": "1.2.0", "main": "lib/index.js"}\n',
        "node_modules/greeter/lib/index.js": """
            const { HELLO } = require('words');
            let count = 0;
            exports.greet = (who) => `${HELLO} ${who} ${++count}`;
        """,
        "node_modules/words/package.json": '{"name": "words", "version": "1.0.0"}\n',
        "node_modules/words/index.js": "exports.HELLO = 'hello';\n",
        "node_modules/@acme/modern/package.json":
            '{"name": "@acme/modern", "type": "module", "exports": {".": "./main.js", "./part": "./part.js"}}\n',
        "node_modules/@acme/modern/main.js": "import { HELLO } from 'words';\nexport const greet = (who) => `${HELLO} ${who}`;\n",
        "node_modules/@acme/modern/part.js": "export default import.meta.url;\n",
    },
    # gem build and gem install
    "ruby": {
        "greeter.gemspec": """
            Gem::Specification.new do |s|
              s.name, s.version, s.summary, s.authors = 'greeter', '1.2', 'greets', ['nobody']
              s.homepage, s.license = 'https://example.org', 'MIT'
              s.files = Dir['lib/**/*']
            end
        """,
        "lib/greeter.rb": """
            require 'greeter/words'
            module Greeter
              @count = 0
              def self.greet(who) = "#{HELLO} #{who} #{@count += 1}"
            end
        """,
        "lib/greeter/words.rb": "module Greeter\n  HELLO = 'hello'\nend\n",
    },
    # mvn dependency:copy-dependencies -DoutputDirectory=DIR
    "java": {
        "acme/Greeter.java": """
            package acme;
            public class Greeter {
                private static int count;
                public static String greet(String who) { return "hello " + who + " " + ++count; }
            }
        """,
    },
    # install.packages
    "r": {
        "DESCRIPTION": "Package: greeter\nVersion: 1.2\nTitle: Greets\nDescription: Greets.\nAuthor: nobody\n"
                       "Maintainer: nobody <nobody@example.org>\nLicense: GPL-2\n",
        "NAMESPACE": "export(greet)\n",
        "R/greet.R": "state <- new.env()\nstate$count <- 0\n"
                     "greet <- function(who) { state$count <- state$count + 1; paste('hello', who, state$count) }\n",
    },
}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))


def run(*command, cwd):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=300)


def install(folder, runtime, scratch):
    """Puts the packages of a runtime into folder; scratch is a directory for their sources."""
    folder.mkdir(parents=True, exist_ok=True)
    if runtime not in ("ruby", "r", "java"):
        write(folder, FILES[runtime])
        return
    source = scratch / "greeter"
    write(source, FILES[runtime])
    if runtime == "ruby":
        run("gem", "build", "--silent", "greeter.gemspec", cwd=source)
        run("gem", "install", "--local", "--no-document", "--install-dir", folder, "greeter-1.2.gem", cwd=source)
    elif runtime == "java":
        run("javac", "acme/Greeter.java", cwd=source)
        run("jar", "--create", "--file", folder / "greeter-1.2.jar", "acme/Greeter.class", cwd=source)
    else:
        run("R", "CMD", "INSTALL", "--no-docs", "--no-test-load", f"--library={folder}", source, cwd=scratch)
