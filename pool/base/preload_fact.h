/* What a zygote told of one module that it preloaded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct preload_fact {
        char name[64];
        bool missing;
        uint64_t first_us; /* what loading it took */
        uint64_t again_us; /* what naming it takes once it is there */
};
