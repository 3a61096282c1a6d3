#!/usr/bin/python3
"""Runs the tests: every unit executable of a build, then every tests/*/test_*.py, each in a process of its own.

Unit tests and most modules run side by side, in one lane more than there are cores. A module's output is printed in one
piece when it is done. Modules that measure time run alone, after all others (lib/modules.py: ALONE). A progress line
shows how far the run is.

Prints one line per test, named as a sentence; skips with their reasons; at the end `N passed, N failed, N skipped`.
Exits with 0 only if something ran and nothing failed. A process that does not end within its hang guard is killed with
all its children and counts as a failure.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

from lib import modules  # noqa: E402
from lib.tap import Tally, run_tap, sentence  # noqa: E402

UNIT_GUARD = 600
MODULE_GUARD = 1500
PROGRESS_SECONDS = 20  # between two lines of progress, without a terminal

# The order of starts: first the tests whose subject no other test covers, then the languages. In each folder the
# longest modules start first, so that the run does not wait for a long module at its end.
FOLDERS = ("unit", "box", "wire", "http", "lang", "cpython", "house")
# The modules of wire that use Java, C++ and Go start one after the other. So each later module finds the prepared files
# of these languages.
LONGEST_FIRST = ("box/poison", "wire/languages", "wire/soak", "wire/faults", "wire/packages", "wire/compile",
                 "lang/streams", "lang/interpreter args", "lang/java", "lang/javascript", "lang/cpp", "lang/go", "lang/r")
# The order with `--short`. --minutes may leave out the last modules. First come forged, torn and flooding requests, and
# deaths of the server's processes. Then come the rest of wire, the languages that are plug-ins, and box.
SHORT_FIRST = ("wire/bad input", "wire/frames", "wire/streams", "wire/streams credit", "wire/lifecycle", "wire/faults", "wire/compile", "wire/fair",
               "wire/generations", "wire/survival", "wire/bounds", "wire/warm", "wire/stages", "wire/deaths", "box/forgery",
               "box/leftovers")

# `--short` leaves these folders out, and runs the short form of languages.
NOT_IN_SHORT = {"cpython": "CPython's own tests run in the release build",
                "house": "the benchmark, plots and layers are the same in each build"}
SHORT_ALL_THE_SAME = ("house/sanitizers",)


class Job:
    """A process of tests: one unit executable, or one module, or all modules that share servers."""

    def __init__(self, title, command, guard):
        self.title, self.command, self.guard = title, command, guard
        self.titles = [title]
        self.is_alone = False
        self.env = {}  # in addition to the variables that all jobs have

    def run(self, name_filter, env):
        tally = Tally(held_back=True)
        start = time.monotonic()
        self.cpu_seconds = run_tap(self.title, self.command, self.guard, tally, name_filter, {**env, **self.env})
        self.seconds = time.monotonic() - start
        return tally

    def skip(self, minutes):
        tally = Tally(held_back=True)
        self.seconds = self.cpu_seconds = 0
        for title in self.titles:
            tally.count("skip", title, f"not begun, because this machine is slow and {minutes} minutes have passed")
        return tally


def unit_jobs(build):
    return [Job(f"unit/{sentence(path.name)}", [str(path)], UNIT_GUARD)
            for path in sorted((build / "tests" / "unit").glob("test-*")) if path.is_file() and os.access(path, os.X_OK)]


def module_job(paths, name_filter):
    arguments = [argument for path in paths for argument in ("--module", str(path))]
    job = Job(modules.title(paths[0]), [sys.executable, str(TESTS / "run.py"), *arguments, *filter(None, [name_filter])],
              MODULE_GUARD * len(paths))
    job.titles = [modules.title(path) for path in paths]
    return job


def module_jobs(options, tally):
    """One process for each module, or for all modules that share servers; modules that are left out count as
    skipped."""
    shared, jobs = {}, []
    for path in sorted(path for path in TESTS.glob("*/test_*.py") if path.parent.name != "unit"):
        title, said = modules.title(path), modules.constants(path)
        reason = left_out(path, title, said, options)
        if reason:
            if options.name.lower() in title.lower():
                tally.count("skip", title, reason)
        elif "SHARED" in said:
            shared.setdefault(said["SHARED"], []).append(path)
        else:
            job = module_job([path], options.name)
            job.is_alone = "ALONE" in said
            jobs.append(job)
    return [*(module_job(paths, options.name) for paths in shared.values()), *jobs]


def left_out(path, title, said, options):
    """The reason why a module does not run this time; None: it runs."""
    if "LONG" in said and not options.all and not options.name:
        return f"only with --all, because {said['LONG']}"
    if options.short and path.parent.name in NOT_IN_SHORT and title not in SHORT_ALL_THE_SAME:
        return f"not with --short: {NOT_IN_SHORT[path.parent.name]}"
    return None


def chosen(jobs, name):
    """The jobs to run: those of the modules whose title contains the name. If there is no such module, all jobs run,
    because the name may be a test's."""
    named = [job for job in jobs if any(name.lower() in title for title in job.titles)]
    return named or jobs


