/* The interface between the parts of a language, and the scheduler's interface to a language. Private to language*.c
 * and sched.c. */
#pragma once

#include "pool/sched/language.h"
#include "pool/sched/sched.h"

/* ---------------------------------------------------------------- language.c: for the scheduler */

/* l is zeroed memory. */
void language_init(struct language *l, struct sched *s, const struct config_language *config);

/* Takes the settings that a new configuration can change. */
void language_configure(struct language *l, const struct config_language *config);

/* True if the language has no executions and no zygotes left, and may be freed. */
bool language_is_gone(const struct language *l);
/* A language that was leaving is configured again before it is gone. */
void language_come_back(struct language *l, const struct config_language *config);

/* Orders missing sandboxes, and the end of surplus ones. */
void language_order_sandboxes(struct language *l);

/* ---------------------------------------------------------------- language_zygotes.c: for the scheduler */

void language_fini(struct language *l);

/* The language is no longer configured: no new run is begun, and its zygotes end when their runs have ended. */
void language_leave(struct language *l);

/* Takes a zygote for the language, and sock over. sock is -1 if the zygote's channel was lost on the way. */
void language_adopt(struct language *l, uint32_t generation, int sock);

/* Its zygotes were started with an older configuration: they are renewed. */
void language_outdate(struct language *l);

/* Ends all its zygotes in good order. */
void language_drain(struct language *l);

/* To be called about every second. */
void language_tick(struct language *l);

/* ---------------------------------------------------------------- language.c: for language_zygotes.c */

/* Gives warm sandboxes to waiting requests. */
void language_serve_waiting(struct language *l);

/* The number of waiting requests that could be started now if there were enough sandboxes. Clients' shares may hold
 * some of these requests back, but not all. */
unsigned language_demand(const struct language *l);

/* The zygote in this phase, or NULL. */
struct zygote *language_in_phase(const struct language *l, enum zygote_phase phase);

/* Tells a zygote how many sandboxes it is to have. */
void language_set_numbers(const struct language *l, struct zygote *z);

/* Sets the limits that requests may ask for. A raised ceiling takes effect as soon as the serving zygote knows it. */
void language_set_limits(struct language *l, const struct config_language *config);

/* why: a literal. It is logged, and clients see it as long as the language is not ready. */
void language_set_ready(struct language *l, bool ready, const char *why);

/* Marks the language as broken: the other languages do not wait for it to become ready. This is logged once; its
 * zygotes log the faults. why: as above. */
void language_set_broken(struct language *l, const char *why);

/* Checks whether the warm sandboxes of the serving zygote are enough to be ready. */
void language_serves_well(struct language *l, const struct zygote *z);
