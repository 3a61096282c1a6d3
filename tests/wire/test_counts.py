"""What GetStatus counts: results by status, refusals by code, the cache, buckets of times; and the limits that it tells."""

from lib.case import Case
from lib.hatchery import pb
from lib.server import HELD, HOLD, Server, wait_until

Status = pb.Result.Status
Code = pb.Error.Code

BOUNDS_US = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
             1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000]
FOREVER = "import time; time.sleep(60)"


class Counts(Case):
    """Every test has a server of its own, so the server counts only this test's requests."""

    CONFIG = ("language python { warm = 1 running = 1 }\nlanguage c { warm = 1 }\n"
              "max_queue = 2\nmax_in_flight = 4\n")

    def setUp(self):
        super().setUp()
        self.SERVER = Server(f"{type(self).__name__}.{self._testMethodName}", config=self.CONFIG)
        self.addCleanup(self.SERVER.stop)
        self.SERVER.start()

    def language(self, name="python"):
        return next(one for one in self.client.status().languages if one.name == name)

    def results(self, name="python"):
        return {Status.Name(row.status): row.count for row in self.language(name).results}

    def refusals(self):
        return {Code.Name(row.code): row.count for row in self.client.status().refusals}

    def test_each_run_is_counted_once_by_its_status(self):
        self.assertEqual(({}, {}), (self.results(), self.refusals()))
        for code in ("1", "1/0", "import os; os._exit(3)"):
            self.execute(code)
        self.execute("import os; os.kill(os.getpid(), 9)")
        self.execute(FOREVER, limits={"wall_us": 100_000})
        self.execute("print('x' * 99999)", limits={"output_bytes": 100})
        self.assertEqual({"EXITED": 3, "SIGNALED": 1, "TIME_LIMIT": 1, "OUTPUT_LIMIT": 1}, self.results())
        self.assertEqual(self.language().runs, sum(self.results().values()))
        self.assertEqual({}, self.refusals())

    def test_a_run_whose_client_is_gone_has_no_result(self):
        client = self.connect()
        client.send_execute(FOREVER)
        wait_until(lambda: self.language().running == 1, what="the run")
        client.close()
        wait_until(lambda: self.language().runs == 1, what="the end of the run")
        self.assertEqual(({}, {}), (self.results(), self.refusals()))

    def test_refusals_are_counted_wherever_they_come_from(self):
        self.assert_refused("NOT_FOUND", "cobol", self.client.execute, "1", language="cobol")
        self.assert_refused("INVALID_ARGUMENT", "wall", self.client.execute, "1", limits={"wall_us": -1})
        runs = self.client.send_execute(HOLD, limits=HELD)
        self.SERVER.wait_held()
        self.assert_refused("DEADLINE_EXCEEDED", "deadline", self.client.execute, "1", deadline_us=50_000)
        waiting = [self.client.send_execute("1") for _ in range(2)]
        self.assert_refused("RESOURCE_EXHAUSTED", "queue", self.client.execute, "1")
        other = self.connect()
        for _ in range(5):
            other.send_execute(FOREVER)  # some of these wait in the queue; the connection may have four in flight
        wait_until(lambda: self.refusals().get("RESOURCE_EXHAUSTED", 0) >= 4, what="refusals")
        other.close()
        for request in (*waiting, runs):
            self.client.cancel(request)
        self.SERVER.held.clear()
        wait_until(lambda: self.language().running == self.language().queued == 0, what="quiet")
        counted = self.refusals()
        self.assertEqual((1, 1, 1), tuple(counted[name] for name in ("NOT_FOUND", "INVALID_ARGUMENT",
                                                                     "DEADLINE_EXCEEDED")))
        self.assertEqual({"CANCELLED": 1}, self.results())

    def test_the_cache_is_counted(self):
        program = "int main(void) { return 0; }"
        for _ in range(3):
            self.assert_exited(self.execute(program, language="c"))
        self.execute("no program", language="c")
        language = self.language("c")
        self.assertEqual((2, 2), (language.cache_hits, language.cache_misses))
        self.assertEqual({"EXITED": 3, "COMPILE_ERROR": 1}, self.results("c"))

    def test_times_are_in_their_buckets(self):
        for seconds in (0.0, 0.06, 0.3):
            self.assert_exited(self.execute(f"import time; time.sleep({seconds})"))
        stages = {stage.name: stage for stage in self.language().stages}
        self.assertEqual([], list(stages["compile"].buckets))  # nothing was compiled
        for name in ("queue", "dispatch", "run", "drain"):
            buckets = stages[name].buckets
            bounds = [bucket.le_us for bucket in buckets]
            self.assertEqual(sorted(set(bounds) & set(BOUNDS_US)), bounds)
            counts = [bucket.count for bucket in buckets]
            self.assertEqual(sorted(set(counts)), counts)  # each bucket counts more than the one before
            self.assertEqual(3, counts[-1])

        def up_to(us):
            return max((bucket.count for bucket in stages["run"].buckets if bucket.le_us <= us), default=0)

        self.assertLessEqual(up_to(50_000), 1)
        self.assertLessEqual(up_to(250_000), 2)

    def test_the_limits_are_those_that_hold(self):
        language = self.language()
        result = self.execute(FOREVER, limits={"wall_us": 50_000, "cpu_us": language.max_limits.cpu_us})
        self.assert_status(result, "TIME_LIMIT")
        self.assert_refused("INVALID_ARGUMENT", "cpu", self.client.execute, "1",
                            limits={"cpu_us": language.max_limits.cpu_us + 1})
        code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
        self.assertEqual(f"{language.default_limits.open_files}\n".encode(), self.execute(code).stdout)
        for field in pb.Limits.DESCRIPTOR.fields:
            with self.subTest(field.name):
                self.assertLessEqual(getattr(language.default_limits, field.name),
                                     getattr(language.max_limits, field.name))
                self.assertGreater(getattr(language.default_limits, field.name), 0)