def place(job, options):
    """The job's place in the order of starts."""
    folder, name = job.title.split("/")
    if not options.short:
        rank = LONGEST_FIRST.index(job.title) if job.title in LONGEST_FIRST else len(LONGEST_FIRST)
        return FOLDERS.index(folder), len(job.titles) == 1, rank
    rank = next((rank for rank, title in enumerate(SHORT_FIRST) if title in job.titles), len(SHORT_FIRST))
    is_plugin = Path(options.build, f"hatchery-lang-{name.replace(' ', '-')}.so").exists()
    return folder != "unit", rank, folder != "wire", not is_plugin, FOLDERS.index(folder)


class Progress:
    """Shows how far the run is and which modules run: on a terminal in one line that changes, elsewhere by a line now
    and then."""

    def __init__(self, of, tally):
        self.of, self.done, self.tally, self.start = of, 0, tally, time.monotonic()
        self.running = []
        self.over = threading.Event()
        self.is_terminal = sys.stderr.isatty()
        self.ticker = threading.Thread(target=self.tick, daemon=True)

    def __enter__(self):
        self.ticker.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.ticker.join()
        self.clear()

    def tick(self):
        while not self.over.wait(1 if self.is_terminal else PROGRESS_SECONDS):
            seconds = int(time.monotonic() - self.start)
            line = (f"[{self.done} of {self.of}, {seconds // 60}:{seconds % 60:02d}; {self.tally.passed} passed, "
                    f"{self.tally.failed} failed; now {', '.join(list(self.running))}]")
            if self.is_terminal:
                print(f"\r\033[K{line[:os.get_terminal_size(sys.stderr.fileno()).columns - 1]}", end="", file=sys.stderr,
                      flush=True)
            else:
                print(line, flush=True)

    def clear(self):
        if self.is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def run_jobs(jobs, tally, options, env):
    end = time.monotonic() + options.minutes * 60

    def run(job):
        progress.running.append(job.title)
        late = time.monotonic() >= end and not job.title.startswith("unit/")  # unit tests take seconds, all together
        done = job.skip(options.minutes) if late else job.run(options.name, env)
        progress.running.remove(job.title)
        return done

    def finish(done):
        progress.clear()
        tally.add(done)
        progress.done += 1

    beside = sorted((job for job in jobs if not job.is_alone), key=lambda job: place(job, options))
    with Progress(len(jobs), tally) as progress:
        with ThreadPoolExecutor(options.lanes) as lanes:
            for future in as_completed([lanes.submit(run, job) for job in beside]):
                finish(future.result())
        for job in jobs:
            if job.is_alone:
                finish(run(job))
    if not options.name:
        slowest = sorted(jobs, key=lambda job: -job.seconds)[:12]
        print("longest:", ", ".join(f"{job.title} {job.seconds:.0f} s" for job in slowest))
        dearest = sorted(jobs, key=lambda job: -job.cpu_seconds)[:12]
        print(f"processor time {sum(job.cpu_seconds for job in jobs):.0f} s:",
              ", ".join(f"{job.title} {job.cpu_seconds:.0f} s" for job in dearest))


def generate_messages(build, source=ROOT / "proto" / "hatchery.proto"):
    """Makes hatchery_pb2.py for this build, by the system's protoc; a file newer than the .proto is kept."""
    folder = build / "python"
    folder.mkdir(exist_ok=True)
    target = folder / "hatchery_pb2.py"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["protoc", f"-I{source.parent}", f"--python_out={folder}", source.name], check=True)
    return folder


