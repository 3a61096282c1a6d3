"""The ends of a run: each status is caused on purpose, and tested at its border."""

from lib import host
from lib.case import Case, ServerModule, describe
from lib.server import sanitized_limits

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MIB = 1 << 20


class Exits(Case):
    SERVER = SERVER

    def test_exit_codes_arrive(self):
        for code in (0, 1, 2, 77, 127, 128, 137, 255):
            with self.subTest(code):
                self.assert_exited(self.execute(f"import sys; sys.exit({code})"), code)

    def test_an_immediate_exit_arrives(self):
        self.assert_exited(self.execute("import os; os._exit(9)"), 9)

    def test_the_run_ends_with_the_main_process(self):
        result = self.execute("import subprocess; subprocess.Popen(['sleep', '50']); print('main done')")
        self.assert_exited(result)
        self.assertEqual(b"main done\n", result.stdout)
        self.assertLess(result.wall_us, 6_000_000)


class Signals(Case):
    SERVER = SERVER

    def test_a_program_that_kills_itself_is_signaled(self):
        for number in (1, 2, 3, 6, 9, 10, 11, 13, 14, 15):
            with self.subTest(number):
                # The interpreter has handlers for SIGINT and SIGPIPE; this tests the default
                # action.
                result = self.execute(f"import os, signal\nif {number} != 9: signal.signal({number}, signal.SIG_DFL)\n"
                                      f"print('x', flush=True)\nos.kill(os.getpid(), {number})")
                self.assert_status(result, "SIGNALED")
                self.assertEqual((number, b"x\n"), (result.signal, result.stdout))

    def test_default_actions_are_in_place(self):
        for number in (9, 15):
            with self.subTest(number):
                result = self.execute(f"import os; os.kill(os.getpid(), {number})")
                self.assert_status(result, "SIGNALED")
                self.assertEqual(number, result.signal)

    def test_abort_is_sigabrt(self):
        result = self.execute("import os; os.abort()")
        self.assert_status(result, "SIGNALED")
        self.assertEqual(6, result.signal)

    def test_a_bad_pointer_is_sigsegv(self):
        result = self.execute("import ctypes; ctypes.string_at(1)")
        self.assert_status(result, "SIGNALED")
        self.assertEqual(11, result.signal)

    def test_the_alarm_kills(self):
        result = self.execute("import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(20)")
        self.assert_status(result, "SIGNALED")
        self.assertEqual(14, result.signal)

    def test_a_killed_child_is_the_programs_own_affair(self):
        result = self.execute("import subprocess, sys; p = subprocess.run(['sh', '-c', 'kill -9 $$']); print(p.returncode)")
        self.assert_exited(result)
        self.assertEqual(b"-9\n", result.stdout)


class Times(Case):
    SERVER = SERVER

    def test_a_sleeper_meets_the_wall_limit(self):
        result = self.execute("print('a', flush=True)\nimport time; time.sleep(60)", limits={"wall_us": 400_000})
        self.assert_status(result, "TIME_LIMIT")
        self.assertEqual(b"a\n", result.stdout)
        self.assertGreaterEqual(result.wall_us, 400_000)
        self.assertLess(result.cpu_us, 400_000)

    def test_a_program_can_not_put_off_its_end(self):
        code = "import signal, time\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n" \
               "while True: time.sleep(1)"
        self.assert_status(self.execute(code, limits={"wall_us": 300_000}), "TIME_LIMIT")

    def test_a_stopped_program_meets_the_wall_limit(self):
        self.assert_status(self.execute("import os; os.kill(os.getpid(), 19)", limits={"wall_us": 300_000}), "TIME_LIMIT")

    def test_a_loop_meets_the_cpu_limit(self):
        result = self.execute("while True: pass", limits={"cpu_us": 300_000})
        self.assert_status(result, "CPU_LIMIT")
        self.assertGreaterEqual(result.cpu_us, 300_000)

    def test_the_cpu_time_of_all_processes_counts(self):
        result = self.execute("import os\nfor _ in range(3): os.fork() or None\nwhile True: pass", limits={"cpu_us": 500_000})
        self.assert_status(result, "CPU_LIMIT")

    def test_the_cpu_time_of_dead_children_counts(self):
        code = "import os\nwhile True:\n    if os.fork() == 0:\n        for _ in range(300000): pass\n        os._exit(0)\n    os.wait()"
        self.assert_status(self.execute(code, limits={"cpu_us": 400_000}), "CPU_LIMIT")

    def test_one_microsecond_is_a_limit(self):
        result = self.execute("while True: pass", limits={"wall_us": 1})
        self.assert_status(result, "TIME_LIMIT")


