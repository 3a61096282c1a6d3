/* Streams with other settings: see streams.h. */
#include "lang/python/streams.h"

#include "lang/python/modules.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREPARED "hatchery.streams" /* list: for each row of variants, the stream, or None */
#define STRICT   "strict"

/* A standard stream with settings that are not those of the zygote's own. */
static const struct variant {
        const char *name;      /* in sys */
        const char *kept_name; /* in sys, too: the stream that Python itself made */
        int fd;
        bool is_unbuffered; /* as with -u: of standard input, this changes only what the stream says of itself */
        bool is_strict;
} variants[] = {
        { "stdin", "__stdin__", STDIN_FILENO, false, true },    { "stdin", "__stdin__", STDIN_FILENO, true, false },
        { "stdin", "__stdin__", STDIN_FILENO, true, true },     { "stdout", "__stdout__", STDOUT_FILENO, false, true },
        { "stdout", "__stdout__", STDOUT_FILENO, true, false }, { "stdout", "__stdout__", STDOUT_FILENO, true, true },
        { "stderr", "__stderr__", STDERR_FILENO, true, false },
};

enum { N_VARIANTS = sizeof variants / sizeof variants[0] };

static bool has_buffer(const struct variant *v)
{
        return v->fd == STDIN_FILENO || !v->is_unbuffered;
}

static PyObject *errors_of(PyObject *stream, const struct variant *v)
{
        return v->is_strict ? PyUnicode_FromString(STRICT) : PyObject_GetAttrString(stream, "errors");
}

/* make: the type io.TextIOWrapper, or the method __init__ of a stream. */
static PyObject *make_text(PyObject *make, PyObject *file, PyObject *encoding, PyObject *errors, bool is_unbuffered)
{
        PyObject *arguments = PyTuple_Pack(1, file);
        PyObject *options =
                Py_BuildValue("{s:O,s:O,s:s,s:O,s:O}", "encoding", encoding, "errors", errors, "newline", "\n",
                              "line_buffering", Py_False, "write_through", is_unbuffered ? Py_True : Py_False);
        PyObject *made = arguments && options ? PyObject_Call(make, arguments, options) : NULL;
        Py_XDECREF(options);
        Py_XDECREF(arguments);
        return made;
}

/* ---------------------------------------------------------------- in the zygote */

/* True for Python's own stream, if only sys refers to it, and only the stream to its buffer. So no preloaded module
 * misses it. */
static bool is_of_sys_alone(PyObject *stream)
{
        enum { OF_SYS = 2 }; /* under both of its names */
        PyObject *buffer = PyObject_GetAttrString(stream, "buffer");
        bool is_alone = buffer && strcmp(Py_TYPE(stream)->tp_name, "_io.TextIOWrapper") == 0 &&
                        Py_REFCNT(stream) == OF_SYS && Py_REFCNT(buffer) == 2; /* the stream's and ours */
        Py_XDECREF(buffer);
        PyErr_Clear();
        return is_alone;
}

/* Opens the descriptor once more, as Python opens it at its start. */
static PyObject *open_file(const struct variant *v, PyObject *name)
{
        PyObject *io = PyImport_ImportModule("io");
        PyObject *file = io ? PyObject_CallMethod(io, "open", "isiOOOO", v->fd, v->fd == STDIN_FILENO ? "rb" : "wb",
                                                  has_buffer(v) ? -1 : 0, Py_None, Py_None, Py_None, Py_False)
                            : NULL;
        PyObject *raw = !file ? NULL : has_buffer(v) ? PyObject_GetAttrString(file, "raw") : Py_NewRef(file);
        if (!raw || PyObject_SetAttrString(raw, "name", name) < 0)
                Py_CLEAR(file);
        Py_XDECREF(raw);
        Py_XDECREF(io);
        return file;
}

static PyObject *make_stream(PyObject *old, const struct variant *v)
{
        PyObject *name = PyObject_GetAttrString(old, "name"), *mode = PyObject_GetAttrString(old, "mode");
        PyObject *encoding = PyObject_GetAttrString(old, "encoding"), *errors = errors_of(old, v);
        PyObject *file = name && mode && encoding && errors ? open_file(v, name) : NULL;
        PyObject *stream = file ? make_text((PyObject *)Py_TYPE(old), file, encoding, errors, v->is_unbuffered) : NULL;
        if (stream && PyObject_SetAttrString(stream, "mode", mode) < 0)
                Py_CLEAR(stream);
        Py_XDECREF(file);
        Py_XDECREF(errors);
        Py_XDECREF(encoding);
        Py_XDECREF(mode);
        Py_XDECREF(name);
        return stream;
}

