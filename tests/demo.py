#!/usr/bin/python3
"""The demonstration: a server with the built-in configuration on free ports, and a handful of programs run on it.

Shows each command, its output and what its run used. Exits with 0 only if all programs behaved as they should.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def show(title, command, env, *, exit_code, out=None, words=()):
    """Runs one command and prints it as a user would see it. Returns true if the result was as expected."""
    print(f"\n\033[1m# {title}\033[0m" if sys.stdout.isatty() else f"\n# {title}")
    print("$", shlex.join(["hatchery", *command[1:]]), flush=True)
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    print(done.stdout, end="")
    print(done.stderr, end="")
    print(f"exit code {done.returncode}", flush=True)
    as_expected = (done.returncode == exit_code and (out is None or done.stdout == out)
                   and all(word in done.stderr for word in words))
    if not as_expected:
        print(f"!! expected exit code {exit_code}" + (f", output {out!r}" if out is not None else "")
              + (f", and in the messages {', '.join(words)}" if words else ""))
    return as_expected


def demonstrate(server, folder):
    hatchery = str(server.hatchery)
    env = {**os.environ, "HATCHERY_ADDR": server.address}
    run = [hatchery, "run", "--stats"]
    (folder / "prices.csv").write_text("apple,3\npear,4\nplum,5\n")
    total = ("import csv\n"
             "rows = list(csv.reader(open('prices.csv')))\n"
             "open('total.txt', 'w').write(str(sum(int(price) for _, price in rows)))\n"
             "print(len(rows), 'rows')")
    results = [
        show("a program, in a sandbox that was warm before the request came", [*run, "-e", "print(6 * 7)"], env,
             exit_code=0, out="42\n", words=["EXITED"]),
        show("a traceback, as python3 itself would print it", [*run, "-e", "def f(): return 1 / 0\n\nf()"], env,
             exit_code=1, words=["ZeroDivisionError: division by zero", "line 3, in <module>"]),
        show("a program that does not end", [*run, "--wall", "500ms", "-e", "import time\nwhile True: time.sleep(1)"], env,
             exit_code=124, words=["TIME_LIMIT"]),
        show("a program that wants too much memory", [*run, "--memory", "64M", "-e", "x = 'x' * (500 << 20)"], env,
             exit_code=137, words=["MEMORY_LIMIT"]),
        show("a file in, a file out", [*run, "--file", f"prices.csv={folder / 'prices.csv'}", "-e", total,
                                       "--collect", "*.txt", "--out", str(folder / "out")], env,
             exit_code=0, out="3 rows\n", words=["EXITED"]),
        show("no way out", [*run, "-e", "import socket\nsocket.create_connection(('127.0.0.1', 7070), 1)"], env, exit_code=1,
             words=["Address family not supported"]),
    ]
    total_path = folder / "out" / "total.txt"
    brought_back = total_path.read_text() if total_path.exists() else None
    print(f"\nout/total.txt holds {brought_back}")
    results.append(brought_back == "12")
    results += over_http(server.http)
    results.append(show("what the server has done so far", [hatchery, "status"], env, exit_code=0))
    return all(results)


def over_http(url):
    """Sends one request in each contract, and shows the output of a slow program as it comes. Returns the results."""
    if not shutil.which("curl"):
        print("\ncurl is not installed, so the requests over HTTP are left out")
        return []
    slow = "import time\nfor i in 1, 2, 3:\n    print(i, flush=True)\n    time.sleep(0.3)"
    return [
        curl("the same over HTTP, in Hatchery's own contract", f"{url}/v1/run",
             {"language": "python", "code": "print(6 * 7)"}, '"stdout":"42\\n"'),
        curl("as a client of snekbox asks", f"{url}/eval", {"input": "print(6 * 7)"}, '"stdout":"42\\n"'),
        curl("as a client of Piston asks", f"{url}/api/v2/execute",
             {"language": "python", "version": "*", "files": [{"content": "print(6 * 7)"}]}, '"output":"42\\n"'),
        curl("as a client of SandboxFusion asks", f"{url}/run_code", {"language": "python", "code": "print(6 * 7)"},
             '"stdout":"42\\n"'),
        curl("a slow program, as server-sent events", f"{url}/v1/run?stream=sse", {"language": "python", "code": slow},
             '"text":"3\\n"'),
    ]


def curl(title, url, body, expected):
    """Sends one request, and shows it and its answer. Returns true if the answer has the expected text."""
    command = ["curl", "-sN", "--json", json.dumps(body), url]
    print(f"\n\033[1m# {title}\033[0m" if sys.stdout.isatty() else f"\n# {title}")
    print("$", shlex.join(command), flush=True)
    said = ""
    with subprocess.Popen(["timeout", "60", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            said += line
    if not said.endswith("\n"):
        print()
    if expected not in said:
        print(f"!! expected {expected} in the answer")
    return expected in said


def main():
    # HATCHERY_BUILD tells the tests' server fixture which build to use. The generated messages are
    # in that build, too.
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve()
    os.environ["HATCHERY_BUILD"] = str(build)
    sys.path[:0] = [str(TESTS)]
    from run import generate_messages
    sys.path[:0] = [str(generate_messages(build))]
    from lib.server import HATCHERY, Server

    server = Server("demo", http=True)
    server.hatchery = HATCHERY
    print("$", "hatcheryd --listen 127.0.0.1:0 --listen unix:DIR/sock", flush=True)
    server.start()
    try:
        print("ready", *server.addresses, server.http)
        with tempfile.TemporaryDirectory() as folder:
            good = demonstrate(server, Path(folder))
    finally:
        server.stop()
    print("\nThe server has stopped, and nothing of it is left."
          + ("" if good else "\nNot everything went as it should: see the lines marked !!"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
