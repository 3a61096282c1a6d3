"""Runs the cells of a notebook, one after the other, in one namespace. Hatchery's HTTP gateway starts it for /run_jupyter.

Standard input has one JSON object: `cells`, `mark`, `cell_us` (0: no limit of a cell), `total_us`. The gateway's
sandboxfusion_cells.c says what comes back on both outputs. A cell's failure does not stop the next one.
"""

import ast
import builtins
import io
import json
import linecache
import os
import signal
import sys
import time
import traceback
import types

LIMIT = 1_000_000      # bytes of standard output, with results: a little less than the limit of a run
RESERVE = 2_000        # bytes of LIMIT that are kept for the result of each later cell, up to a half of LIMIT
MOST_LINES = 40        # of a traceback
MOST_TEXT = 4_000      # of an error's own text
END_EARLY = 0.5        # seconds before the run's limit of time, in which the results go out
MIMES = (("text/html", "_repr_html_"), ("text/markdown", "_repr_markdown_"), ("text/latex", "_repr_latex_"),
         ("image/svg+xml", "_repr_svg_"), ("application/json", "_repr_json_"), ("image/png", "_repr_png_"),
         ("image/jpeg", "_repr_jpeg_"))


class CellTimeoutError(BaseException):
    """Not an Exception, so that a cell's `except Exception` does not catch it."""


class Output(io.RawIOBase):
    """One of the two outputs. What exceeds its share of the limit is thrown away, and the cell is marked as cut."""

    def __init__(self, fd):
        super().__init__()
        self.fd, self.left, self.cut = fd, 0, False

    def writable(self):
        return True

    def fileno(self):
        return self.fd

    def write(self, data):
        data = memoryview(data).cast("B")
        part = data[:max(0, self.left)]
        self.cut |= len(part) < len(data)
        self.left -= len(part)
        send(self.fd, part)
        return len(data)


def send(fd, data):
    while data:
        data = data[os.write(fd, data):]


def text_stream(output, errors):
    return io.TextIOWrapper(output, encoding="utf-8", errors=errors, line_buffering=True)


