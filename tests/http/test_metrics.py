"""/metrics: the pool's numbers, in Prometheus' format, the same through each worker."""

import http.client
import subprocess
import time
import unittest
from urllib.parse import urlsplit

from lib.case import Case, ServerModule
from lib.hatchery import Code, Refused, Status
from lib.prometheus import Metrics, need
from lib.scale import patience
from lib.server import wait_until
from lib.servers import WithServers

SERVER = ServerModule(__name__, config="language python { warm = 2 }\nlanguage bash { warm = 1 required = no }\n"
                      "language nowhere { required = no }\n", http=True)
FRESH = 1.1  # seconds after which a worker asks the pool again
CONNECTIONS = 30  # so many reach each of three workers
# A program for each ending, and the limits under which it ends so.
ENDINGS = {
    "EXITED": ("print(1)", {}),
    "SIGNALED": ("import os; os.kill(os.getpid(), 11)", {}),
    "TIME_LIMIT": ("import time; time.sleep(60)", {"wall_us": 200_000}),
    "CPU_LIMIT": ("while True: pass", {"cpu_us": 100_000}),
    "MEMORY_LIMIT": ("x = b'1' * (1 << 28)", {"memory_bytes": 64 << 20}),
    "OUTPUT_LIMIT": ("print('x' * 100000)", {"output_bytes": 100}),
}


def setUpModule():
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()


def ask(url, path="/metrics", method="GET", connection=None):
    """One request, by default on a connection of its own. Returns the answer, and its text."""
    own = connection or http.client.HTTPConnection(urlsplit(url).netloc, timeout=patience(30))
    try:
        own.request(method, path)
        answer = own.getresponse()
        return answer, answer.read().decode()
    finally:
        if not connection:
            own.close()


def scrape():
    """The metrics, at most a moment old."""
    time.sleep(FRESH)
    return Metrics(ask(SERVER.http)[1])


class Text(Case):
    SERVER = SERVER

    def test_promtool_is_content(self):
        promtool = need(self, "promtool")
        self.output("print(1)")
        time.sleep(FRESH)
        done = subprocess.run([promtool, "check", "metrics"], input=ask(SERVER.http)[1], capture_output=True, text=True,
                              timeout=patience(60), check=False)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    def test_each_metric_has_its_help_and_its_type(self):
        metrics = scrape()
        self.assertEqual(metrics.types.keys(), metrics.helps.keys())
        self.assertEqual([], [name for name, text in metrics.helps.items() if not text.endswith(".")])
        for family, kind in metrics.types.items():
            self.assertEqual(kind == "counter", family.endswith("_total"), family)
        self.assertEqual(set(metrics.types) - {"hatchery_stage_seconds"}, set(metrics.family_of.values()) - {"hatchery_stage_seconds"})

    def test_the_answer_says_its_type_and_is_kept_by_nobody(self):
        answer, text = ask(SERVER.http)
        self.assertEqual(200, answer.status)
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", answer.headers["Content-Type"])
        self.assertEqual("no-store", answer.headers["Cache-Control"])
        self.assertEqual(str(len(text.encode())), answer.headers["Content-Length"])
        answer, text = ask(SERVER.http, method="HEAD")
        self.assertEqual((200, ""), (answer.status, text))
        self.assertGreater(int(answer.headers["Content-Length"]), 1000)
        answer, text = ask(SERVER.http, method="POST")
        self.assertEqual((405, "GET, HEAD, OPTIONS"), (answer.status, answer.headers["Allow"]))


