/* The bodies of /run_code and /run_jupyter, as requests to the pool. Pure: a body goes in, a struct request or a fault
 * comes out. */
#pragma once

#include "gateway/contracts/sandboxfusion_fields.h"
#include "gateway/contracts/sandboxfusion_languages.h"
#include "proto/wire/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        FUSION_MARK_SIZE = 33, /* 32 digits and a NUL */
        FUSION_CELLS_MAX = 1000,
        FUSION_FETCH_MAX = 64,   /* the most patterns that the pool takes */
        FUSION_FILES_MAX = 4095, /* the pool takes 4096, and one is the program */
};

/* A file that is wanted back. Owned. */
struct fusion_fetch {
        char *asked; /* its name in the request, and so in the answer; NUL-terminated UTF-8 */
        char *name;  /* relative to the work directory */
};

struct fusion_request {
        struct request q; /* points into the members below and into the body */
        const struct fusion_language *language;

        /* What the answer needs. */
        struct fusion_fetch *fetch;
        size_t n_fetch;
        bool is_jupyter;
        size_t n_cells;
        char mark[FUSION_MARK_SIZE]; /* of a notebook: what the driver puts between the cells */

        /* The input; fusion_request_forget_input frees it as soon as q was sent. */
        json_t *body;
        char **names; /* of files */
        uint8_t **contents;
        struct file_span *files;
        size_t n_files;
        struct span *globs, *args;
        struct env_span env;
        char *made; /* code that was changed, or the driver's input */
};

/* Makes a request of a body; body is a reference that is taken over. False: f has the fault. mark: 32 random digits,
 * for a notebook. In each case r is released by fusion_request_fini. */
bool fusion_request_code(struct fusion_request *r, json_t *body, struct fusion_fields *f);
bool fusion_request_jupyter(struct fusion_request *r, json_t *body, const char mark[FUSION_MARK_SIZE],
                            struct fusion_fields *f);

void fusion_request_forget_input(struct fusion_request *r);
void fusion_request_fini(struct fusion_request *r);

/* The field of the body that a refusal of the pool is about, by the limit that the sentence names; NULL: unknown. */
const char *fusion_request_field(const struct fusion_request *r, const char *sentence);
