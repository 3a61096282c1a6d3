/* Loading a module that is named in the configuration, with the times that `hatchery languages -v` shows. */
#pragma once

#include "lang/lang.h"
#include "proto/base/clock.h"

/* Calls load with the name, and once more if the first call succeeded. load returns false if the module is missing. */
static inline struct lang_preload preload_timed(bool (*load)(void *context, const char *name), void *context,
                                                const char *name)
{
        uint64_t began_us = (uint64_t)clock_us();
        bool is_there = load(context, name);
        uint64_t loaded_us = (uint64_t)clock_us();
        if (is_there)
                load(context, name);
        return (struct lang_preload){
                .name = name,
                .missing = !is_there,
                .first_us = loaded_us - began_us,
                .again_us = (uint64_t)clock_us() - loaded_us,
        };
}
