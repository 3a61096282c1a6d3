"""States of processes: inherited settings, processes that keep running, and counters that keep their values."""

import resource
import signal
import subprocess
import time

RLIMITS = sorted((name, getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_"))
PR = {"dumpable": 3, "keep capabilities": 7, "securebits": 27, "timer slack": 30, "no new privileges": 39,
      "huge pages": 42, "seccomp": 21}


def status_of(pid="self"):
    try:
        with open(f"/proc/{pid}/status") as file:
            return dict(line.rstrip("\n").split(":", 1) for line in file)
    except OSError:
        return {"State": "?"}  # the process has ended meanwhile


def prctl_values():
    return {name: quietly(call, "prctl", number, 0, 0, 0, 0) for name, number in PR.items()}


def others():
    """The processes that are neither init nor this one."""
    return sorted(name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid()))


@state
class pid_counter:
    def poison():
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)

    def probe():
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return os.getpid(), pid, os.getppid()


def forever(ready):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ready()
    while True:
        time.sleep(100)


@state
class daemons:
    def poison():
        def twice(ready):
            os.setsid()
            if os.fork() == 0:
                os.setpgid(0, 0)
                forever(ready)
        forked(twice)
        forked(forever)
        subprocess.Popen(["/usr/bin/sleep", "1000"], start_new_session=True)

    def probe():
        return others()


@state
class stopped_and_traced_children:
    def poison():
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
        os.waitpid(pid, os.WUNTRACED)

    def probe():
        return sum(status_of(pid)["State"].strip()[0] in "tT" for pid in others())


@state
class unborn_children:
    """A chain of processes, none of which execs: each forks a child and ends a millisecond later."""
    def poison():
        def breed(ready):
            ready()
            while True:
                if quietly(os.fork) != 0:
                    time.sleep(0.001)
                    os._exit(0)
        forked(breed)

    def probe():
        return len(others())


