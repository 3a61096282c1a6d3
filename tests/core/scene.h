/* One world with one front at a time, and the sandbox where its run is: what tests of single runs begin with. */
#pragma once

#include "tests/core/world.h"

struct scene {
        struct world w;
        struct front *f;
        struct fake_zygote *z;
        struct fake_slot *s; /* where the run is; NULL: it has none */
        unsigned number;
};

/* As cmocka calls them: *state is a scene whose sandboxes are warm; at its end everything must be clean. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* Looks where the run is by now. */
void scene_find(struct scene *t);

void scene_submit(struct scene *t, const struct front_wish *wish);
