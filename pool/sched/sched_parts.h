/* What the languages of one scheduler say to it: private to sched*.c and language*.c. */
#pragma once

#include "pool/sched/sched.h"

/* Divides the memory for warm sandboxes among all languages anew, by what they want now. */
void sched_share(struct sched *s);

/* A language has had its least number of warm sandboxes, or the others need not wait for it any more. */
void sched_language_ready(struct sched *s);
