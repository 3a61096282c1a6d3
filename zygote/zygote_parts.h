/* Shared by the parts of a zygote's start: load.c loads things from the host, warm.c starts the interpreter, zygote.c
 * has the order of the steps. */
#pragma once

#include "zygote/prepare.h"
#include "zygote/tenant.h"
#include "zygote/zygote.h"

/* The data that children get, besides the interpreter's own memory. */
struct zygote_shown {
        struct birth birth;
        struct lang of_command; /* used if the language is data */
        struct lang_setup setup;
        struct lang_warmed warmed;
};

/* In hidden memory (hidden.h). */
struct zygote_self {
        const struct zygote_arguments *options;
        struct zygote_shown *shown; /* borrowed */
        struct aside *aside;        /* borrowed */
        struct log log;
        char who[48];
        const struct lang *lang;
        char prepared[PREPARE_PATH_SIZE];
        int prepared_held; /* kept open for life */
        struct tenant_maker maker;
        struct err error;
        int report[2]; /* the zygote's end, the children's end */
};

/* Loads everything from the host's paths, before these are left behind. */
int zygote_load(struct zygote_self *z, struct err *e);

/* Starts the interpreter, on the first stack and with few rights. */
int zygote_warm(struct zygote_self *z, struct err *e);
