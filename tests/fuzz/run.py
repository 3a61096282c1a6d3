#!/usr/bin/python3
"""Runs the fuzzers of a build, each for some seconds, on all cores, and prints the results.

Each fuzzer starts from its committed corpus (tests/fuzz/corpus/NAME) and from the inputs that
earlier runs found (BUILD/fuzz/NAME/found). An input that crashes is kept in BUILD/fuzz/NAME/crashes
and named. At the end it prints a table, the line coverage of the files that the fuzzers are for
(by corpora and found inputs), and `N passed, N failed, 0 skipped`. A fuzzer that crashed, hung or did
not run counts as failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MAX_LEN = 4096
END_GUARD = 120  # extra seconds for each fuzzer, to read the corpora on a busy machine
REPLAY_GUARD = 300
MERGE_GUARD = 1800

# The files whose line coverage is reported. Change this list together with the first comment of a fuzzer.
AIMS = [
    "client/address.c", "client/async_answers.c", "client/async_end.c", "client/async_stream.c", "client/base64.c",
    "client/characters.c", "client/hatchery.c", "client/inflow.c", "client/json.c", "client/json_status.c",
    "client/json_value.c", "client/options.c", "client/report.c", "client/text.c", "gateway/base64.c",
    "gateway/contracts/piston_limits.c", "gateway/contracts/piston_request.c", "gateway/contracts/piston_runtimes.c",
    "gateway/contracts/sandboxfusion_answer.c", "gateway/contracts/sandboxfusion_cells.c",
    "gateway/contracts/sandboxfusion_fields.c", "gateway/contracts/sandboxfusion_languages.c",
    "gateway/contracts/sandboxfusion_names.c", "gateway/contracts/sandboxfusion_request.c",
    "gateway/contracts/semver.c", "gateway/contracts/snekbox_files.c", "gateway/contracts/snekbox_repr.c",
    "gateway/contracts/snekbox_request.c", "gateway/contracts/snekbox_schema.c", "gateway/contracts/v1_fields.c",
    "gateway/contracts/v1_request.c", "gateway/guard.c", "gateway/http_chunked.c", "gateway/http_conn.c",
    "gateway/http_exchange.c", "gateway/http_head.c", "gateway/http_intake.c", "gateway/http_reply.c",
    "gateway/http_route.c", "gateway/json.c", "gateway/websocket.c", "pool/base/names.c", "pool/config/config.c",
    "pool/config/config_find.c", "pool/config/config_http.c", "pool/config/config_language.c",
    "pool/config/config_limits.c", "pool/config/config_runtime.c", "pool/config/config_text.c",
    "pool/config/config_value.c", "pool/config/flags.c", "pool/core/check.c", "pool/core/collector.c",
    "pool/native/inbox.c", "pool/native/reply.c", "proto/base/glob.c", "proto/base/limit.c", "proto/base/utf8.c",
    "proto/ipc/job.c", "proto/wire/answer.c", "proto/wire/answer_encode.c", "proto/wire/answer_language.c",
    "proto/wire/frame.c", "proto/wire/lz4.c", "proto/wire/pbspan.c", "proto/wire/request.c",
    "proto/wire/request_encode.c", "proto/wire/request_execute.c", "proto/wire/request_names.c",
    "zygote/init/collect_files.c",
]


class Fuzzer:
    def __init__(self, build, path):
        self.path = path
        self.name = path.name.removeprefix("fuzz-")
        self.corpus = HERE / "corpus" / self.name
        self.work = build / "fuzz" / self.name
        self.found = self.work / "found"
        self.crashes = self.work / "crashes"
        for folder in (self.found, self.crashes):
            folder.mkdir(parents=True, exist_ok=True)
        self.runs = self.seconds = self.edges = self.features = 0
        self.new = 0
        self.problem = None

    def corpora(self):
        """The folders of inputs. The committed inputs are read even if no input was found yet."""
        return [str(self.found), *([str(self.corpus)] if self.corpus.is_dir() else [])]

    def options(self):
        dictionary = HERE / "dict" / f"{self.name}.dict"
        return [f"-max_len={MAX_LEN}", "-timeout=25", "-rss_limit_mb=4096", "-malloc_limit_mb=1024",
                *([f"-dict={dictionary}"] if dictionary.exists() else [])]

    def call(self, arguments, guard, profile):
        environment = {**os.environ, "LLVM_PROFILE_FILE": str(profile), "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer",
                       "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
        log = self.work / "log"
        with open(log, "wb") as out:
            process = subprocess.Popen([str(self.path), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       env=environment, cwd=self.work)
            try:
                status = process.wait(guard)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = "a hang"
        return status, log.read_text(errors="replace")

    def fuzz(self, seconds):
        before = {path.name for path in self.found.iterdir()}
        start = time.monotonic()
        status, log = self.call([*self.options(), f"-max_total_time={seconds}", "-print_final_stats=1",
                                 f"-artifact_prefix={self.crashes}/", *self.corpora()], seconds + END_GUARD, "/dev/null")
        self.seconds = time.monotonic() - start
        self.new = len({path.name for path in self.found.iterdir()} - before)
        for number in re.findall(r"stat::number_of_executed_units:\s+(\d+)", log):
            self.runs = int(number)
        for edges, features in re.findall(r"cov: (\d+) ft: (\d+)", log):
            self.edges, self.features = int(edges), int(features)
        self.judge(status, log)
        if not self.problem and self.runs == 0:
            self.problem = "it ran nothing"
        return self

    def judge(self, status, log):
        if status == 0:
            return
        kept = re.search(r"Test unit written to (\S+)", log)
        what = re.search(r"(condition failed: .*|runtime error: .*|ERROR: .*)", log)
        self.problem = (f"ended with {status}: {what.group(1) if what else 'no reason given'}"
                        + (f"; the input is {kept.group(1)}" if kept else ""))
        print(f"--- {self.name}\n{log[-6000:]}---", flush=True)

    def replay(self, profile):
        """Runs every input once, to record the coverage. A crash counts here, too."""
        status, log = self.call([*self.options(), "-runs=0", *self.corpora()], REPLAY_GUARD, profile)
        self.judge(status, log)
        return self

    def merge(self):
        """Replaces the committed corpus by the smallest corpus that reaches the same code as all inputs."""
        fresh = self.work / "merged"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        status, log = self.call([*self.options(), "-merge=1", str(fresh), *self.corpora()], MERGE_GUARD, "/dev/null")
        self.judge(status, log)
        if not self.problem:
            shutil.rmtree(self.corpus, ignore_errors=True)
            shutil.copytree(fresh, self.corpus)
        return self


def add_seeds(build, fuzzers):
    """Copies the generated seeds to the found inputs, so that a merge reads the seeds, too."""
    messages = build / "python"
    messages.mkdir(exist_ok=True)
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={messages}", "hatchery.proto"], check=True)
    seeds = build / "fuzz" / "seeds"
    subprocess.run([sys.executable, str(HERE / "seeds.py"), str(seeds)], check=True,
                   env={**os.environ, "PYTHONPATH": str(messages), "PYTHONDONTWRITEBYTECODE": "1"})
    for fuzzer in fuzzers:
        for path in sorted((seeds / fuzzer.name).iterdir()):
            shutil.copy(path, fuzzer.found / path.name)


def line_coverage(build, fuzzers):
    """Prints how many lines of each file in AIMS the corpora reach, as llvm-cov counts them."""
    profiles = [fuzzer.work / "profile" for fuzzer in fuzzers]
    merged = build / "fuzz" / "profile"
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", str(merged),
                    *(str(path) for path in profiles if path.exists())], check=True)
    objects = [argument for fuzzer in fuzzers for argument in ("-object", str(fuzzer.path))][1:]
    report = subprocess.run(["llvm-cov", "report", f"-instr-profile={merged}", *objects,
                             *(str(ROOT / path) for path in AIMS)], check=True, capture_output=True, text=True).stdout
    print("\nlines of what is fuzzed:")
    for line in report.splitlines():
        words = line.split()
        # name, regions and missed regions, functions likewise, lines likewise
        if len(words) >= 10 and (words[0].endswith(".c") or words[0] == "TOTAL"):
            name = next((aim for aim in AIMS if aim.endswith("/" + Path(words[0]).name) and words[0] in aim), words[0])
            print(f"  {name:<45} {int(words[7]) - int(words[8]):5d} of {words[7]:>5}  {words[9]:>8}")


def table(fuzzers):
    print(f"\n{'fuzzer':<12} {'seconds':>8} {'runs':>12} {'runs/s':>8} {'edges':>6} {'features':>8} {'new':>5} {'crashes':>8}")
    for f in fuzzers:
        kept = len(list(f.crashes.iterdir()))
        print(f"{f.name:<12} {f.seconds:8.0f} {f.runs:12d} {f.runs / max(f.seconds, 0.001):8.0f} {f.edges:6d}"
              f" {f.features:8d} {f.new:5d} {kept:8d}")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="./dev fuzz", description="Runs the fuzzers.")
    parser.add_argument("--build", default="build/fuzz", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=60, help="for each fuzzer (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at one time (default: one per core)")
    parser.add_argument("--merge", action="store_true",
                        help="instead of fuzzing: reduce each corpus, the seeds and what was found to what is needed, and "
                             "put that into tests/fuzz/corpus")
    parser.add_argument("--no-lines", action="store_true", help="leave out the coverage of lines")
    parser.add_argument("name", nargs="?", default="", help="only fuzzers whose name contains this")
    options = parser.parse_args()
    build = options.build.resolve()
    paths = sorted(path for path in (build / "tests" / "fuzz").glob("fuzz-*") if os.access(path, os.X_OK))
    fuzzers = [Fuzzer(build, path) for path in paths if options.name in path.name.removeprefix("fuzz-")]
    if not fuzzers:
        parser.error(f"no fuzzer of {build} is called {options.name!r}")

    with ThreadPoolExecutor(options.jobs) as pool:
        if options.merge:
            add_seeds(build, fuzzers)
            for fuzzer in pool.map(Fuzzer.merge, fuzzers):
                inputs = list(fuzzer.corpus.iterdir())
                print(f"{fuzzer.name:<12} {len(inputs):5d} inputs, {sum(path.stat().st_size for path in inputs)} bytes")
        else:
            for fuzzer in pool.map(lambda fuzzer: fuzzer.fuzz(options.seconds), fuzzers):
                print(f"  {'FAIL' if fuzzer.problem else 'ok  '}  fuzz/{fuzzer.name}", flush=True)
            table(fuzzers)
        if not options.merge and not options.no_lines:
            list(pool.map(lambda fuzzer: fuzzer.replay(fuzzer.work / "profile"), fuzzers))
            line_coverage(build, fuzzers)

    failed = [fuzzer for fuzzer in fuzzers if fuzzer.problem]
    for fuzzer in failed:
        print(f"{fuzzer.name}: {fuzzer.problem}")
    print(f"{len(fuzzers) - len(failed)} passed, {len(failed)} failed, 0 skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
