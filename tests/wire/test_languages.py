"""The languages of a server: an absent or broken one delays none of the others, and languages come, change and go with
a SIGHUP, while the others serve."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

from lib import host
from lib.case import describe
from lib.hatchery import Refused
from lib.languages import PYTHON, WithLanguages, runtime
from lib.server import BUILD, HATCHERYD, HELD, HOLD_SH, Server, wait_until


class Load(threading.Thread):
    """Runs Python, one run after the other; problems lists everything that was wrong."""

    def __init__(self, server):
        super().__init__()
        self.server, self.runs, self.problems, self.stopping = server, 0, [], threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()

    def run(self):
        try:
            with self.server.connect() as client:
                while not self.stopping.is_set():
                    result = client.execute("print(6 * 7)")
                    self.runs += 1
                    if result.stdout != b"42\n":
                        self.problems.append(result)
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(error)


class Absent(WithLanguages):
    GHOST = runtime("ghost", needs="{ /bin/sh, /nonexistent/ghost }", package="'ghost-bin libghost1'",
                    aliases="{ spook }")

    def test_what_is_not_installed_is_refused_with_what_to_install(self):
        server = self.prepare(PYTHON + "language ghost { }\nlanguage haunted { runtime = ghost }\n", {"ghost": self.GHOST})
        server.start()
        with server.connect() as client:
            self.assertEqual(["python"], self.names(client))
            self.assertTrue(client.status().ready)
            for name in ("ghost", "spook", "haunted"):
                refused = self.refusal(client, name)
                self.assertEqual("NOT_FOUND", refused.code)
                self.assertEqual("ghost is not installed on the server: apt-get install ghost-bin libghost1",
                                 refused.message)
            self.assert_alive(client)
        self.assertEqual(1, server.log().count("the language ghost is absent: there is no /nonexistent/ghost; "
                                               "apt-get install ghost-bin libghost1"))

    def test_a_name_that_nothing_is_known_of_is_absent_too(self):
        server = self.prepare(PYTHON + "language pyhton { }\n").start()
        with server.connect() as client:
            self.assertEqual("pyhton is not installed on the server", self.refusal(client, "pyhton").message)
            self.assertIn("this server knows: python", self.refusal(client, "nothing").message)
            self.assert_alive(client)
        self.assertIn("there is neither a hatchery-lang-pyhton.so nor a file pyhton.conf", server.log())

    def test_what_is_installed_later_comes_with_a_sighup(self):
        server = self.prepare(PYTHON + "language ghost { }\n")
        needed = server.dir / "ghost"
        self.write("ghost", runtime("ghost", needs=f"{{ {needed} }}"))
        server.start()
        with server.connect() as client:
            self.assertEqual("NOT_FOUND", self.refusal(client, "ghost").code)
            needed.touch()
            self.reload(server)
            self.wait_for(client, "ghost")
            self.assert_says("hello of main.sh\n", client, "ghost")

    def test_with_nothing_to_serve_it_says_so_and_ends(self):
        server = self.prepare("language ghost { }\n", {"ghost": self.GHOST})
        done = subprocess.run(server.command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("there is no language to serve", done.stderr)
        self.assertIn("apt-get install ghost-bin", done.stderr)


class Broken(WithLanguages):
    # Its zygote ends before it has served.
    WRECK = runtime("wreck", version="{ sh, -c, \"exit 3\" }", aliases="{ hulk }")

    def assert_shows_readiness(self, server, code, word):
        done = server.run("status")
        self.assertEqual(code, done.returncode, done)
        self.assertIn(f": {word}, up ", done.stdout.decode())
        self.assertEqual(code, server.run("status", "--json").returncode)
        self.assertEqual(0, server.run("languages").returncode)

    def test_it_holds_up_none_of_the_others_and_can_be_mended(self):
        server = self.prepare(PYTHON + "language wreck { warm = 1 }\n", {"wreck": self.WRECK}).start()
        with server.connect() as client:
            self.assertFalse(client.status().ready)
            self.assertFalse(self.row(client, "wreck").ready)
            self.assert_shows_readiness(server, 1, "not ready")
            for name in ("wreck", "hulk"):
                refused = self.refusal(client, name)
                self.assertEqual("UNAVAILABLE", refused.code)
                self.assertIn("the language wreck can't be started on this server", refused.message)
                self.assertGreater(refused.error.retry_after_ms, 0)
            self.assert_alive(client)
            self.assertIn("sh prints no version", server.log())
            self.write("wreck", runtime("wreck", aliases="{ hulk }"))
            self.reload(server)
            self.wait_for(client, "wreck")
            self.assert_says("hello of main.sh\n", client, "hulk")
            self.assertTrue(client.status().ready)
            self.assert_shows_readiness(server, 0, "ready")
        self.assertEqual(1, server.log().count("wreck: broken: "))
        self.assertEqual(1, server.log().count("wreck: mended"))

    def test_it_is_tried_again(self):
        server = self.prepare(PYTHON + "language wreck { warm = 1 }\n", {"wreck": self.WRECK}).start()
        wait_until(lambda: len(re.findall(r"the zygote for wreck \(generation \d+\) exited", server.log())) >= 5,
                   what="five tries")
        with server.connect() as client:
            self.assertFalse(client.status().ready)
            self.assert_alive(client)

    def test_a_library_that_can_not_be_loaded_is_no_other_languages_trouble(self):
        server = self.prepare(PYTHON + "language torn { warm = 1 }\n")
        # A directory of programs like the build's, with one file more that only looks like a
        # plug-in.
        programs = server.dir / "bin"
        programs.mkdir()
        for name in ("hatcheryd", "hatchery-init", "hatchery-lang-python.so"):
            shutil.copy(BUILD / name, programs / name)
        (programs / "hatchery-lang-torn.so").write_bytes(b"\x7fELF, but not really")
        server.command[0] = str(programs / "hatcheryd")
        server.start()
        with server.connect() as client:
            self.assertFalse(client.status().ready)
            self.assertEqual("UNAVAILABLE", self.refusal(client, "torn").code)
            self.assert_alive(client)
        check = subprocess.run([server.command[0], "--check-host"], capture_output=True, text=True, timeout=120,
                               check=False)
        self.assertRegex(check.stdout, r"FAIL  language torn .*hatchery-lang-torn|FAIL  language torn .*loading")
        self.assertRegex(check.stdout, r"ok    language python ")
        # The package that lua needs may be installed already, so the message names none.
        self.assertRegex(check.stdout, r"absent language lua +hatchery-lang-lua.so was not built: that takes liblua5.4-dev\n")
        self.assertEqual(1, check.returncode)

    def test_where_nothing_comes_up_it_gives_up(self):
        server = self.prepare("language wreck { warm = 1 }\n", {"wreck": self.WRECK})
        done = subprocess.run(server.command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("giving up", done.stderr)
        self.assertEqual("", done.stdout)


class Tried(WithLanguages):
    def test_what_a_zygote_tries_ahead_dies_with_it(self):
        # The language's program is never ready and reads nothing, so it would not notice the end of
        # its parent.
        server = self.prepare()
        server.start()
        self.write("slow", runtime("slow", kind="prestarted", warm='{ sleep, "600" }'))
        self.configure(server, PYTHON + "language slow { warm = 1 }\n")
        self.reload(server)

        def sleepers():
            return [process for process in server.processes() if process.name == "sleep" and process.is_alive()]
        [tried] = wait_until(sleepers, what="a program that is tried")
        os.kill(tried.parent, signal.SIGKILL)
        wait_until(lambda: not tried.is_running(), what="the end of what was tried")
        # The next zygote starts the program, too, and hears nothing from it: the server would wait
        # for that zygote until the end of draining.
        [tried] = wait_until(sleepers, what="the next try")
        family = server.processes()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.log(), what="a server that stops")
        os.kill(tried.parent, signal.SIGKILL)
        server.ended(family)


class ComeAndGo(WithLanguages):
    def assert_all_is_served(self, client):
        """All languages that --check-host finds are warm and ready; absent ones are refused."""
        check = subprocess.run([str(HATCHERYD), "--check-host"], capture_output=True, text=True, timeout=120, check=True)
        there = re.findall(r"^ok    language (\S+)", check.stdout, re.MULTILINE)
        self.assertIn("python", there)
        self.assertIn("bash", there)
        rows = client.status().languages
        self.assertEqual(sorted(there), [row.name for row in rows])
        self.assertEqual([], [row.name for row in rows if not row.ready])
        self.assertTrue(client.status().ready)
        least = {row.name: row.warm_min for row in rows}
        self.assertGreaterEqual(least.pop("python"), 4)
        self.assertLessEqual(set(least.values()), {0, 1})
        for line in re.findall(r"^absent language .*", check.stdout, re.MULTILINE):
            name = line.split()[2]
            refused = self.refusal(client, name)
            self.assertEqual("NOT_FOUND", refused.code)
            if "apt-get" in line:
                self.assertIn(line[line.index("apt-get"):], refused.message)

    def test_without_a_section_all_is_served_and_a_file_and_a_signal_add_to_it(self):
        """Without a section all installed languages are served; a new language takes only a file and a signal"""
        server = self.prepare("").start()
        with server.connect() as client:
            self.assert_all_is_served(client)
            self.assertEqual([], [row.name for row in client.status().languages if row.required])
        with server.connect() as client, Load(server) as load:
            pool = server.pool_process().pid
            before = self.row(client, "python")
            self.assertEqual("NOT_FOUND", self.refusal(client, "greet").code)
            self.write("greet", runtime("greet", aliases="{ hail, python3, sh }", run='{ sh, "{entry}", salute, "{args}" }',
                                        env='{ "TONE=low" }', extensions="{ hello, sh, G }"))
            self.reload(server)
            row = self.wait_for(client, "greet")
            self.assertEqual(("1.2.3", ["hail", "python3", "sh"], ["hello", "sh", "G"], ["greet", "hail", "python3", "sh"]),
                             (row.version, list(row.aliases), list(row.extensions), list(row.interpreters)))
            self.assertEqual((["py", "pyw"], ["python", "python3", "py"]),
                             (list(before.extensions), list(before.interpreters)))
            # If two languages claim one extension, the log names it and the language that keeps it.
            # No two of Hatchery's own languages collide.
            said = re.findall(r"\w+ and \w+ are both called \w+|programs of \w+ and of \w+ both end in .\w+", server.log())
            self.assertEqual(["greet and bash are both called sh", "greet and python are both called python3",
                              "programs of greet and of bash both end in .sh"], sorted(said))
            self.assertIn("called python3: a request for it gets greet", server.log())
            self.assertEqual("greet", client.execute("", language="python3").language)
            self.assert_says("hello of main.sh salute a b\n", client, "hail", args=["a", "b"])
            self.assert_says("low\n", client, "greet", "echo $TONE")
            self.assertTrue(client.status().ready)
            after = self.row(client, "python")
            self.assertEqual(before.generation, after.generation)
            self.assertEqual(pool, server.pool_process().pid)
            wait_until(lambda: load.runs > 20 or load.problems, what="some runs")
        self.assertEqual([], load.problems)

    def test_one_that_goes_finishes_what_runs_and_refuses_what_waits(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 running = 1 }\n", {"greet": runtime("greet")}).start()
        with server.connect() as client, Load(server) as load:
            zygotes = {process.pid for process in server.zygote_processes()}
            running = client.send_execute(f"echo a\n{HOLD_SH}echo b", language="greet", limits=HELD)
            server.wait_held()
            waiting = client.send_execute("echo c", language="greet")
            wait_until(lambda: self.row(client, "greet").queued == 1, what="a request that waits")
            self.configure(server, PYTHON)
            self.reload(server)
            wait_until(lambda: self.names(client) == ["python"], what="a server of one language")
            self.assertEqual("NOT_FOUND", self.refusal(client, "greet").code)
            with self.assertRaises(Refused) as caught:
                client.result(waiting)
            self.assertEqual("NOT_FOUND", caught.exception.code)
            server.let_go()
            self.assertEqual(b"a\nb\n", client.result(running).stdout)
            wait_until(lambda: len(server.zygote_processes()) == 1, what="the end of its zygote")
            self.assertLess({process.pid for process in server.zygote_processes()}, zygotes)
            wait_until(lambda: not [path for path in server.cgroup_directories() if "/greet." in path],
                       what="the end of its cgroups")
            self.assertTrue(client.status().ready)
        self.assertEqual([], load.problems)

    def test_host_users_are_not_given_away_before_they_are_free(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 running = 1 }\n",
                              {"greet": runtime("greet"), "wave": runtime("wave")}).start()
        read = "awk '{ print $2 }' /proc/self/uid_map | head -n 1"
        with server.connect() as client:
            running = client.send_execute(f"{read}\n{HOLD_SH}", language="greet", limits=HELD)
            server.wait_held()
            self.configure(server, PYTHON + "language wave { warm = 1 running = 1 }\n")
            self.reload(server)
            self.wait_for(client, "wave")
            wave = int(client.execute(read, language="wave").stdout)
            server.let_go()
            greet = int(client.result(running).stdout)
            self.assertGreaterEqual(abs(wave - greet), 4096)
            # Now that greet's uids are clean, they may serve the next language.
            wait_until(lambda: len(server.zygote_processes()) == 2, what="the end of its zygote")
            wait_until(lambda: not [path for path in server.cgroup_directories() if "/greet." in path],
                       what="the end of its cgroups")
            self.write("bow", runtime("bow"))
            self.configure(server, PYTHON + "language wave { warm = 1 running = 1 }\nlanguage bow { warm = 1 }\n")
            self.reload(server)
            self.wait_for(client, "bow")
            bow = int(client.execute(read, language="bow").stdout)
            self.assertEqual(greet // 4096 * 4096, bow // 4096 * 4096)

    def test_one_that_is_gone_comes_back(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 }\n", {"greet": runtime("greet")}).start()
        with server.connect() as client, Load(server) as load:
            for round_ in range(4):
                running = client.send_execute(f"{HOLD_SH}echo b", language="greet", limits=HELD)
                server.wait_held()
                self.configure(server, PYTHON)
                self.reload(server)
                wait_until(lambda: self.names(client) == ["python"], what="its going")
                if round_ % 2:  # the language has ended; otherwise its last run goes on
                    server.let_go()
                    wait_until(lambda: len(server.zygote_processes()) == 1, what="the end of its zygote")
                self.configure(server, PYTHON + "language greet { warm = 1 }\n")
                self.reload(server)
                self.wait_for(client, "greet")
                self.assert_says("hello of main.sh\n", client, "greet")
                server.let_go()
                result = client.result(running)
                self.assertEqual(b"b\n", result.stdout, describe(result))
            wait_until(lambda: len(server.zygote_processes()) == 2, what="one zygote of each")
        self.assertEqual([], load.problems)

    def test_many_come_and_go_in_a_hurry(self):
        files = {f"tongue{i}": runtime(f"tongue{i}") for i in range(6)}
        server = self.prepare(PYTHON, files).start()
        with server.connect() as client, Load(server) as load:
            for round_ in range(10):
                wanted = [f"tongue{i}" for i in range(6) if (i + round_) % 3]
                self.configure(server, PYTHON + "".join(f"language {name} {{ warm = 1 running = 2 }}\n" for name in wanted))
                server.process.send_signal(signal.SIGHUP)
                time.sleep(0.05 * (round_ % 3))  # reloads come in quick succession
            wait_until(lambda: self.names(client) == ["python", *wanted], what="the last configuration")
            for name in wanted:
                self.wait_for(client, name)
                self.assert_says("hello of main.sh\n", client, name)
            wait_until(lambda: len(server.zygote_processes()) == 1 + len(wanted), what="one zygote of each")
        self.assertEqual([], load.problems)

    def test_a_changed_file_renews_its_zygote_alone(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 }\n", {"greet": runtime("greet")}).start()
        with server.connect() as client, Load(server) as load:
            first, python = self.row(client, "greet"), self.row(client, "python")
            self.write("greet", runtime("greet", env='{ "TONE=high" }', aliases="{ hail }"))
            self.reload(server)
            wait_until(lambda: self.row(client, "greet").generation > first.generation, what="the next generation")
            self.assert_says("high\n", client, "hail", "echo $TONE")
            self.write("greet", runtime("greet", "limits { output = 100 }", env='{ "TONE=high" }', aliases="{ hail }"))
            self.reload(server)
            code = "i=0; while [ $i -lt 100 ]; do echo 0123456789; i=$((i + 1)); done"
            wait_until(lambda: len(client.execute(code, language="greet").stdout) == 100, what="the new limit")
            second = self.row(client, "greet")
            self.assertEqual(first.generation + 1, second.generation)  # limits alone renew none
            self.assertEqual(python.generation, self.row(client, "python").generation)
        self.assertEqual([], load.problems)

    def test_a_broken_file_changes_nothing_and_is_named_with_its_line(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 }\n", {"greet": runtime("greet")}).start()
        with server.connect() as client:
            for text, words in ((runtime("greet", main_file=None), "runtime greet has no main_file"),
                                (runtime("greet", version=None), "line 6: runtime greet is exec and has no version"),
                                (runtime("greet", extensions="{ py }"), "main_file is main.sh, which ends in none of its"),
                                ("\n\nruntime greet {\n        nonsense = 1\n}\n", "greet.conf: line 4: no such option"),
                                (runtime("other"), "line 7: the runtime is called other, and its file is not: greet.conf")):
                self.write("greet", text)
                said = self.reload(server)
                self.assertIn("the configuration stays as it was", said)
                self.assertIn("greet.conf: line ", said)
                self.assertIn(words, said)
                self.assert_says("hello of main.sh\n", client, "greet")
            self.write("greet", runtime("greet"))
            os.mkfifo(self.folder / "pipe.conf")  # a process that opened it would wait for ever
            self.assertIn("pipe.conf is no plain file", self.reload(server))
            os.unlink(self.folder / "pipe.conf")
            self.configure(server, PYTHON + "language greet {\n        limits { wall = 2m }\n}\n")
            said = self.reload(server)
            self.assertIn("hatchery.conf: line 4: language greet: limits: wall is 120 s, over its ceiling", said)
            self.assertIn("stays as it was", said)
            self.configure(server, "language nothing { }\n")
            self.assertIn("there is no language to serve", self.reload(server))
            self.assertEqual(["python", "greet"], self.names(client))
            self.assert_alive(client)

    def test_a_pool_that_dies_knows_the_languages_of_now(self):
        server = self.prepare(PYTHON + "language greet { warm = 1 }\n",
                              {"greet": runtime("greet"), "wave": runtime("wave")}).start()
        with server.connect() as client:
            self.configure(server, PYTHON + "language wave { warm = 1 }\n")
            self.reload(server)
            self.wait_for(client, "wave")
        pool = server.pool_process()
        os.kill(pool.pid, signal.SIGKILL)
        wait_until(lambda: not host.Process(pool.pid).is_alive(), what="its end")

        def serves():
            try:
                with server.connect() as client:
                    return client.status().ready and self.names(client)
            except OSError:
                return False
        self.assertEqual(["python", "wave"], wait_until(serves, what="another pool"))
        with server.connect() as client:
            self.assert_says("hello of main.sh\n", client, "wave")


class Served(WithLanguages):
    def test_several_profiles_of_one_runtime_are_warm_side_by_side(self):
        server = self.prepare("language python-data { runtime = python warm = 1 preload = { fractions } }\n"
                              "language python { warm = 1 preload = { json } }\n"
                              "language greet { warm = 1 }\nlanguage greet-loud { runtime = greet warm = 1 }\n",
                              {"greet": runtime("greet", aliases="{ hail }")}).start()
        code = "import sys; print([m for m in ('json', 'fractions') if m in sys.modules])"
        with server.connect() as client:
            self.assertEqual("['fractions']\n", self.output_of(client, code, "python-data"))
            self.assertEqual("['json']\n", self.output_of(client, code, "python"))
            self.assertEqual("['json']\n", self.output_of(client, code, "py"))
            rows = {row.name: row for row in client.status().languages}
            self.assertEqual([], list(rows["python-data"].aliases))
            self.assertEqual(["python3", "py"], list(rows["python"].aliases))
            self.assertEqual((["hail"], []), (list(rows["greet"].aliases), list(rows["greet-loud"].aliases)))
            self.assertEqual("greet-loud", client.execute("", language="greet-loud").language)
            self.assert_says("hello of main.sh\n", client, "greet-loud")

    def output_of(self, client, code, language):
        result = client.execute(code, language=language)
        self.assert_exited(result)
        return result.stdout.decode()

    def test_a_runtime_can_be_in_the_main_file_and_the_last_word_counts(self):
        other = runtime("greet", env='{ "FROM=main" }')
        server = self.prepare(other + "language greet { warm = 1 }\n",
                              {"greet": runtime("greet", env='{ "FROM=file" }'),
                               "bash": runtime("bash", env='{ "FROM=operator" }')})
        server.config_path.write_text(server.config_path.read_text() + "language bash { warm = 1 }\n")
        server.start()
        with server.connect() as client:
            self.assert_says("main\n", client, "greet", "echo $FROM")
            self.assert_says("operator\n", client, "bash", "echo $FROM")

    def test_packages_of_the_operator_are_seen_where_they_are(self):
        server = self.prepare()
        packages = server.dir / "packages"
        (packages / "greet").mkdir(parents=True)
        (packages / "greet" / "word").write_text("hullo\n")
        (packages / "own").mkdir()
        (packages / "own" / "word").write_text("ahoy\n")
        self.write("greet", runtime("greet"))
        server.config_path.write_text(
            f"language_files = {{ {self.folder} }}\npackages = {packages}\nlanguage greet {{ warm = 1 }}\n"
            f"language sailor {{ runtime = greet packages = {packages}/own warm = 1 }}\n"
            f"language poor {{ runtime = greet packages = {packages}/none warm = 1 }}\n")
        server.start()
        code = "cat /hatchery/packages/word || echo none"
        with server.connect() as client:
            for name, word in (("greet", "hullo\n"), ("sailor", "ahoy\n"), ("poor", "none\n")):
                self.assertEqual(word, client.execute(code, language=name).stdout.decode())


class CheckHost(unittest.TestCase):
    def test_a_configuration_shows_its_own_languages(self):
        server = Server("CheckHost")
        self.addCleanup(lambda: [path.unlink() for path in server.dir.iterdir()] and server.dir.rmdir())
        server.config_path.write_text(runtime("ghost", needs="{ /nonexistent/ghost }", package="ghost-bin"))
        done = subprocess.run([str(HATCHERYD), "--check-host", "--config", str(server.config_path)], capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"absent language ghost +there is no /nonexistent/ghost; apt-get install ghost-bin\n")

    def test_a_missing_directory_of_files_is_an_error(self):
        server = Server("CheckHost")
        self.addCleanup(lambda: [path.unlink() for path in server.dir.iterdir()] and server.dir.rmdir())
        server.config_path.write_text("language_files = { /nonexistent }\n")
        done = subprocess.run([str(HATCHERYD), "--config", str(server.config_path)], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("language_files: open /nonexistent", done.stderr)


if __name__ == "__main__":
    unittest.main()
