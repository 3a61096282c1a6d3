/* The table of system calls that zygote/sandbox/seccomp.c makes filters of. A call that is in none of these lists
 * answers ENOSYS. */
#pragma once

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>

struct seccomp_list {
        const char *const *at;
        size_t n;
};

/* A call with an answer of its own. */
struct seccomp_answer {
        const char *name;
        int error;
};

struct seccomp_answers {
        const struct seccomp_answer *at;
        size_t n;
};

/* A rule for a call with a certain argument. All 64 bits of the argument are compared, unless the comparison is masked.
 * So an argument with unexpected high bits matches no rule that allows the call. seccomp_otherwise has the error for
 * arguments that match no rule; without an entry there, the error is ENOSYS. */
struct seccomp_rule {
        const char *name;
        unsigned argument;
        enum scmp_compare compare;
        scmp_datum_t value;  /* of a masked comparison: the mask */
        scmp_datum_t masked; /* of a masked comparison: the masked value must equal this */
        int error;           /* 0: allowed */
        bool making;         /* allowed all the same while a sandbox is made */
};

struct seccomp_rules {
        const struct seccomp_rule *at;
        size_t n;
};

extern const struct seccomp_list seccomp_allowed;      /* with any arguments */
extern const struct seccomp_rules seccomp_rules;       /* depending on one argument */
extern const struct seccomp_answers seccomp_otherwise; /* for values up to 32 bits of the one argument that has rules */
extern const struct seccomp_list seccomp_pretended;    /* answered as done, and not done */
extern const struct seccomp_answers seccomp_refused;   /* answered with an errno that programs can handle */
extern const struct seccomp_answers seccomp_making;    /* for making a sandbox; no sandbox has them */
extern const struct seccomp_list seccomp_never_extra;  /* no language may ask for these, or for those refused above */
