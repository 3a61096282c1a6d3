/* The languages of a pool: which there are, by what name, and how they come and go with the configuration. What each of
 * them does is language.h's. */
#pragma once

#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct language;
struct pool;

/* Those of the pool's configuration, to begin with. */
int languages_init(struct pool *p, struct err *e);
void languages_fini(struct pool *p);

/* The configuration was was, and is the pool's present one: languages that are new get a place, those that are gone
 * leave when their runs have ended, what has changed takes effect. -ENOMEM: nothing has changed; the caller puts the
 * old configuration back. */
int languages_reload(struct pool *p, const struct config *was, struct err *e);

/* The one that is served under this name, or under this name or alias, in any case of letters; or NULL. */
struct language *languages_named(struct pool *p, struct span name);
struct language *languages_find(struct pool *p, struct span name);

/* The first that is starting and has yet to say by which names it may be called, too; or NULL. */
struct language *languages_first_unnamed(struct pool *p);

/* Why there is no such language, where that is known; or NULL. */
const struct config_absent *languages_find_absent(const struct pool *p, struct span name);

/* Refuses what waits for one that does not come up, unless a zygote of it serves all the same. */
void languages_refuse_broken(struct language *l);

/* Divides the memory for warm sandboxes among all languages anew, by what they want now. */
void languages_share(struct pool *p);

/* Gives warm sandboxes to waiting requests of all languages. */
void languages_kick(struct pool *p);

/* To be called each second or so. */
void languages_tick(struct pool *p);

/* Ends all zygotes in good order. */
void languages_drain(struct pool *p);

/* Each has had its warm sandboxes, but for those that do not come up; and there is one that has. */
bool languages_have_come_up(const struct pool *p);

/* At this moment: each that was to be served is, also those that never came up. */
bool languages_are_ready(const struct pool *p);
