/* Submissions that come early: before their language is known, because its zygote is still starting. They wait in the
 * queue like all others, within its bounds and their deadlines, but nothing is known yet of what they may ask for. So
 * they are examined when the language has spoken. A name that no language has yet may be an alias of one that has not
 * spoken: such a submission waits with that one, and goes on to the next if the name is none of its own. */
#pragma once

struct core;

/* A language has said what it is, has turned out to be broken, or is gone: each submission that came early is examined
 * now, goes on waiting, or is refused. */
void early_settle(struct core *c);
