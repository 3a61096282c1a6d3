/* One world with one front at a time, and the sandbox of its run. Tests of single runs begin with it. */
#pragma once

#include "tests/core/world.h"

struct scene {
        struct world w;
        struct front *f;
        struct fake_zygote *z;
        struct fake_slot *s; /* the run's sandbox; NULL: it has none */
        unsigned number;
};

/* For cmocka. The set-up makes *state a scene with warm sandboxes. The tear-down fails if anything is left. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* Sets s, z and number to the sandbox that the run has now. */
void scene_find(struct scene *t);

void scene_submit(struct scene *t, const struct front_wish *wish);
