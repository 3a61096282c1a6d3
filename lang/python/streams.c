/* Streams without buffers: see streams.h. The stream objects stay, since preloaded modules may refer to them. Each
 * object is initialised again, directly on its unbuffered file. */
#include "lang/python/modules.h"

#include "lang/python/streams.h"

#include <stdio.h>

/* Takes a text stream apart. Returns a new reference to the unbuffered file under it, or NULL with an exception. */
static PyObject *take_file(PyObject *stream)
{
        PyObject *buffer = PyObject_CallMethod(stream, "detach", NULL);
        PyObject *file = buffer ? PyObject_CallMethod(buffer, "detach", NULL) : NULL;
        Py_XDECREF(buffer);
        return file;
}

static PyObject *make_again(PyObject *stream, PyObject *file, PyObject *encoding, PyObject *errors)
{
        PyObject *init = PyObject_GetAttrString(stream, "__init__");
        PyObject *arguments = PyTuple_Pack(1, file);
        PyObject *options = Py_BuildValue("{s:O,s:O,s:s,s:O,s:O}", "encoding", encoding, "errors", errors, "newline",
                                          "\n", "line_buffering", Py_False, "write_through", Py_True);
        PyObject *done = init && arguments && options ? PyObject_Call(init, arguments, options) : NULL;
        Py_XDECREF(options);
        Py_XDECREF(arguments);
        Py_XDECREF(init);
        return done;
}

static void unbuffer(const char *name, const char *wanted)
{
        PyObject *stream = PySys_GetObject(name); /* borrowed */
        PyObject *encoding = stream ? PyObject_GetAttrString(stream, "encoding") : NULL;
        PyObject *errors = !encoding ? NULL
                           : wanted  ? PyUnicode_FromString(wanted)
                                     : PyObject_GetAttrString(stream, "errors");
        PyObject *file = errors ? take_file(stream) : NULL;
        PyObject *done = file ? make_again(stream, file, encoding, errors) : NULL;
        PyErr_Clear();
        Py_XDECREF(done);
        Py_XDECREF(file);
        Py_XDECREF(errors);
        Py_XDECREF(encoding);
}

void python_streams_unbuffer(const char *errors)
{
        unbuffer("__stdout__", errors);
        unbuffer("__stderr__", NULL);
        setvbuf(stdout, NULL, _IONBF, 0); /* C's stdout, which extensions may print to */
}

void python_streams_set_errors(const char *name, const char *errors)
{
        PyObject *stream = PySys_GetObject(name); /* borrowed */
        PyObject *function = stream && stream != Py_None ? PyObject_GetAttrString(stream, "reconfigure") : NULL;
        PyObject *none = function ? PyTuple_New(0) : NULL;
        PyObject *options = none ? Py_BuildValue("{s:s}", "errors", errors) : NULL;
        PyObject *done = options ? PyObject_Call(function, none, options) : NULL;
        PyErr_Clear();
        Py_XDECREF(done);
        Py_XDECREF(options);
        Py_XDECREF(none);
        Py_XDECREF(function);
}
