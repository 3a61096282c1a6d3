/* What Ctrl-C means while a run is under way. Pure: the caller says what happened and when, and does what comes back.
 *
 * The program gets the first Ctrl-C as SIGINT, as on a terminal of its own, and may go on. A second Ctrl-C soon after
 * cancels the run. If the program does not run yet, the first Ctrl-C cancels. Once the run is cancelled, one more
 * Ctrl-C ends the command without the answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { INTERRUPT_TWICE_US = 2000000 };

enum interrupt_action { INTERRUPT_SIGNAL, INTERRUPT_CANCEL, INTERRUPT_LEAVE };

enum interrupt_program { INTERRUPT_WAITING, INTERRUPT_RUNNING, INTERRUPT_UNKNOWN };

struct interrupt {
        bool cancelled;
        bool passed_on; /* a Ctrl-C went to the program, */
        int64_t at_us;  /* at this time */
};

/* Ctrl-C was pressed. If the program's state is UNKNOWN, it counts as running; interrupt_missed corrects that. */
enum interrupt_action interrupt_pressed(struct interrupt *i, enum interrupt_program program, int64_t now_us);

/* The server reported that no program was running to get the signal. */
enum interrupt_action interrupt_missed(struct interrupt *i);
