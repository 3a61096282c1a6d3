"""States of the interpreter."""

import atexit
import builtins
import codecs
import collections
import copyreg
import datetime
import decimal
import encodings
import enum
import faulthandler
import functools
import gc
import importlib
import io
import itertools
import locale
import logging
import math
import random
import re
import socket
import string
import tempfile
import threading
import time
import tracemalloc
import types
import typing
import warnings

PRELOADED = (json, re, random, math, datetime, collections, itertools, functools, string, time, os, sys, typing, io, enum)


@state
class names_in_builtins:
    def poison():
        builtins.poison = 1
        builtins.sum = lambda *_: 42
        builtins.__dict__["print_was"] = builtins.print

    def probe():
        return sorted(vars(builtins)), sum([1, 2]), repr(builtins.sum)


@state
class names_in_modules:
    def poison():
        for module in PRELOADED:
            module.poison = 1
        math.pi = 3
        json.loads = lambda text: "poison"
        collections.Counter.poison = 1

    def probe():
        return [(module.__name__, sorted(vars(module))) for module in PRELOADED], json.loads("1"), math.pi, hasattr(
            collections.Counter, "poison")


@state
class loaded_modules:
    def poison():
        sys.modules["poison"] = sys
        sys.modules["this"] = math

    def probe():
        return sorted(sys.modules)


@state
class search_paths:
    def poison():
        sys.path.insert(0, "/poison")
        sys.path_importer_cache["/poison"] = None
        sys.meta_path.append(object)
        sys.path_hooks.append(len)

    def probe():
        names = [type(item).__name__ + getattr(item, "__name__", "") for item in sys.meta_path + sys.path_hooks]
        return sys.path, sorted(sys.path_importer_cache), names


@state
class hooks:
    def poison():
        sys.excepthook = sys.unraisablehook = sys.displayhook = print
        threading.excepthook = print
        sys.breakpointhook = print

    def probe():
        found = (sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook, sys.breakpointhook)
        return [getattr(hook, "__name__", "") for hook in found]


@state
class audit_hooks:
    def poison():
        sys.addaudithook(lambda event, arguments: setattr(sys, "heard", True) if event == "poison" else None)

    def probe():
        sys.audit("poison")
        return getattr(sys, "heard", False)


@state
class tracing:
    def poison():
        sys.setprofile(tracing.ignore)
        threading.setprofile(tracing.ignore)
        tracemalloc.start(3)
        faulthandler.enable(sys.__stderr__)

    def ignore(*_):
        return None

    def probe():
        found = (repr(sys.gettrace()), getattr(sys.getprofile(), "__name__", ""), tracemalloc.is_tracing(),
                 faulthandler.is_enabled(), getattr(threading.getprofile(), "__name__", ""))
        sys.setprofile(None)
        tracemalloc.stop()
        return found


@state
class limits_of_the_interpreter:
    def poison():
        sys.setrecursionlimit(777)
        sys.set_int_max_str_digits(5000)
        sys.setswitchinterval(0.5)
        threading.stack_size(1 << 20)
        sys.setdlopenflags(0x101)

    def probe():
        return (sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.getswitchinterval(), threading.stack_size(),
                sys.getdlopenflags())


@state
class garbage_collection:
    def poison():
        gc.set_threshold(11, 12, 13)
        gc.disable()
        gc.callbacks.append(print)
        gc.set_debug(0)

    def probe():
        return gc.get_threshold(), gc.isenabled(), len(gc.callbacks), len(gc.garbage), gc.get_debug()


@state
class warning_filters:
    def poison():
        warnings.simplefilter("error")
        warnings.showwarning = print

    def probe():
        return repr(warnings.filters), getattr(warnings.showwarning, "__name__", "")


@state
class codecs_and_errors:
    def poison():
        codecs.register(lambda name: codecs.lookup("utf-8") if name == "poison" else None)
        codecs.register_error("poison", codecs.ignore_errors)
        encodings.aliases.aliases["poison"] = "utf_8"

    def probe():
        def known(function, name):
            try:
                return bool(function(name))
            except LookupError:
                return False
        return known(codecs.lookup, "poison"), known(codecs.lookup_error, "poison"), "poison" in encodings.aliases.aliases


