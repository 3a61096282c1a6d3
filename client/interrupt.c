/* The first and further Ctrl-C: see interrupt.h. */
#include "client/interrupt.h"

enum interrupt_action interrupt_pressed(struct interrupt *i, enum interrupt_program program, int64_t now_us)
{
        if (i->cancelled)
                return INTERRUPT_LEAVE;
        if (program == INTERRUPT_WAITING || (i->passed_on && now_us - i->at_us <= INTERRUPT_TWICE_US)) {
                i->cancelled = true;
                return INTERRUPT_CANCEL;
        }
        i->passed_on = true;
        i->at_us = now_us;
        return INTERRUPT_SIGNAL;
}

enum interrupt_action interrupt_missed(struct interrupt *i)
{
        i->cancelled = true;
        return INTERRUPT_CANCEL;
}