class Numbers(Case):
    SERVER = SERVER

    def provoke(self):
        """Runs of each ending, and refusals."""
        for name, (code, limits) in ENDINGS.items():
            self.assert_status(self.execute(code, limits=limits), name)
        held = self.client.send_execute("import time; time.sleep(60)")
        wait_until(lambda: any(row.running for row in self.client.status().languages), what="the run")
        self.client.take(self.client.send(cancel={"request_id": held}), "cancelled")
        self.assert_status(self.client.result(held), "CANCELLED")
        self.assertEqual(b"2\n", self.execute("echo 2", language="bash").stdout)
        for language, limits in (("nowhere", {}), ("python", {"wall_us": 1 << 50})):
            with self.assertRaises(Refused):
                self.execute("print(1)", language=language, limits=limits)

    def test_they_are_those_of_the_status(self):
        """After runs of several endings, each number of /metrics is that of the native status"""
        before = scrape()
        self.provoke()
        self.SERVER.wait_idle()
        metrics, status = scrape(), self.client.status()
        for row in status.languages:
            self.check_language(row, metrics)
        for refusal in status.refusals:
            self.assertEqual(refusal.count, metrics.get("hatchery_refused_total", code=Code.Name(refusal.code)))
        self.assertEqual(1, metrics.get("hatchery_build_info", version=status.server_version))
        self.assertEqual(status.connections, metrics.get("hatchery_connections"))
        self.assertEqual(status.max_queued, metrics.get("hatchery_queue_limit"))
        self.assertEqual(status.max_held_bytes, metrics.get("hatchery_client_memory_limit_bytes"))
        self.assertAlmostEqual(status.started_at_us / 1e6, metrics.get("hatchery_start_time_seconds"), 5)
        self.assertAlmostEqual(time.time() - status.uptime_us / 1e6, status.started_at_us / 1e6, delta=patience(5))
        self.assertEqual((1, 0), (metrics.get("hatchery_ready"), metrics.get("hatchery_draining")))
        for name in (*ENDINGS, "CANCELLED"):
            self.assertEqual(1, metrics.get("hatchery_runs_total", language="python", status=name)
                             - before.get("hatchery_runs_total", language="python", status=name), name)
        for code in "NOT_FOUND", "INVALID_ARGUMENT":
            self.assertEqual(1, metrics.get("hatchery_refused_total", code=code) - before.get("hatchery_refused_total", code=code))

    def check_language(self, row, metrics):
        for name, value in {"queue_length": row.queued, "running_limit": row.max_running, "warm_target": row.warm_target,
                            "warm_min": row.warm_min, "warm_max": row.warm_max, "sandboxes_discarded_total": row.discarded,
                            "failures_total": row.failures, "cache_hits_total": row.cache_hits, "zygotes": row.zygotes,
                            "cache_misses_total": row.cache_misses, "generation": row.generation,
                            "language_ready": row.ready, "language_required": row.required,
                            "recycle_seconds_count": row.recycles}.items():
            self.assertEqual(value, metrics.get(f"hatchery_{name}", language=row.name), name)
        self.assertAlmostEqual(row.recycle_sum_us / 1e6, metrics.get("hatchery_recycle_seconds_sum", language=row.name))
        for state in "warm", "running", "preparing":
            self.assertEqual(getattr(row, state), metrics.get("hatchery_sandboxes", language=row.name, state=state))
        for result in row.results:
            self.assertEqual(result.count, metrics.get("hatchery_runs_total", language=row.name, status=Status.Name(result.status)))
        for stage in (one for one in row.stages if one.count):
            labels = {"language": row.name, "stage": stage.name}
            self.assertEqual(stage.count, metrics.get("hatchery_stage_seconds_count", **labels))
            self.assertAlmostEqual(stage.sum_us / 1e6, metrics.get("hatchery_stage_seconds_sum", **labels))
            for bucket in stage.buckets:
                self.assertEqual(bucket.count, metrics.get("hatchery_stage_seconds_bucket", le=f"{bucket.le_us / 1e6:.6f}".rstrip("0").rstrip("."),
                                                           **labels))
            self.assertEqual(stage.count, metrics.get("hatchery_stage_seconds_bucket", le="+Inf", **labels))

    def test_an_absent_language_is_told_as_not_ready(self):
        metrics = scrape()
        self.assertEqual(0, metrics.get("hatchery_language_ready", language="nowhere"))
        self.assertEqual(0, metrics.get("hatchery_language_required", language="nowhere"))
        self.assertEqual(["nowhere"], [row.name for row in self.client.status().absent])

    def test_they_are_the_same_through_each_worker(self):
        self.output("print(1)")
        self.SERVER.wait_idle()
        time.sleep(FRESH)
        self.assertEqual(3, len(self.SERVER.worker_processes()))
        texts = {ask(SERVER.http)[1] for _ in range(CONNECTIONS)}
        self.assertEqual(1, len(texts))

    def test_a_thousand_scrapes_disturb_nobody(self):
        """A thousand scrapes cost the pool nothing, because each worker asks the pool at most once a second"""
        pool, workers = self.SERVER.pool_process(), {process.pid for process in self.SERVER.worker_processes()}
        connection = http.client.HTTPConnection(urlsplit(SERVER.http).netloc, timeout=patience(30))
        self.addCleanup(connection.close)
        self.output("print(1)")
        before, began = ticks(pool), time.monotonic()
        for _ in range(1000):
            self.assertEqual(200, ask(SERVER.http, connection=connection)[0].status)
        took = time.monotonic() - began
        self.assertLess(ticks(pool) - before, 10 + 10 * took)  # a tenth of a processor; a status for each would be more
        self.assertEqual(workers, {process.pid for process in self.SERVER.worker_processes()})
        self.assertEqual("2\n", self.output("print(2)"))


def ticks(process):
    """Hundredths of a second of CPU time."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Listeners(WithServers):
    def test_a_listener_of_its_own(self):
        """A listener may serve metrics alone: beside them there is only health, and other listeners need not have them"""
        server = self.start(config="language python { warm = 1 }\ngateway_workers = 1\n"
                            "http { listen = { '127.0.0.1:0' } contracts = { v1 } }\n"
                            "http { listen = { '127.0.0.1:0' } contracts = { metrics } }\n"
                            "http { listen = { '127.0.0.1:0' } contracts = { health } }\n")
        paths = "/v1/status", "/metrics", "/readyz", "/livez"
        found = {url: tuple(ask(url, path)[0].status for path in paths) for url in server.https}
        self.assertEqual([(200, 404, 200, 200), (404, 200, 200, 200), (404, 404, 200, 200)], list(found.values()))


if __name__ == "__main__":
    unittest.main()
