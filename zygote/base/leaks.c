/* Sanitizers in a zygote: see leaks.h. */
#include "zygote/base/leaks.h"

#ifdef __SANITIZE_ADDRESS__

#include <dlfcn.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>

/* The sanitizers call the first three by name. libphp calls dlopen. */
const char *__lsan_default_suppressions(void);
int __lsan_is_turned_off(void);
void __ubsan_on_report(void);
void *dlopen(const char *file, int mode);

/* Leaks that are not reported. The list is compiled in because the zygote's root has no such file.
 *
 * A zygote ends without taking its interpreter down, so the interpreter's objects are still there. Many of these are
 * reachable only from mapped heaps, or by addresses that carry tag bits or are compressed. The list covers only memory
 * that these libraries allocated, for themselves or for a caller. Leaks of Hatchery's own memory are reported, in the
 * plug-ins too. */
const char *__lsan_default_suppressions(void)
{
        return "leak:libphp.so\n"
               "leak:libpython3.11.so\n"
               "leak:libruby-\n"
               "leak:libswipl.so\n";
}

/* Variables of the process, because the functions below are called without any context. */
static int report_fd = -1;
static bool is_sandbox;

/* The sanitizer calls this when a process ends by exit(). Some runtimes end a program in this way. */
int __lsan_is_turned_off(void)
{
        return is_sandbox;
}

void leaks_off(void)
{
        is_sandbox = true;
}

/* AddressSanitizer ends a process that asks for RTLD_DEEPBIND, as PHP does for its extensions. Without this flag the
 * same symbols are found, since no library that we link with has other functions of those names. */
void *dlopen(const char *file, int mode)
{
        void *(*next)(const char *, int) = NULL;
        *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
        return next(file, mode & ~RTLD_DEEPBIND);
}

/* Called when UndefinedBehaviorSanitizer is about to report. Its library keeps a descriptor of its own. The first
 * report resets it to standard error, and closes AddressSanitizer's descriptor meanwhile. */
void __ubsan_on_report(void)
{
        void *library = report_fd < 0 ? NULL : dlopen("libubsan.so.1", RTLD_NOW | RTLD_NOLOAD);
        void (*set_fd)(void *) = NULL;
        if (library)
                *(void **)&set_fd = dlsym(library, "__sanitizer_set_report_fd");
        if (set_fd)
                set_fd((void *)(intptr_t)report_fd); /* NOLINT(performance-no-int-to-ptr): the API's type */
}

void leaks_report_to(int fd)
{
        int closable = fcntl(fd, F_DUPFD_CLOEXEC, fd);
        report_fd = fd;
        __sanitizer_set_report_fd((void *)(intptr_t)closable); /* NOLINT(performance-no-int-to-ptr): likewise */
}

bool leaks_are_looked_for(void)
{
        return true;
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

void leaks_off(void)
{
}

bool leaks_are_looked_for(void)
{
        return false;
}

void leaks_keep(const void *state)
{
        (void)state;
}

#endif
