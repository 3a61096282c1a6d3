"""Each microsecond of a run belongs to a stage: the stages of Result and Status, and which work belongs to which."""

import statistics
import time

from lib.case import Case, describe
from lib.hatchery import HEADER, PLAIN, execute_message, pb
from lib.server import HELD, HOLD, Server, wait_until

OF_RUN = ["queue", "dispatch", "run", "drain", "collect"]
ALL = OF_RUN + ["teardown", "refill", "compile"]

# Children that stay behind: they ignore all signals that can be ignored, and hold memory to be
# freed.
LEAVES_CHILDREN = """
import os, signal, time
ready, says = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        memory = bytearray(2 << 20)
        os.write(says, b".")
        time.sleep(60)
for _ in range(20):
    os.read(ready, 1)
print("all are there")
"""


def of(result):
    """A result's stages, by name."""
    return {name: getattr(result.stages, name + "_us") for name in OF_RUN}


def total(result):
    return sum(of(result).values())


class WithServer(Case):
    """Every test has a server of its own, which counts only that test's runs."""

    CONFIG = "language python { warm = 2 }"

    def setUp(self):
        super().setUp()
        self.SERVER = Server(f"{type(self).__name__}.{self._testMethodName}", config=self.CONFIG)
        self.addCleanup(self.SERVER.stop)
        self.SERVER.start()
        self.results = []

    def execute(self, code=None, **arguments):
        result = super().execute(code, **arguments)
        self.results.append(result)
        return result

    def rows(self):
        """The status's stages, by name."""
        language = self.client.status().languages[0]
        self.assertEqual(ALL, [stage.name for stage in language.stages])
        return {stage.name: stage for stage in language.stages}


