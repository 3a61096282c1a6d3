/* Logging: see log.h. */
#include "proto/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_name[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

__attribute__((format(printf, 3, 0))) static void log_line(const struct log *log, enum log_level level, const char *fmt,
                                                           va_list args)
{
        if (level > log->level)
                return;

        char line[1024];
        int head = snprintf(line, sizeof line, "%-5s %s: ", level_name[level], log->who);
        if (head < 0)
                return;
        size_t used = (size_t)head;
        int body = vsnprintf(line + used, sizeof line - used - 1, fmt, args);
        if (body < 0)
                return;
        used += (size_t)body;
        if (used > sizeof line - 2)
                used = sizeof line - 2;

        for (size_t i = 0; i < used; i++)
                if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
                        line[i] = '?';
        line[used++] = '\n';

        ssize_t ignored = write(log->fd > 0 ? log->fd : STDERR_FILENO, line, used); /* if the log itself is gone, nobody
                                                                                     * can be told */
        (void)ignored;
}

#define LOG_FUNCTION(function, level)                                                                                  \
        void function(const struct log *log, const char *fmt, ...)                                                     \
        {                                                                                                              \
                va_list args;                                                                                          \
                va_start(args, fmt);                                                                                   \
                log_line(log, level, fmt, args);                                                                       \
                va_end(args);                                                                                          \
        }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