@state
class rlimits:
    def poison():
        for name, number in RLIMITS:
            if name not in ("RLIMIT_NPROC", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_SIGPENDING"):
                soft, hard = resource.getrlimit(number)
                quietly(resource.setrlimit, number, (0 if soft < 1 << 20 else 1 << 20, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    def probe():
        return [(name, resource.getrlimit(number)) for name, number in RLIMITS]


@state
class nice:
    def poison():
        os.nice(7)

    def probe():
        return os.getpriority(os.PRIO_PROCESS, 0)


@state
class io_priority:
    refused = "the filter refuses ioprio_set"

    def poison():
        call("syscall", 251, 1, 0, 3 << 13)

    def probe():
        return quietly(call, "syscall", 252, 1, 0)


@state
class scheduler:
    def poison():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    def probe():
        return os.sched_getscheduler(0)


@state
class affinity:
    def poison():
        if len(os.sched_getaffinity(0)) < 2:
            raise OSError("one processor only")
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def probe():
        return sorted(os.sched_getaffinity(0))


@state
class out_of_memory_score:
    refused = "/proc is read-only"

    def poison():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")

    def probe():
        with open("/proc/self/oom_score_adj") as file:
            return file.read()


@state
class entries_of_proc:
    def poison():
        for name, text in (("timerslack_ns", "70000"), ("coredump_filter", "0x7f"), ("comm", "poison"), ("autogroup", "5")):
            try:
                with open("/proc/self/" + name, "w") as file:
                    file.write(text)
            except OSError as error:
                assert error.errno == errno.EROFS or not os.path.exists("/proc/self/" + name), error
        call("prctl", 15, b"poison", 0, 0, 0)  # PR_SET_NAME

    def probe():
        found = {}
        for name in ("timerslack_ns", "coredump_filter", "comm", "loginuid", "sessionid", "personality", "setgroups",
                     "cgroup", "mounts"):
            try:
                with open("/proc/self/" + name) as file:
                    found[name] = file.read()
            except OSError as error:
                found[name] = error.errno
        return found


@state
class prctl_settings:
    def poison():
        call("prctl", 29, 70000, 0, 0, 0)  # PR_SET_TIMERSLACK
        call("prctl", 41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
        call("prctl", 4, 0, 0, 0, 0)  # PR_SET_DUMPABLE

    def probe():
        found = prctl_values()
        call("prctl", 4, 1, 0, 0, 0)  # otherwise the next states can't read /proc/self
        return found


@state
class subreaper_and_death_signal:
    def poison():
        call("prctl", 36, 1, 0, 0, 0)
        call("prctl", 1, signal.SIGUSR1, 0, 0, 0)

    def probe():
        reaper, number = ctypes.c_int(), ctypes.c_int()
        call("prctl", 37, ctypes.byref(reaper), 0, 0, 0)
        call("prctl", 2, ctypes.byref(number), 0, 0, 0)
        return reaper.value, number.value


@state
class personality:
    refused = "the filter allows the usual personality only"

    def poison():
        call("personality", ctypes.c_ulong(0x0040000))  # ADDR_NO_RANDOMIZE

    def probe():
        return call("personality", ctypes.c_ulong(0xFFFFFFFF))


@state
class host_name:
    refused = "the filter refuses it"

    def poison():
        quietly(call, "setdomainname", b"poison", 6)
        call("sethostname", b"poison", 6)

    def probe():
        name = os.uname()
        return name.nodename, name.sysname


@state
class signals:
    def poison():
        for number in signal.valid_signals():
            if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})

    def probe():
        rows = status_of()
        return [rows[name].strip() for name in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd")]


@state
class timers:
    def poison():
        signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 1000, 1000)
        signal.setitimer(signal.ITIMER_VIRTUAL, 1000, 1000)
        room = ctypes.c_int()
        for _ in range(10):
            call("timer_create", 1, None, ctypes.byref(room))

    def probe():
        room = ctypes.c_int()
        call("timer_create", 1, None, ctypes.byref(room))
        with open("/proc/self/timers") as file:
            timers = len(file.read().splitlines())
        return signal.getitimer(signal.ITIMER_REAL)[1], signal.getitimer(signal.ITIMER_VIRTUAL)[1], timers


@state
class asynchronous_io:
    """The C library does asynchronous I/O in threads, which are still there after the calls."""
    def poison():
        class Aiocb(ctypes.Structure):
            _fields_ = [("fd", ctypes.c_int), ("opcode", ctypes.c_int), ("priority", ctypes.c_int),
                        ("buffer", ctypes.c_void_p), ("size", ctypes.c_size_t), ("event", ctypes.c_char * 64),
                        ("private", ctypes.c_char * 256)]
        asynchronous_io.kept = []
        reader, writer = os.pipe()
        for _ in range(4):
            buffer = ctypes.create_string_buffer(64)
            block = Aiocb(fd=reader, buffer=ctypes.addressof(buffer), size=64)
            asynchronous_io.kept.append((block, buffer))
            call("aio_read", ctypes.byref(block))

    def probe():
        time.sleep(0.001)
        return len(os.listdir("/proc/self/task"))


@state
class sessions_and_groups:
    def poison():
        # If the main process leads its session, it can't change its own group. So a child begins a
        # group.
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            time.sleep(100)
        while os.getpgid(pid) != pid:
            time.sleep(0.001)
        os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None
        os.umask(0)
        os.chdir("/tmp")

    def probe():
        mask = os.umask(0)
        os.umask(mask)
        return os.getpgid(0), os.getsid(0), mask, os.getcwd()


@state
class descriptors:
    def poison():
        for _ in range(5):
            os.open("/dev/null", os.O_RDONLY)

    def probe():
        return sorted(int(name) for name in os.listdir("/proc/self/fd"))


@state
class identity:
    unseen = "the user namespace maps no other user"

    def poison():
        for function, arguments in (("setuid", (0,)), ("setgid", (0,)), ("setgroups", (0, None)), ("capset", (None, None)),
                                    ("setfsuid", (1,)), ("prctl", (24, 0, 0, 0, 0))):
            quietly(call, function, *arguments)

    def probe():
        rows = status_of()
        return [rows[name].split() for name in rows if name.startswith(("Uid", "Gid", "Groups", "Cap", "NoNew", "Seccomp"))]
