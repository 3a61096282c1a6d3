/* Conditions that hold unless this program is wrong. A pool that finds a condition broken must not go on: it would act
 * on wrong numbers, or an attacker controls it. It logs the place, and ends by SIGABRT. That is harmless: the pool has
 * no privilege and no lasting state, and the supervisor starts another pool. INVARIANT is not for faults that a client,
 * a program or the death of a zygote can cause. Those are errors, with a sentence and an answer. */
#pragma once

/* Checked in every build. The sentence follows as for printf. */
#define INVARIANT(condition, ...) ((condition) ? (void)0 : invariant_broken(__FILE_NAME__, __LINE__, __VA_ARGS__))

_Noreturn void invariant_broken(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
