/* What can't be unless this program is wrong. A pool that finds such a thing must not go on: it would act on numbers
 * that are no longer true, or has been taken over. It says where, and ends by SIGABRT. It has no privilege and keeps
 * nothing, and the supervisor starts another. Not for what a client, a program or the death of a zygote can cause: that
 * is an error, with a sentence and an answer. */
#pragma once

/* Checked in every build. The sentence follows as for printf. */
#define INVARIANT(condition, ...) ((condition) ? (void)0 : invariant_broken(__FILE_NAME__, __LINE__, __VA_ARGS__))

_Noreturn void invariant_broken(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
