/* Scenes: see scene.h. */
#include "tests/core/scene.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

int scene_set_up(void **state)
{
        struct scene *t = calloc(1, sizeof *t);

        assert_non_null(t);
        world_make(&t->w);
        world_bring_zygotes(&t->w);
        world_settle(&t->w);
        *state = t;
        return 0;
}

int scene_tear_down(void **state)
{
        struct scene *t = *state;

        world_fail_timer(0);
        world_settle(&t->w);
        world_assert_clean(&t->w);
        world_end(&t->w);
        free(t);
        return 0;
}

void scene_find(struct scene *t)
{
        t->s = world_sandbox_of(&t->w, t->f, &t->z, &t->number);
}

void scene_submit(struct scene *t, const struct front_wish *wish)
{
        t->f = world_submit(&t->w, wish);
        world_turn(&t->w);
        scene_find(t);
}