class Stages(WithServer):
    def test_before_the_first_run_there_are_all_stages_and_nothing_in_them(self):
        for name, stage in self.rows().items():
            self.assertEqual((0, 0, 0, 0, 0, 0),
                             (stage.count, stage.sum_us, stage.p50_us, stage.p90_us, stage.p99_us, stage.max_us), name)

    def test_the_stages_of_a_run_fit_between_request_and_answer(self):
        for code, arguments in (("print(1)", {}), ("", {"limits": {"memory_bytes": 64 << 20}}), ("1/0", {}),
                                ("open('f', 'w').write('x')", {"collect": ["*"]}),
                                ("import time; time.sleep(9)", {"limits": {"wall_us": 50_000}})):
            with self.subTest(code):
                before = time.monotonic_ns()
                result = self.execute(code, **arguments)
                took_us = (time.monotonic_ns() - before) / 1000
                self.assertTrue(result.HasField("stages"))
                self.assertLessEqual(total(result), took_us + 1)
                # The result's own times agree: queue_us is from arrival to hand-over, and wall_us is from hand-over to
                # the death of all processes.
                self.assertGreaterEqual(total(result), result.queue_us + result.wall_us)
                self.assertLessEqual(result.stages.queue_us, result.queue_us)
                self.assertLessEqual(result.stages.run_us, result.wall_us)

    def test_the_status_has_exactly_what_the_results_had(self):
        for i in range(12):
            self.execute("print(1)", collect=["*"] if i % 4 == 0 else None)
        rows = self.rows()
        for name in OF_RUN:
            times = [of(result)[name] for result in self.results]
            self.assertEqual(3 if name == "collect" else 12, rows[name].count, name)
            self.assertEqual(sum(times), rows[name].sum_us, name)
            self.assertEqual(max(times), rows[name].max_us, name)
            for share in (rows[name].p50_us, rows[name].p90_us, rows[name].p99_us):
                self.assertTrue(any(abs(share - t) <= t / 128 for t in times), f"{name}: {share} is none of {times}")
        self.assertEqual(12, self.client.status().languages[0].runs)

    def test_a_program_that_sleeps_does_so_in_run(self):
        result = self.execute("import time; time.sleep(0.4)")
        self.assert_exited(result)
        # The program may already run when the pool returns from the write of the job's last byte.
        self.assertGreaterEqual(result.stages.dispatch_us + result.stages.run_us, 400_000)
        self.assertGreater(result.stages.run_us, result.stages.dispatch_us)

    def test_run_ends_with_the_decision_to_kill(self):
        result = self.execute("import time; time.sleep(50)", limits={"wall_us": 200_000})
        self.assert_status(result, "TIME_LIMIT")
        self.assertGreaterEqual(result.stages.dispatch_us + result.stages.run_us, 200_000)
        self.assertGreater(result.stages.drain_us, 0)
        self.assertLess(result.stages.run_us, result.wall_us)

    def test_what_is_left_behind_dies_in_drain(self):
        alone = [self.execute("print('nobody else')") for _ in range(5)]
        crowd = [self.execute(LEAVES_CHILDREN) for _ in range(5)]
        for result in crowd:
            self.assert_exited(result)
            self.assertEqual(b"all are there\n", result.stdout, describe(result))
        self.assertGreater(statistics.median(result.stages.drain_us for result in crowd),
                           statistics.median(result.stages.drain_us for result in alone))

    def test_files_are_fetched_in_collect(self):
        without = self.execute("open('f', 'wb').write(b'x' * (4 << 20))")
        self.assertEqual((0, 0), (without.stages.collect_us, self.rows()["collect"].count))
        result = self.execute("open('f', 'wb').write(b'x' * (4 << 20))", collect=["f"])
        self.assertEqual(4 << 20, len(result.files[0].content))
        self.assertGreater(result.stages.collect_us, 0)
        row = self.rows()["collect"]
        self.assertEqual((1, result.stages.collect_us), (row.count, row.sum_us))

    def test_refusals_are_no_runs_and_abandoned_ones_are(self):
        self.assert_refused("NOT_FOUND", "cobol", self.client.execute, "1", language="cobol")
        client = self.connect()
        client.send_execute("import time; time.sleep(50)")
        wait_until(lambda: self.client.status().languages[0].running == 1, what="the run")
        client.close()
        row = wait_until(lambda: (lambda l: l if l.runs == 1 else None)(self.client.status().languages[0]),
                         what="the end of the run")
        self.assertEqual([1, 1, 1, 1, 0], [stage.count for stage in row.stages][:5])

    def test_a_cancelled_one_ran_until_then(self):
        request = self.client.send_execute(HOLD, limits=HELD)
        self.SERVER.wait_held()
        self.assertTrue(self.client.cancel(request))
        self.SERVER.held.clear()
        result = self.client.result(request)
        self.assert_status(result, "CANCELLED")
        self.assertGreater(result.stages.run_us, 0)
        self.assertLess(result.stages.run_us, result.wall_us)

    def test_a_slot_is_torn_down_and_refilled_for_the_next(self):
        for _ in range(6):
            self.execute("open('f', 'wb').write(b'x' * (1 << 20))")
        self.SERVER.wait_idle(connections=1)
        row = self.client.status().languages[0]
        stages = {stage.name: stage for stage in row.stages}
        self.assertGreater(stages["refill"].count, 0)
        self.assertLess(stages["refill"].count, 6)  # the first sandbox of a slot follows no other
        self.assertEqual(stages["refill"].count, stages["teardown"].count)
        self.assertGreater(stages["teardown"].sum_us, 0)
        # The recycle time begins with the order for the next sandbox. Only these two stages belong to the recycle time.
        self.assertGreaterEqual(stages["teardown"].max_us + stages["refill"].max_us, row.recycle_p99_us)


class OneAtATime(WithServer):
    CONFIG = "client_share = 100\nlanguage python { warm = 1\n running = 1 }"

    def send_together(self, *messages):
        """Sends all messages in one write, so that they arrive together. Returns the results in the same order."""
        ids, data = [], b""
        for message in messages:
            self.client.last_id += 1
            ids.append(self.client.last_id)
            frame = pb.ClientMessage(id=ids[-1], execute=message).SerializeToString()
            data += HEADER.pack(PLAIN, len(frame)) + frame
        self.client.send_bytes(data)
        return [self.client.result(i) for i in ids]

    def test_a_request_that_waits_does_so_in_queue(self):
        first, second = self.send_together(execute_message("import time; time.sleep(0.6)"), execute_message("print(1)"))
        self.assertGreaterEqual(second.stages.queue_us, 300_000)
        self.assertGreaterEqual(second.stages.queue_us + second.stages.dispatch_us, second.queue_us)
        self.assertLess(first.stages.queue_us, second.stages.queue_us)
        rows = self.rows()
        self.assertEqual(first.stages.queue_us + second.stages.queue_us, rows["queue"].sum_us)
