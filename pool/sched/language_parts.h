/* The interface between the parts of a language, and of the scheduler to a language: private to language*.c and
 * sched.c.
 */
#pragma once

#include "pool/sched/language.h"
#include "pool/sched/sched.h"

/* ---------------------------------------------------------------- language.c: for the scheduler */

/* l is zeroed memory. */
void language_init(struct language *l, struct sched *s, const struct config_language *config);

/* Takes the settings that a new configuration can change. */
void language_configure(struct language *l, const struct config_language *config);

/* True if nothing is left of it: it may be freed. */
bool language_is_gone(const struct language *l);
/* It is configured again before it is gone. */
void language_come_back(struct language *l, const struct config_language *config);

/* Orders missing sandboxes, and the end of surplus ones. */
void language_order_sandboxes(struct language *l);

/* ---------------------------------------------------------------- language_zygotes.c: for the scheduler */

void language_fini(struct language *l);

/* It is no longer configured: nothing new is begun, and its zygotes end when their runs have ended. */
void language_leave(struct language *l);

/* Takes a zygote for it, and sock over. -1: there was a zygote, but it could not be taken. */
void language_adopt(struct language *l, uint32_t generation, int sock);

/* Its zygotes were started with an older configuration: they are renewed. */
void language_outdate(struct language *l);

/* Ends all its zygotes in good order. */
void language_drain(struct language *l);

/* To be called about every second. */
void language_tick(struct language *l);

/* ---------------------------------------------------------------- language.c: for language_zygotes.c, which is above
 * it */

/* Gives warm sandboxes to waiting requests. */
void language_serve_waiting(struct language *l);

/* The number of waiting requests that could be started now with enough sandboxes. Clients' shares may hold back some of
 * them, but not all. */
unsigned language_demand(const struct language *l);

/* The zygote in this phase, or NULL. */
struct zygote *language_in_phase(const struct language *l, enum zygote_phase phase);

/* Tells a zygote how many sandboxes it is to have. */
void language_set_numbers(const struct language *l, struct zygote *z);

/* Sets the limits that requests may ask for: a raised ceiling holds as soon as a zygote that knows it serves. */
void language_set_limits(struct language *l, const struct config_language *config);

void language_set_ready(struct language *l, bool ready, const char *why);

/* The other languages need not wait for it. The log says so once; its zygotes report the fault. */
void language_set_broken(struct language *l, const char *why);

/* Checks whether the warm sandboxes of the serving zygote are enough to be ready. */
void language_serves_well(struct language *l, const struct zygote *z);
