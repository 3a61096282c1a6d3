/* An error as a plain value: an errno, and a sentence for the reader. It owns no memory, so an error path needs none.
 *
 * Functions return a negative errno when something is broken, and put the sentence into the caller's struct err.
 * Positive returns are expected answers, named by their module (FRAME_MORE, QUEUE_FULL), and no errors. */
#pragma once

enum { ERR_TEXT_SIZE = 256 };

struct err {
        int code; /* an errno, positive; 0: no error */
        char text[ERR_TEXT_SIZE];
};

/* Fills e (which may be NULL) and returns -code. Where the code says more than "invalid", strerror(code) is appended.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without strerror: for sentences that are meant for a client. */
int err_say(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The errno that another process sent, with either sign. A number that is no errno becomes EPROTO: not every int can be
 * negated. */
int err_told(int told);

/* Puts "context: " before the sentence of an error on its way up; returns -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
