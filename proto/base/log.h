/* Logging: one line per event, to stderr, with a level that systemd and a person both understand. A line is one write,
 * so lines of several processes do not mix. Callers never pass unchecked bytes of a client or a sandbox. */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
        const char *who; /* the role: "supervisor", "pool", "zygote/python"; borrowed */
        enum log_level level;
        int fd; /* where lines go; 0: standard error */
};

void log_error(const struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