@state
class locales_and_time_zone:
    def poison():
        locale.setlocale(locale.LC_ALL, "C")
        os.environ["TZ"] = "XYZ-5"
        time.tzset()

    def probe():
        return locale.setlocale(locale.LC_ALL), time.tzname, time.timezone


@state
class environment:
    def poison():
        os.environ["POISON"] = "1"
        os.environ["PATH"] = "/poison"
        libc.putenv(ctypes.create_string_buffer(b"QUIET=1").raw.strip(b"\0"))

    def probe():
        with open("/proc/self/environ", "rb") as file:
            return sorted(os.environ.items()), quietly(file.read).decode(errors="replace").strip("\0")


@state
class functions_at_exit:
    def poison():
        for _ in range(3):
            atexit.register(print, "poison")

    def probe():
        return atexit._ncallbacks()


@state
class threads:
    def poison():
        for _ in range(2):
            threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        threading.current_thread().name = "poison"
        threads.local.poison = 1

    local = threading.local()

    def probe():
        return sorted(thread.name for thread in threading.enumerate()), threading.active_count(), vars(threads.local)


@state
class streams:
    def poison():
        sys.stdout = io.StringIO()
        sys.stderr = sys.stdin = None
        os.dup2(os.open("/dev/null", os.O_RDWR), 2)

    def probe():
        return (type(sys.stdout).__name__, type(sys.stderr).__name__, type(sys.stdin).__name__,
                os.readlink("/proc/self/fd/2").split(":")[0])


@state
class random_numbers:
    """A seed makes the numbers known: a generator seeded with 1 first gives 2."""
    def poison():
        random.seed(1)

    def probe():
        return random.getrandbits(60) == random.Random(1).getrandbits(60)


@state
class names_of_temporary_files:
    def poison():
        tempfile.tempdir = "/tmp/poison"
        os.makedirs("/tmp/poison", exist_ok=True)
        tempfile._name_sequence = iter(["poison"] * 100)

    def probe():
        return tempfile.mktemp().count("poison")


@state
class caches:
    def poison():
        re.compile("poison")
        re._cache["poison"] = 1
        copyreg.dispatch_table[complex] = print
        functools.WRAPPER_UPDATES = ()
        typing._cleanups.append(print)
        sys.intern("poison" * 3)
        importlib.import_module("linecache").cache["poison"] = 1

    def probe():
        return ("poison" in re._cache, repr(copyreg.dispatch_table.get(complex)), len(functools.WRAPPER_UPDATES),
                len(typing._cleanups), "poison" in getattr(sys.modules.get("linecache"), "cache", {}))


@state
class contexts:
    def poison():
        decimal.getcontext().prec = 3
        decimal.DefaultContext.prec = 3
        socket.setdefaulttimeout(3)
        logging.getLogger().addHandler(logging.NullHandler())
        logging.disable(50)

    def probe():
        return (decimal.getcontext().prec, decimal.DefaultContext.prec, socket.getdefaulttimeout(),
                len(logging.getLogger().handlers), logging.root.manager.disable)


@state
class the_main_module:
    def poison():
        main_module = sys.modules["__main__"]
        main_module.poison = types.SimpleNamespace(x=1)
        sys.argv.append("poison")
        sys.flags_were = sys.flags

    def probe():
        found = vars(sys.modules["__main__"])
        return "poison" in found, sys.argv[2:], hasattr(sys, "flags_were"), repr(sys.flags)


@state
class bytes_of_constants:
    """An integer object that all programs share, changed in memory."""
    def poison():
        ctypes.c_int.from_address(id(200) + 24).value = 199
        ctypes.c_int.from_address(id("") + 32)

    def probe():
        return ctypes.c_int.from_address(id(200) + 24).value
