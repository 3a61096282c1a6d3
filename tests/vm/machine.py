#!/usr/bin/python3
"""Runs tests in a virtual machine, on Debian's stock kernel with cgroup version 2 alone.

If this machine has another kernel, or cgroup version 1, these tests show that hatcheryd also runs on the stock kernel.

QEMU emulates the processor, which is then 10 to 50 times slower than a real one. So there are few runs, and the guards
are patient. --kvm is for machines on which KVM works. A file /dev/kvm does not prove that: KVM may not work inside
another virtual machine. The tests' output comes through a serial port, and ends with
`N passed, N failed, N skipped`.
"""

import argparse
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import run as tests  # noqa: E402
from image import Disk, ImageError, Kernel, build_initramfs  # noqa: E402

BOOT_GUARD = 300
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def qemu_command(kernel, work, guard, memory_mb, kvm):
    # `timeout` ends the machine even if this process is killed before it can.
    return ["timeout", "-k", "10", str(guard + BOOT_GUARD),
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "pc", "-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "max",
            "-smp", "2", "-m", str(memory_mb),
            "-kernel", str(kernel.image), "-initrd", str(work / "initramfs"),
            "-append", "console=ttyS0 quiet panic=-1",
            "-drive", f"file={work / 'disk'},if=virtio,format=raw,cache=unsafe",
            "-serial", f"file:{work / 'console.log'}", "-serial", "stdio"]


def read_lines(process, deadline):
    """Yields the lines of the machine's output as they come, until the machine is off. deadline() returns the time
    until which to wait for the next line."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0, deadline() - time.monotonic())):
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in lines)


def end(process):
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue


def run_machine(command, guard):
    """Passes the machine's output on. Returns the last summary in that output, or None."""
    start = time.monotonic()
    summary, talked = None, False
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    # So that `end` also runs when this process gets SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for line in read_lines(process, lambda: start + (guard if talked else BOOT_GUARD)):
            if not talked:
                print(f"booted in {time.monotonic() - start:.1f} s", flush=True)
                talked = True
            match = SUMMARY.match(line)
            summary = match or summary
            if not match:
                print(line, flush=True)
        patience = guard if talked else BOOT_GUARD
        if time.monotonic() - start >= patience:
            print(f"the machine was stopped, because it was not done after {patience} s", flush=True)
    finally:
        end(process)
        process.stdout.close()
    return summary


def build(work, cache, build_tree, guest_arguments):
    start = time.monotonic()
    kernel = Kernel(cache)
    build_initramfs(kernel, work / "initramfs")
    tests.generate_messages(build_tree)  # here, since the machine has no protoc
    disk = Disk(work / "root")
    disk.add_system()
    disk.add_project(ROOT, build_tree)
    (disk.folder / "hatchery" / "arguments.json").write_text(json.dumps(guest_arguments))
    disk.write(work / "disk")
    print(f"Linux {kernel.version}; disk of {(work / 'disk').stat().st_blocks // 2048} MiB made in "
          f"{time.monotonic() - start:.1f} s", flush=True)
    return kernel


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="./dev test-vm",
                                     description="Tests on Debian's stock kernel with cgroup version 2 alone.")
    parser.add_argument("--build", default="build/release", help="the build tree to test")
    parser.add_argument("--guard", type=int, default=3600, help="give up after so many seconds (default: 3600)")
    parser.add_argument("--minutes", type=int, default=10_000,
                        help="begin no module after so many, and count it as skipped: for CI on a slow machine")
    parser.add_argument("--memory", type=int, default=2048, help="the machine's memory in MiB (default: 2048)")
    parser.add_argument("--kvm", action="store_true", help="run on the real processor, through /dev/kvm")
    parser.add_argument("--all", dest="scope", action="store_const", const="all", default="box",
                        help="the unit tests and the slow box tests as well")
    parser.add_argument("--quick", dest="scope", action="store_const", const="quick",
                        help="only tests/vm, without tests/box")
    parser.add_argument("--fetch", action="store_true", help="get the kernel, and do no more")
    parser.add_argument("name", nargs="?", default="", help="run only tests whose line contains this")
    options = parser.parse_args()

    build_tree = Path(options.build).resolve()
    work = build_tree / "vm"
    work.mkdir(parents=True, exist_ok=True)
    arguments = {"build": f"build/{build_tree.name}", "scope": options.scope, "name": options.name,
                 "minutes": options.minutes}
    try:
        if options.fetch:
            print(f"Linux {Kernel(build_tree.parent / 'vm-kernel').version}")
            return 0
        kernel = build(work, build_tree.parent / "vm-kernel", build_tree, arguments)
    except ImageError as error:
        print(f"test-vm: {error}", file=sys.stderr)
        return 1
    try:
        summary = run_machine(qemu_command(kernel, work, options.guard, options.memory, options.kvm), options.guard)
    finally:
        (work / "disk").unlink(missing_ok=True)
    if not summary:
        console = (work / "console.log").read_text(errors="replace").splitlines()
        print("the tests did not come to their end; the machine's console ends with", *console[-30:], sep="\n    ")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    print(summary.group(0))
    passed, failed, _ = map(int, summary.groups())
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