/* A new reference: to None, if the stream that Python made has to stay. NULL: a Python exception is set. */
static PyObject *prepare(const struct variant *v)
{
        PyObject *old = PySys_GetObject(v->name); /* borrowed */
        if (!old || old != PySys_GetObject(v->kept_name) || !is_of_sys_alone(old))
                return Py_NewRef(Py_None);
        return make_stream(old, v);
}

int python_streams_prepare(void)
{
        PyObject *list = PyList_New(N_VARIANTS);
        for (Py_ssize_t i = 0; list && i < N_VARIANTS; i++) {
                PyObject *stream = prepare(&variants[i]);
                if (stream)
                        PyList_SET_ITEM(list, i, stream);
                else
                        Py_CLEAR(list);
        }
        PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
        int r = list && dict ? PyDict_SetItemString(dict, PREPARED, list) : -1;
        Py_XDECREF(list);
        return r;
}

/* ---------------------------------------------------------------- in a child */

/* Takes a text stream apart. Returns a new reference to the unbuffered file under it, or NULL with an exception. */
static PyObject *take_file(PyObject *stream)
{
        PyObject *buffer = PyObject_CallMethod(stream, "detach", NULL);
        PyObject *file = buffer ? PyObject_CallMethod(buffer, "detach", NULL) : NULL;
        Py_XDECREF(buffer);
        return file;
}

/* Initialises the stream again, directly on its unbuffered file. */
static void unbuffer(PyObject *stream, const struct variant *v)
{
        PyObject *encoding = PyObject_GetAttrString(stream, "encoding");
        PyObject *errors = encoding ? errors_of(stream, v) : NULL;
        PyObject *init = errors ? PyObject_GetAttrString(stream, "__init__") : NULL;
        PyObject *file = init ? take_file(stream) : NULL;
        PyObject *done = file ? make_text(init, file, encoding, errors, true) : NULL;
        Py_XDECREF(done);
        Py_XDECREF(file);
        Py_XDECREF(init);
        Py_XDECREF(errors);
        Py_XDECREF(encoding);
}

static void configure(PyObject *stream, const struct variant *v)
{
        PyObject *errors = errors_of(stream, v);
        PyObject *function = errors ? PyObject_GetAttrString(stream, "reconfigure") : NULL;
        PyObject *none = function ? PyTuple_New(0) : NULL;
        PyObject *options = none ? Py_BuildValue("{s:O,s:O}", "errors", errors, "write_through",
                                                 v->is_unbuffered ? Py_True : Py_False)
                                 : NULL;
        PyObject *done = options ? PyObject_Call(function, none, options) : NULL;
        Py_XDECREF(done);
        Py_XDECREF(options);
        Py_XDECREF(none);
        Py_XDECREF(function);
        Py_XDECREF(errors);
}

/* Preloaded modules refer to the stream, so it is changed in place. */
static void change(const struct variant *v)
{
        PyObject *stream = PySys_GetObject(v->kept_name); /* borrowed */
        if (!stream || stream == Py_None)
                return;
        if (has_buffer(v))
                configure(stream, v);
        else
                unbuffer(stream, v);
        PyErr_Clear();
}

/* The stream that is replaced is not freed: that would cost page faults, and close the descriptor. It holds no text. */
static void replace(const struct variant *v, PyObject *stream)
{
        Py_XINCREF(PySys_GetObject(v->name));
        if (PySys_SetObject(v->name, stream) < 0 || PySys_SetObject(v->kept_name, stream) < 0)
                PyErr_Clear();
}

/* Puts a prepared stream in its place, if there is one. */
static void set(const struct variant *v)
{
        PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
        PyObject *list = dict ? PyDict_GetItemString(dict, PREPARED) : NULL;   /* borrowed */
        PyObject *stream = list ? PyList_GET_ITEM(list, v - variants) : Py_None;

        if (stream == Py_None)
                change(v);
        else
                replace(v, stream);
}

void python_streams_set(bool is_unbuffered, bool is_strict)
{
        for (size_t i = 0; i < N_VARIANTS; i++) {
                const struct variant *v = &variants[i];
                bool is_to_be_strict = is_strict && v->fd != STDERR_FILENO;
                if ((is_unbuffered || is_to_be_strict) && v->is_unbuffered == is_unbuffered &&
                    v->is_strict == is_to_be_strict)
                        set(v);
        }
        if (is_unbuffered)
                setvbuf(stdout, NULL, _IONBF, 0); /* C's stdout, which extensions may print to */
}
