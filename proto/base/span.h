/* A stretch of borrowed bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
        const uint8_t *data;
        size_t len;
};

static inline struct span span_of_text(const char *text)
{
        return (struct span){ (const uint8_t *)text, text ? strlen(text) : 0 };
}
