/* Prints the value of a last expression: see echo.h. The compiler has a mode for this, "single", in which expressions
 * print their values. All earlier statements run in the usual mode, without printing. */
#include "lang/python/echo.h"

#include "proto/base/own.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static PyObject *read_source(const char *filename)
{
        OWN_FD int fd = open(filename, O_RDONLY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return NULL;
        PyObject *source = PyBytes_FromStringAndSize(NULL, st.st_size);
        if (source && read(fd, PyBytes_AS_STRING(source), (size_t)st.st_size) != st.st_size)
                Py_CLEAR(source);
        return source;
}

/* The syntax tree, in the form of the module ast. */
static PyObject *parse(const char *filename, PyObject *name)
{
        PyCompilerFlags flags = { .cf_flags = PyCF_ONLY_AST, .cf_feature_version = PY_MINOR_VERSION };
        PyObject *source = read_source(filename);
        const char *text = source ? PyBytes_AS_STRING(source) : NULL;
        PyObject *tree = text && strlen(text) == (size_t)PyBytes_GET_SIZE(source)
                                 ? Py_CompileStringObject(text, name, Py_file_input, &flags, -1)
                                 : NULL;
        Py_XDECREF(source);
        return tree;
}

/* Takes the last statement out of the tree, and makes a tree for the mode "single" from it; NULL if that statement is
 * not an expression. */
static PyObject *take_last(PyObject *tree)
{
        PyObject *ast = PyImport_ImportModule("_ast");
        PyObject *expression = ast ? PyObject_GetAttrString(ast, "Expr") : NULL;
        PyObject *body = PyObject_GetAttrString(tree, "body");
        Py_ssize_t n = body && PyList_Check(body) ? PyList_GET_SIZE(body) : 0;
        PyObject *taken = NULL;

        if (expression && n > 0 && PyObject_IsInstance(PyList_GET_ITEM(body, n - 1), expression) == 1) {
                PyObject *statements = PyList_GetSlice(body, n - 1, n);
                taken = statements ? PyObject_CallMethod(ast, "Interactive", "O", statements) : NULL;
                Py_XDECREF(statements);
                if (taken && PyList_SetSlice(body, n - 1, n, NULL) < 0)
                        Py_CLEAR(taken);
        }
        Py_XDECREF(body);
        Py_XDECREF(expression);
        Py_XDECREF(ast);
        return taken;
}

static PyObject *compile_tree(PyObject *tree, PyObject *name, const char *mode, long flags)
{
        PyObject *builtins = PyImport_ImportModule("builtins");
        PyObject *code =
                builtins ? PyObject_CallMethod(builtins, "compile", "OOsli", tree, name, mode, flags, 1) : NULL;
        Py_XDECREF(builtins);
        return code;
}

/* The flags of `from __future__ import`, which hold for the last statement too. */
static long future_flags(PyObject *code)
{
        PyObject *flags = PyObject_GetAttrString(code, "co_flags");
        long value = flags ? PyLong_AsLong(flags) : 0;
        Py_XDECREF(flags);
        return value < 0 ? 0 : value & PyCF_MASK;
}

int python_echo_compile(const char *filename, struct python_echo *out)
{
        PyObject *name = PyUnicode_DecodeFSDefault(filename);
        PyObject *tree = name ? parse(filename, name) : NULL;
        PyObject *last = tree ? take_last(tree) : NULL;

        *out = (struct python_echo){ 0 };
        if (last)
                out->body = compile_tree(tree, name, "exec", 0);
        if (out->body)
                out->last = compile_tree(last, name, "single", future_flags(out->body));
        if (!out->last)
                Py_CLEAR(out->body);
        PyErr_Clear();
        Py_XDECREF(last);
        Py_XDECREF(tree);
        Py_XDECREF(name);
        return out->last != NULL;
}

PyObject *python_echo_run(struct python_echo *echo, PyObject *globals)
{
        PyObject *result = PyEval_EvalCode(echo->body, globals, globals);
        if (result)
                Py_SETREF(result, PyEval_EvalCode(echo->last, globals, globals));
        Py_CLEAR(echo->body);
        Py_CLEAR(echo->last);
        return result;
}
