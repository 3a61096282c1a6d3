/* Submissions that come early: before their language is known, because its zygote is still starting. They wait in the
 * queue like all others, within the queue's bounds and their own deadlines. It is not known yet which limits and
 * options they may use. So they are examined when the language's zygote has sent its hello. An unknown name may be an
 * alias of a language whose zygote has not sent its hello yet. A submission with an unknown name waits for that
 * language. If the language does not have the name, the submission waits for the next such language. */
#pragma once

struct core;

/* Call it when a language's zygote has sent its hello, or when a language has turned out to be broken, or is gone. Each
 * early submission is now examined, goes on waiting, or is refused. */
void early_settle(struct core *c);