class Memory(Case):
    SERVER = SERVER

    def test_too_much_memory_is_a_memory_limit(self):
        result = self.execute("print('a', flush=True)\nx = bytearray(300 << 20)", limits={"memory_bytes": 64 * MIB})
        self.assert_status(result, "MEMORY_LIMIT")
        self.assertTrue(result.oom_killed)
        self.assertEqual(b"a\n", result.stdout)
        self.assertLessEqual(result.memory_peak_bytes, 64 * MIB)

    def test_memory_below_the_limit_is_given(self):
        self.assert_exited(self.execute("x = b'x' * (80 << 20)"))
        self.assert_exited(self.execute("x = b'x' * (300 << 20)", limits={"memory_bytes": 400 * MIB}))

    def test_the_memory_of_all_processes_counts(self):
        code = "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n        x = b'x' * (20 << 20); time.sleep(5); os._exit(0)\n" \
               "for _ in range(6): os.wait()"
        result = self.execute(code, limits={"memory_bytes": 80 * MIB, "wall_us": 20_000_000})
        self.assert_status(result, "MEMORY_LIMIT")

    def test_files_count_as_memory(self):
        """Files in /tmp and /dev/shm can not hold more than the memory or disk limit"""
        for path in ("/tmp/x", "/dev/shm/x"):
            with self.subTest(path):
                result = self.execute(f"f = open('{path}', 'wb')\nfor _ in range(400): f.write(b'x' * (1 << 20))",
                                      limits={"memory_bytes": 64 * MIB})
                self.assertIn(result.status, (5, 7), describe(result))

    def test_a_limit_that_is_used_up_does_not_hurt_the_next_run(self):
        for _ in range(8):
            self.execute("x = b'x' * (300 << 20)", limits={"memory_bytes": 64 * MIB})
        for _ in range(8):
            result = self.execute("x = b'x' * (40 << 20)")
            self.assert_exited(result)
            self.assertFalse(result.oom_killed)


class Output(Case):
    SERVER = SERVER
    WRITE = "import os\ntotal = {total}\nwhile total: total -= os.write({fd}, b'0123456789'[:total] )\n"

    def write(self, total, fd=1, **arguments):
        return self.execute(self.WRITE.format(total=total, fd=fd) + "print('end', file=__import__('sys').stderr)" * (fd == 1),
                            **arguments)

    def test_output_over_the_limit_ends_the_run_with_the_first_bytes(self):
        for fd, name in ((1, "stdout"), (2, "stderr")):
            with self.subTest(name):
                result = self.write(100_000, fd, limits={"output_bytes": 1234})
                self.assert_status(result, "OUTPUT_LIMIT")
                self.assertEqual((b"0123456789" * 124)[:1234], getattr(result, name))
                self.assertTrue(getattr(result, name + "_truncated"))
                self.assertGreater(getattr(result, name + "_total"), 1234)

    def test_output_that_never_ends_is_ended(self):
        result = self.execute("while True: print('x' * 1000)")
        self.assert_status(result, "OUTPUT_LIMIT")
        self.assertEqual(1 * MIB, len(result.stdout))

    def test_truncated_output_keeps_the_first_bytes_and_runs_on(self):
        result = self.write(100_000, limits={"output_bytes": 1234}, on_output_limit="TRUNCATE")
        self.assert_exited(result)
        self.assertEqual((b"0123456789" * 124)[:1234], result.stdout)
        self.assertEqual((100_000, True, False), (result.stdout_total, result.stdout_truncated, result.stderr_truncated))
        self.assertEqual(b"end\n", result.stderr)

    def test_exactly_the_limit_is_no_excess(self):
        for mode in ("KILL", "TRUNCATE"):
            with self.subTest(mode):
                result = self.write(5000, limits={"output_bytes": 5000}, on_output_limit=mode)
                self.assert_exited(result)
                self.assertEqual((5000, 5000, False), (len(result.stdout), result.stdout_total, result.stdout_truncated))

    def test_one_byte_more_than_the_limit_is_an_excess(self):
        self.assert_status(self.write(5001, limits={"output_bytes": 5000}), "OUTPUT_LIMIT")
        self.assertTrue(self.write(5001, limits={"output_bytes": 5000}, on_output_limit="TRUNCATE").stdout_truncated)

    def test_each_stream_has_its_own_limit(self):
        code = "import os; os.write(1, b'a' * 900); os.write(2, b'b' * 900)"
        self.assert_exited(self.execute(code, limits={"output_bytes": 1000}))
        self.assert_status(self.execute(code, limits={"output_bytes": 1000}, merge_stderr=True), "OUTPUT_LIMIT")

    def test_the_largest_output_arrives_whole(self):
        result = self.execute("import os, sys; sys.stdout.buffer.write(b'abcdefgh' * (2 << 20))",
                              limits={"output_bytes": 16 * MIB})
        self.assert_exited(result)
        self.assertEqual(b"abcdefgh" * (2 << 20), result.stdout)

    def test_output_of_processes_left_behind_is_kept_up_to_the_end(self):
        code = "import os, subprocess, time; subprocess.Popen(['sh', '-c', 'echo child; : >said; sleep 50'])\n" \
               "while not os.path.exists('said'): time.sleep(0.005)\nprint('main')"
        self.assertEqual({b"child", b"main"}, set(self.execute(code).stdout.split()))


