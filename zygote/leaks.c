/* What sanitizers need in a zygote: see leaks.h. */
#include "zygote/leaks.h"

#ifdef __SANITIZE_ADDRESS__

#include "zygote/slot.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>

/* The sanitizers call these two by their names. */
const char *__lsan_default_suppressions(void);
void __ubsan_on_report(void);

/* What is not told. It is compiled in because a file would not be found from the zygote's root.
 *
 * libpython: a zygote ends without Py_Finalize, so the interpreter's objects are still there, many of them reachable
 * only by addresses that carry tag bits. Only what libpython allocated, or was asked to allocate, is left out:
 * Hatchery's own memory is told, in the plug-in too. */
const char *__lsan_default_suppressions(void)
{
        return "leak:libpython3.11.so\n";
}

/* A variable of the process, because the function below is called without any context. */
static int report_fd = -1;

/* Called when UndefinedBehaviorSanitizer is about to report. Its library keeps a descriptor of its own, which its first
 * report puts back to standard error; on that way it closes AddressSanitizer's. */
void __ubsan_on_report(void)
{
        void *library = report_fd < 0 ? NULL : dlopen("libubsan.so.1", RTLD_NOW | RTLD_NOLOAD);
        void (*set_fd)(void *) = NULL;
        if (library)
                *(void **)&set_fd = dlsym(library, "__sanitizer_set_report_fd");
        if (set_fd)
                set_fd((void *)(intptr_t)report_fd); /* NOLINT(performance-no-int-to-ptr): it wants it so */
}

void leaks_report_to(int fd)
{
        int closable = fcntl(fd, F_DUPFD_CLOEXEC, fd);
        report_fd = fd;
        __sanitizer_set_report_fd((void *)(intptr_t)closable); /* NOLINT(performance-no-int-to-ptr): likewise */
}

/* The check starts a process that traces this one. The pid namespace of the last slot takes no process any more. */
void leaks_prepare(const struct log *log)
{
        struct err e = { 0 };
        if (slot_leave_namespace(&e) < 0)
                log_error(log, "looking for leaks: %s", e.text);
}

void leaks_keep(const void *state)
{
        __lsan_ignore_object(state);
}

#else

void leaks_report_to(int fd)
{
        (void)fd;
}

void leaks_prepare(const struct log *log)
{
        (void)log;
}

void leaks_keep(const void *state)
{
        (void)state;
}

#endif
