/* What Ctrl-C means while a run is under way. Pure: the caller says what happened and when, and does what comes back.
 *
 * The program gets the first as SIGINT, as on a terminal of its own, and may well go on. A second one soon after means
 * that it should not: the run is cancelled. Where there is no program yet, the first cancels. After that, one more
 * leaves without the answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { INTERRUPT_TWICE_US = 2000000 };

enum interrupt_action { INTERRUPT_SIGNAL, INTERRUPT_CANCEL, INTERRUPT_LEAVE };

enum interrupt_program { INTERRUPT_WAITING, INTERRUPT_RUNNING, INTERRUPT_UNKNOWN };

struct interrupt {
        bool cancelled;
        bool passed_on; /* one went to the program, */
        int64_t at_us;  /* then */
};

/* Ctrl-C was pressed. A program that is UNKNOWN is taken to be running: interrupt_missed tells otherwise. */
enum interrupt_action interrupt_pressed(struct interrupt *i, enum interrupt_program program, int64_t now_us);

/* The server found no program to give it to. */
enum interrupt_action interrupt_missed(struct interrupt *i);