def install(build, folder):
    """The environment for tests of an installed tree (`cmake --install`). The tree is moved, since users may move
    it."""
    os.chmod(folder, 0o755)
    subprocess.run(["cmake", "--install", str(build), "--prefix", f"{folder}/made"], check=True, stdout=subprocess.DEVNULL)
    tree = Path(folder, "made").rename(Path(folder, "moved"))
    messages = generate_messages(tree, tree / "share" / "hatchery" / "hatchery.proto")
    return {"HATCHERY_PREFIX": str(tree), "PYTHONPATH": f"{TESTS}:{messages}"}


def environment(build):
    """The tests' environment: without settings of the caller's Python, and with sanitizers that report."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env.pop("HATCHERY_ADDR", None)
    env["HATCHERY_BUILD"] = str(build)
    env["PYTHONPATH"] = f"{TESTS}:{generate_messages(build)}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    env["HATCHERY_CORPORA"] = str(TESTS / "fuzz" / "corpus")
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    env["LSAN_OPTIONS"] = "print_suppressions=0"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    # A program in a sandbox has to die by its signal, as in a build without sanitizers. A fault of the server itself
    # still ends the server, and fails the test.
    env["ASAN_OPTIONS"] = ":".join((
        "handle_segv=0", "handle_sigbus=0", "handle_sigfpe=0", "handle_sigill=0", "handle_abort=0",
        # At a thread's end the sanitizer would unmap the thread's alternate stack, which belongs to an
        # interpreter.
        "use_sigaltstack=0",
        # A program that asks for too much memory gets an error and goes on, as in a build without sanitizers.
        "allocator_may_return_null=1"))
    return env


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="./dev test", description="Runs the tests of Hatchery.")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--module", type=Path, action="append", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help="with all that takes minutes and has never found a fault, and with a browser")
    parser.add_argument("--short", action="store_true",
                        help="unit, wire and box tests, and a short form of each language: what runs under the sanitizers in CI")
    parser.add_argument("--installed", action="store_true",
                        help="the tests of wire/ against an installed tree, made for them, instead of the build's")
    parser.add_argument("--record", action="store_true",
                        help="records what the commands of languages answer (lib/recorded.py)")
    parser.add_argument("--slow", action="store_true", help="with CPython's slow test modules")
    parser.add_argument("--lanes", type=int, default=(os.cpu_count() or 1) + 1,
                        help="processes of tests at one time: one more than there are cores, since tests often wait")
    parser.add_argument("--minutes", type=int, default=10_000,
                        help="begin none but unit tests after so many, and count the others as skipped: for CI, which is killed "
                             "on a slow machine")
    parser.add_argument("name", nargs="?", default="", help="run only tests whose line contains this")
    options = parser.parse_args()
    if options.module:
        return modules.run([path.resolve() for path in options.module], options.name)

    # Under a shell or nohup, background programs ignore these signals. The reference, plain python3, would then behave
    # differently.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    build = Path(options.build).resolve()
    if not build.is_dir():
        parser.error(f"there is no build tree {build}: run ./dev build")
    if options.record and (options.all or options.short):
        parser.error("--record is for the tests that run without --all and --short, which record nothing")
    env = environment(build)
    if options.record:
        env["HATCHERY_TEST_RECORD"] = "1"
    if options.short:
        env["HATCHERY_TEST_SHORT"] = "1"
    if options.all:
        env["HATCHERY_TEST_ALL"] = "1"
    if options.slow or options.all:
        env["HATCHERY_SLOW_TESTS"] = "1"
    tally = Tally()
    jobs = chosen([*unit_jobs(build), *module_jobs(options, tally)], options.name)
    with (tempfile.TemporaryDirectory(prefix="hatchery-installed-") as folder,
          tempfile.TemporaryDirectory(prefix="hatchery-test-prepared-") as prepared):
        env["HATCHERY_TEST_PREPARED"] = prepared
        if options.installed:
            of_installed = install(build, folder)
            for job in jobs:
                if any(title.startswith("wire/") for title in job.titles):
                    job.env = of_installed
        run_jobs(jobs, tally, options, env)
    if tally.failures:
        print("failed:", *tally.failures, sep="\n  ")
    print(tally.summary(), flush=True)
    return 0 if not tally.failed and (tally.passed or options.minutes == 0) else 1


if __name__ == "__main__":
    sys.exit(main())
