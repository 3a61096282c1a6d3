"""The memory of earlier programs."""

import mmap
import re
import socket

SIZE = 6 << 20
HALVES = b"\xa5POI", b"SON\x5a"
PATTERN = re.compile(rb"\xa5[P][O][I][S][O][N]\x5a")  # the code itself must not hold the word


def marks(data):
    return len(PATTERN.findall(data))


def deep(n):
    return deep(n - 1) if n else 0


@state
class own_memory:
    """All readable mappings: the heap, the stack, the data of libraries."""
    kept = []

    def poison():
        mark = HALVES[0] + HALVES[1]
        own_memory.kept.append(bytearray(mark * (SIZE // 8)))
        own_memory.kept += [mark * n for n in range(1, 200)]
        deep(500)

    def probe():
        found = 0
        with open("/proc/self/maps") as file:
            rows = [line.split() for line in file]
        with open("/proc/self/mem", "rb", 0) as memory:
            for row in rows:
                start, end = (int(part, 16) for part in row[0].split("-"))
                if "r" not in row[1] or row[-1] in ("[vvar]", "[vsyscall]") or end - start > 1 << 30:
                    continue
                try:
                    memory.seek(start)
                    for _ in range(start, end, 1 << 20):
                        part = memory.read(min(1 << 20, end - memory.tell()))
                        found += marks(part)
                        if found:
                            return "found"
                except OSError:
                    pass
        return "clean"


@state
class fresh_memory:
    """The kernel clears memory before a process gets it, even if another process used it before. The memory comes from
    mappings, from a larger heap, from files and from the queues of sockets."""
    def poison():
        own_memory.poison()
        mark = (HALVES[0] + HALVES[1]) * 512
        with open("/tmp/marks", "wb") as file:
            for _ in range(1024):
                file.write(mark)
        fresh_memory.kept = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for _ in range(8):
            fresh_memory.kept[0].send(mark)
        fresh_memory.file = open("/tmp/marks", "rb")

    def probe():
        found = 0
        fresh = mmap.mmap(-1, SIZE)
        found += SIZE - fresh[:].count(0)
        libc.malloc.restype = ctypes.c_void_p
        at = libc.malloc(ctypes.c_size_t(120 << 10))
        found += marks(ctypes.string_at(at, 120 << 10))
        libc.sbrk.restype = ctypes.c_void_p
        at = libc.sbrk(1 << 20)
        data = ctypes.string_at(at, 1 << 20)
        found += len(data) - data.count(0)
        with open("/tmp/sparse", "wb+") as file:
            file.truncate(4 << 20)
            os.posix_fallocate(file.fileno(), 0, 2 << 20)
            data = file.read()
            found += len(data) - data.count(0)
        file = getattr(fresh_memory, "file", None)
        found += marks(file.read()) if file else 0
        return found
