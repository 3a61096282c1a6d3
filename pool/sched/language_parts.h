/* What the parts of a language say to each other, and what the scheduler tells it: private to language*.c and sched.c.
 */
#pragma once

#include "pool/sched/language.h"
#include "pool/sched/sched.h"

/* ---------------------------------------------------------------- language.c: for the scheduler */

/* Of zeroed memory. */
void language_init(struct language *l, struct sched *s, const struct config_language *config);

/* What a new configuration can change. */
void language_configure(struct language *l, const struct config_language *config);

/* Nothing is left of it: it may be freed. */
bool language_is_gone(const struct language *l);
/* It is configured again before it was gone. */
void language_come_back(struct language *l, const struct config_language *config);

/* Orders the sandboxes that are missing, and the end of those that are too many. */
void language_order_sandboxes(struct language *l);

/* ---------------------------------------------------------------- language_zygotes.c: for the scheduler */

void language_fini(struct language *l);

/* It is configured no more: nothing new is begun, and its zygotes end with what runs in them. */
void language_leave(struct language *l);

/* A zygote for it; takes sock over. -1: there was one, but it could not be taken. */
void language_adopt(struct language *l, uint32_t generation, int sock);

/* Its zygotes were started with what the configuration says no more: they are renewed. */
void language_outdate(struct language *l);

/* Ends all its zygotes in good order. */
void language_drain(struct language *l);

/* To be called each second or so. */
void language_tick(struct language *l);

/* ---------------------------------------------------------------- language.c: for language_zygotes.c, which is above
 * it */

/* Gives warm sandboxes to waiting requests. */
void language_serve_waiting(struct language *l);

/* How many requests that wait could be started now if there were sandboxes enough. Shares of clients may hold back some
 * of those that are counted, but not all. */
unsigned language_demand(const struct language *l);

/* The zygote that is so far, or NULL. */
struct zygote *language_in_phase(const struct language *l, enum zygote_phase phase);

/* Tells a zygote how many sandboxes it is to have. */
void language_set_numbers(const struct language *l, struct zygote *z);

/* What requests may ask for: a ceiling that was raised holds as soon as a zygote that knows it serves. */
void language_set_limits(struct language *l, const struct config_language *config);

void language_set_ready(struct language *l, bool ready, const char *why);

/* The others need not wait for it. Said once; what is wrong, its zygotes say. */
void language_set_broken(struct language *l, const char *why);

/* A zygote that serves has so many warm sandboxes: is that enough to be ready? */
void language_serves_well(struct language *l, const struct zygote *z);
