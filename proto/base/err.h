/* An error as a plain value: an errno, and a sentence for the reader. It owns no memory, so an error path needs none.
 *
 * Functions return a negative errno when something is broken, and put the sentence into the caller's struct err.
 * Positive return values are expected answers, not errors; each module names its own (LZ4_MORE, CACHE_MISS). */
#pragma once

enum { ERR_TEXT_SIZE = 256 };

struct err {
        int code; /* an errno, positive; 0: no error */
        char text[ERR_TEXT_SIZE];
};

/* Fills e (which may be NULL) and returns -code. Appends strerror(code), unless the code says no more than "invalid".
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without strerror: for sentences that are meant for a client. */
int err_say(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Returns the errno that another process sent, with either sign, as a positive number. A number that is not an errno
 * becomes EPROTO; INT_MIN, for example, can't be negated. */
int err_told(int told);

/* Puts "context: " before the sentence of an error that is passed on to a caller. Returns -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
