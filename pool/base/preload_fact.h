/* A zygote's report about one preloaded module. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct preload_fact {
        char name[64];
        bool missing;
        uint64_t first_us; /* time of loading the module */
        uint64_t again_us; /* time of importing it when it is loaded already */
};
