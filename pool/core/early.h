/* Submissions that come early: before their language is known, because its zygote is still starting. They wait in the
 * queue like all others, within its bounds and their deadlines, but it is not known yet what they may ask for. So they
 * are examined when the language has said hello. A name that no language has yet may be an alias of a language that has
 * not said hello. Such a submission waits with that language, and goes on to the next if the language does not have the
 * name. */
#pragma once

struct core;

/* A language has said hello, has turned out to be broken, or is gone: each early submission is now examined, goes on
 * waiting, or is refused. */
void early_settle(struct core *c);