class Notebook:
    def __init__(self, job):
        self.cells, self.mark = job["cells"], job["mark"].encode()
        self.cell_seconds = job["cell_us"] / 1e6
        total = job["total_us"] / 1e6
        self.end = time.monotonic() + total - min(END_EARLY, total / 10)
        self.out, self.err = Output(1), Output(2)
        self.out_left = self.err_left = LIMIT
        self.display = []
        self.in_cell = False
        self.process = os.getpid()
        self.module = types.ModuleType("__main__")
        self.module.__dict__.update(__builtins__=builtins, display=self.show)
        sys.modules["__main__"] = self.module
        sys.stdout, sys.stderr = text_stream(self.out, "surrogateescape"), text_stream(self.err, "backslashreplace")
        sys.stdin = open(os.devnull, encoding="utf-8")
        sys.displayhook = self.show_last
        sys.argv = [""]

    # ------------------------------------------------------------ what a cell shows

    def show(self, *values, **_):
        for value in values:
            self.display.append(bundle(value))

    def show_last(self, value):
        if value is not None:
            builtins._ = value
            self.show(value)

    def show_figures(self):
        """Figures of matplotlib that are open at the end of a cell."""
        plot = sys.modules.get("matplotlib.pyplot")
        if not plot:
            return
        for number in plot.get_fignums():
            picture = io.BytesIO()
            figure = plot.figure(number)
            figure.savefig(picture, format="png", bbox_inches="tight")
            self.display.append({"image/png": base64_text(picture.getvalue()), "text/plain": repr(figure)})
            plot.close(figure)

    # ------------------------------------------------------------ one cell

    def execute(self, number, source):
        name = f"<cell {number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        tree = ast.parse(source, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
            last = ast.Expression(tree.body.pop().value)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.evaluate(compile(tree, name, "exec", flags, dont_inherit=True))
        if last is not None:
            self.show_last(self.evaluate(compile(last, name, "eval", flags, dont_inherit=True)))

    def evaluate(self, code):
        value = eval(code, self.module.__dict__)  # pylint: disable=eval-used
        if code.co_flags & 0x80:  # CO_COROUTINE: the cell awaits at its top level
            import asyncio  # pylint: disable=import-outside-toplevel
            if not hasattr(self, "loop"):
                self.loop = asyncio.new_event_loop()
            value = self.loop.run_until_complete(value)
        return value

    def on_alarm(self, *_):
        if self.in_cell:
            raise CellTimeoutError

    def run_guarded(self, number, source, seconds):
        """Runs a cell; returns its errors."""
        signal.signal(signal.SIGALRM, self.on_alarm)
        try:
            try:
                self.in_cell = True
                signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 0.2)
                self.execute(number, source)
                self.show_figures()
            finally:
                self.in_cell = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        except CellTimeoutError:
            what = "total_timeout was over" if time.monotonic() >= self.end else "the cell ran longer than cell_timeout"
            return [{"ename": "TimeoutError", "evalue": what, "traceback": []}]
        except BaseException as error:  # pylint: disable=broad-exception-caught
            return [describe(error)]
        return []

    def run_cell(self, number, source):
        left = self.end - time.monotonic()
        reserve = min(RESERVE * (len(self.cells) - number), LIMIT // 2)
        for output, room in ((self.out, self.out_left - reserve), (self.err, self.err_left)):
            output.left, output.cut = room, False
            send(output.fd, self.mark + b"B%d\n" % number)
        given = max(0, self.out.left), max(0, self.err.left)
        self.display = []
        errors = self.run_guarded(number, source, min(left, self.cell_seconds) if self.cell_seconds else left)
        if os.getpid() != self.process:
            os._exit(0)  # a child that the cell has forked and that came to the cell's end
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass  # the cell has replaced or closed it
        self.out_left -= given[0] - max(0, self.out.left)
        self.err_left -= given[1] - max(0, self.err.left)
        self.send_record(errors, self.out_left - reserve + RESERVE)

    def send_record(self, errors, room):
        cut = self.out.cut or self.err.cut
        for display, error in ((self.display, errors), (self.display[:1], errors), ([], errors),
                               ([], [{**one, "evalue": one["evalue"][:200], "traceback": []} for one in errors])):
            left_out = len(display) < len(self.display) or error is not errors
            record = as_json({"display": display, "error": error, "cut": cut or left_out})
            if record and len(record) <= room:
                break
        self.out_left -= len(record)
        send(1, self.mark + b"R" + record + b"\n")

    def run(self):
        for number, source in enumerate(self.cells):
            if time.monotonic() >= self.end:
                break
            self.run_cell(number, source)
        send(1, self.mark + (b"Ftime\n" if time.monotonic() >= self.end else b"Fend\n"))


# ------------------------------------------------------------ values


def as_json(record):
    """In UTF-8; a lone surrogate, which no JSON text may have, becomes a question mark. None: a value gave a
    JSON form of itself that is not valid JSON."""
    try:
        text = json.dumps(record, ensure_ascii=False, default=repr, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return None
    return text.encode("utf-8", "replace")


def base64_text(data):
    import base64  # pylint: disable=import-outside-toplevel
    return base64.b64encode(data).decode()


def bundle(value):
    """The forms of a value, by their MIME types."""
    forms = {}
    method = None if isinstance(value, type) else getattr(value, "_repr_mimebundle_", None)
    if callable(method):
        made = method(include=None, exclude=None)
        forms.update(made[0] if isinstance(made, tuple) else made or {})
    for mime, name in MIMES:
        method = None if isinstance(value, type) else getattr(value, name, None)
        made = method() if callable(method) else None
        if made is not None:
            forms.setdefault(mime, made[0] if isinstance(made, tuple) else made)
    forms.setdefault("text/plain", repr(value))
    return {str(mime): base64_text(made) if isinstance(made, bytes) else made for mime, made in forms.items()}


def describe(error):
    """An error with the frames from the cell's own on. A cell that can't be compiled has none."""
    frames = error.__traceback__
    while frames and not frames.tb_frame.f_code.co_filename.startswith("<cell "):
        frames = frames.tb_next
    try:
        text = str(error)
    except Exception:  # pylint: disable=broad-exception-caught
        text = "<the error has no text>"
    lines = "".join(traceback.format_exception(type(error), error, frames)).splitlines()
    if len(lines) > MOST_LINES:
        lines[MOST_LINES // 2:-MOST_LINES // 2] = ["..."]
    return {"ename": type(error).__name__, "evalue": text[:MOST_TEXT], "traceback": [line[:MOST_TEXT] for line in lines]}


def main():
    os.unlink(__file__)
    job = json.load(sys.stdin.buffer)
    os.environ.setdefault("MPLBACKEND", "agg")
    Notebook(job).run()
    os._exit(0)  # so threads and exit handlers of the cells do not delay the answer


main()
