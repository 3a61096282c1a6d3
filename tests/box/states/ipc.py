"""States of interprocess communication, of the network namespace and of the kernel's counts per user."""

import signal
import socket

KEY = 0x504F49
IPC_CREAT = 0o1000
SHM_STAT, MSG_STAT, SEM_STAT = 13, 11, 18
O_CREAT_RDWR = os.O_CREAT | os.O_RDWR


@state
class system_v_memory:
    def poison():
        number = call("shmget", KEY, 4096, IPC_CREAT | 0o666)
        call("shmget", 0, 4096, IPC_CREAT | 0o666)
        libc.shmat.restype = ctypes.c_void_p
        ctypes.memmove(libc.shmat(number, None, 0), b"poison", 6)

    def probe():
        room = ctypes.create_string_buffer(512)
        return quietly(call, "shmget", KEY, 0, 0), [quietly(call, "shmctl", i, SHM_STAT, room) for i in range(4)]


@state
class system_v_semaphores:
    def poison():
        number = call("semget", KEY, 3, IPC_CREAT | 0o666)
        call("semctl", number, 0, 16, 7)

    def probe():
        room = ctypes.create_string_buffer(512)
        return quietly(call, "semget", KEY, 0, 0), [quietly(call, "semctl", i, 0, SEM_STAT, room) for i in range(4)]


@state
class system_v_messages:
    def poison():
        number = call("msgget", KEY, IPC_CREAT | 0o666)
        call("msgsnd", number, b"\1\0\0\0\0\0\0\0poison", 6, 0)

    def probe():
        room = ctypes.create_string_buffer(512)
        return quietly(call, "msgget", KEY, 0), [quietly(call, "msgctl", i, MSG_STAT, room) for i in range(4)]


@state
class next_system_v_number:
    """Numbers go on from those of earlier objects."""
    def poison():
        for _ in range(5):
            call("shmctl", call("shmget", 0, 4096, IPC_CREAT | 0o600), 0, None)
            call("semctl", call("semget", 0, 1, IPC_CREAT | 0o600), 0, 0)
            call("msgctl", call("msgget", 0, IPC_CREAT | 0o600), 0, None)

    def probe():
        numbers = (call("shmget", 0, 4096, IPC_CREAT | 0o600), call("semget", 0, 1, IPC_CREAT | 0o600),
                   call("msgget", 0, IPC_CREAT | 0o600))
        call("shmctl", numbers[0], 0, None)
        call("semctl", numbers[1], 0, 0)
        call("msgctl", numbers[2], 0, None)
        return numbers


@state
class posix_message_queues:
    """The kernel counts their bytes per user, all programs of a slot are one user, and the kernel frees the queues of a
    dead namespace late. So the free room would reveal the previous run."""
    refused = "their limit is 0"

    def poison():
        call("mq_open", b"/poison", O_CREAT_RDWR, 0o666, None)

    def probe():
        return quietly(call, "mq_open", b"/poison", os.O_RDONLY)


@state
class posix_shared_memory:
    def poison():
        os.write(call("shm_open", b"/poison", O_CREAT_RDWR, 0o666), b"poison")

    def probe():
        return quietly(call, "shm_open", b"/poison", os.O_RDONLY)


def addresses():
    return [(kind, "\0poison-%d" % kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)]


def connects(kind, address):
    with socket.socket(socket.AF_UNIX, kind) as sock:
        return quietly(sock.connect, address)


@state
class abstract_sockets:
    def poison():
        def listen(ready):
            kept = [socket.socket(socket.AF_UNIX, kind) for kind, _ in addresses()]
            for sock, (kind, address) in zip(kept, addresses()):
                sock.bind(address)
                if kind != socket.SOCK_DGRAM:
                    sock.listen(64)
            ready()
            while True:
                call("pause")
        forked(listen)

    def probe():
        return [connects(*address) for address in addresses()]


@state
class sockets_in_flight:
    """A socket that only a message to itself holds is left to the kernel's garbage collector."""
    def poison():
        def hold(ready):
            kept = []
            for i in range(8):
                pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                named = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                named.bind("\0in-flight-%d" % i)
                named.listen(8)
                for sock, other in (pair, pair[::-1]):
                    socket.send_fds(sock, [b"x"], [sock.fileno(), other.fileno(), named.fileno()])
                named.close()
                kept.append(pair)
            ready()
            while True:
                call("pause")
        forked(hold)

    def probe():
        return [connects(socket.SOCK_STREAM, "\0in-flight-%d" % i) for i in range(8)]


@state
class counters_of_the_network_namespace:
    """Only unix sockets can be made, and they are listed; nothing can move the other counters."""
    def poison():
        def hold(ready):
            kept = [socket.socket(socket.AF_UNIX) for _ in range(5)]
            kept[0].bind("\0counted")
            ready()
            while True:
                call("pause")
        forked(hold)

    def probe():
        found = {}
        for top, _, names in os.walk("/proc/self/net"):
            for name in names:
                try:
                    with open(os.path.join(top, name)) as file:
                        found[name] = file.read()
                except OSError:
                    pass
        # Lines of sockets hold addresses and inode numbers, which the kernel assigns for the whole
        # machine: only the number of lines counts.
        for name in ("unix", "netlink"):
            found[name] = len(found.get(name, "").splitlines())
        for name in ("protocols", "sockstat", "softnet_stat"):
            found.pop(name, None)  # they count for the whole machine
        return found


@state
class keyrings:
    refused = "the filter does not know the calls"

    def poison():
        for special in (-3, -4, -5):
            quietly(call, "syscall", 248, b"user", b"poison", b"poison", 6, special)
        call("syscall", 248, b"user", b"poison", b"poison", 6, -4)

    def probe():
        return quietly(call, "syscall", 249, b"user", b"poison", None, -4), quietly(call, "syscall", 250, 0, -4, 1)


@state
class pending_signals:
    """The kernel counts them per user, too."""
    def poison():
        signal.pthread_sigmask(signal.SIG_BLOCK, range(signal.SIGRTMIN, signal.SIGRTMAX))
        for _ in range(20000):
            if isinstance(quietly(call, "sigqueue", os.getpid(), signal.SIGRTMIN + 1, 0), str):
                break

    def probe():
        with open("/proc/self/status") as file:
            rows = dict(line.split(":", 1) for line in file)
        return rows["SigQ"].split("/")[0].strip(), rows["SigBlk"], rows["ShdPnd"]


@state
class locked_memory:
    """The kernel counts it per user as well, and gives it back when it takes down the dead namespace: up to a third of
    a second later."""
    refused = "the filter refuses SHM_LOCK"

    def poison():
        call("shmctl", call("shmget", 0, 60 << 10, IPC_CREAT | 0o600), 11, None)

    def probe():
        number = call("shmget", 0, 60 << 10, IPC_CREAT | 0o600)
        locked = quietly(call, "shmctl", number, 11, None)
        call("shmctl", number, 0, None)
        return locked


@state
class pipe_buffers:
    """The kernel counts them per user, too: 64 MiB are enough for one such program, but not for
    two."""
    def poison():
        forked(lambda ready: (pipe_buffers.fill(), ready(), call("pause")))

    def fill():
        pipes = []
        for _ in range(40):
            pipes += os.pipe()
            quietly(lambda: __import__("fcntl").fcntl(pipes[-1], 1031, 1 << 20))
        return [__import__("fcntl").fcntl(end, 1032) for end in pipes[::2]]

    def probe():
        sizes = pipe_buffers.fill()
        os.closerange(3, 200)
        return sizes