class Disk(Case):
    SERVER = SERVER

    def test_a_full_disk_is_a_disk_limit(self):
        result = self.execute("f = open('x', 'wb')\nfor _ in range(30): f.write(b'x' * (1 << 20)); f.flush()",
                              limits={"disk_bytes": 8 * MIB})
        self.assert_status(result, "DISK_LIMIT")
        self.assertEqual(1, result.exit_code)
        self.assertIn(b"No space left on device", result.stderr)

    def test_files_below_the_limit_fit(self):
        result = self.execute("open('x', 'wb').write(b'x' * (6 << 20))", limits={"disk_bytes": 8 * MIB})
        self.assert_exited(result)
        self.assertGreaterEqual(result.disk_bytes, 6 * MIB)

    def test_a_program_that_survives_a_full_disk_has_exited(self):
        code = "try:\n    open('x', 'wb').write(b'x' * (30 << 20))\nexcept OSError as e: print(e.errno)"
        result = self.execute(code, limits={"disk_bytes": 8 * MIB})
        self.assert_exited(result)
        self.assertEqual(b"28\n", result.stdout)

    def test_empty_files_can_not_fill_the_host(self):
        code = "import os\ntry:\n    for i in range(10_000_000): os.close(os.open(f'f{i}', os.O_CREAT))\nexcept OSError as e: print(e.errno)"
        result = self.execute(code, limits={"cpu_us": 60_000_000, "wall_us": 60_000_000})
        self.assertTrue(result.stdout == b"28\n" or result.status in (5, 7), describe(result))


class Counts(Case):
    SERVER = SERVER

    def test_processes_over_the_limit_are_refused_to_the_program(self):
        code = "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(30); os._exit(0)\n        n += 1\n" \
               "except OSError as e: print(n, e.errno)"
        result = self.execute(code, limits={"pids": 10})
        self.assert_exited(result)
        count, error = result.stdout.split()
        self.assertEqual(b"11", error)
        self.assertIn(int(count), range(5, 11))
        self.assertEqual(1, result.pids_denied)

    def test_what_is_usual_fits_into_the_usual_limits(self):
        """200 MB, 100 threads and 200 descriptors fit into the default limits"""
        code = "import os, threading\nb = threading.Barrier(101)\nfor _ in range(100): threading.Thread(target=b.wait).start()\nb.wait()\n" \
               "f = [os.open('/dev/null', 0) for _ in range(200)]\nprint(len(b'x' * 200_000_000))"
        result = self.execute(code, limits=sanitized_limits("python"))
        self.assert_exited(result)
        self.assertEqual((b"200000000\n", 0), (result.stdout, result.pids_denied))

    def test_refused_processes_are_the_runs_own(self):
        """A slot keeps its cgroup from run to run. There are enough runs for each slot to serve twice"""
        code = "import os, time\nfor _ in range(5):\n    try:\n        if os.fork() == 0: time.sleep(60)\n    except OSError: pass"
        for _ in range(12):
            self.assertEqual(4, self.execute(code, limits={"pids": 2}).pids_denied)
            self.assertEqual(0, self.execute(code, limits={"pids": 9}).pids_denied)

    def test_a_fork_bomb_stops_at_the_limit(self):
        before = len(host.processes())
        result = self.execute("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
                              limits={"pids": 50, "wall_us": 2_000_000})
        # The limit of wall time, CPU time, or (if one process needs much memory) memory ended the run.
        self.assertIn(result.status, (3, 4, 5), describe(result))
        self.assert_alive()
        self.assertLess(len(host.processes()), before + 40)

    def test_threads_count_as_processes(self):
        code = "import threading, time\ntry:\n    while True: threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n" \
               "except RuntimeError as e: print(threading.active_count())"
        result = self.execute(code, limits={"pids": 10})
        self.assert_exited(result)
        self.assertIn(int(result.stdout), range(5, 11))

    def test_descriptors_over_the_limit_are_refused_to_the_program(self):
        code = "import os\nn = 0\ntry:\n    while True: os.open('/dev/null', os.O_RDONLY); n += 1\nexcept OSError as e: print(n + 3, e.errno)"
        self.assertEqual("20 24\n", self.output(code, limits={"open_files": 20}))

    def test_a_program_can_not_raise_its_limits(self):
        code = "import resource\nfor name in ('NOFILE', 'CORE', 'NPROC'):\n    what = getattr(resource, 'RLIMIT_' + name)\n" \
               "    soft, hard = resource.getrlimit(what)\n    if hard == resource.RLIM_INFINITY: continue\n" \
               "    try: resource.setrlimit(what, (hard + 1, hard + 1))\n    except (ValueError, OSError): pass\n" \
               "    if resource.getrlimit(what) != (soft, hard): print('raised', name)"
        self.assertEqual("", self.output(code))

    def test_a_core_is_never_written(self):
        result = self.execute("import os; os.abort()", collect=["core*"])
        self.assertEqual([], list(result.files))
