/* What the files that decode answers share: rows of the messages' tables. Private to proto/wire/answer*.c. */
#pragma once

#include "hatchery.pb.h"
#include "proto/base/err.h"
#include "proto/base/span.h"

#define COUNT(array)          (sizeof(array) / sizeof *(array))
#define SIZE_OF(type, member) sizeof(((type *)0)->member)

/* Rows of a message. Its fields keep their .proto names in a generated struct; `at` is that struct's place in the
 * target, for offsetof. */
#define NUMBER(message, target, at, wire_kind, field)                                                                  \
        {                                                                                                              \
                .tag = hatchery_v1_##message##_##field##_tag, .name = #field, .kind = wire_kind,                       \
                .offset = offsetof(target, at field)                                                                   \
        }
#define CHARS(message, target, at, field)                                                                              \
        {                                                                                                              \
                .tag = hatchery_v1_##message##_##field##_tag, .name = #field, .kind = PBSPAN_CHARS,                    \
                .offset = offsetof(target, at field), .max = SIZE_OF(target, at field)                                 \
        }

/* One LanguageStatus, into a zeroed struct. -EPROTO with a sentence. */
int answer_decode_language(hatchery_v1_LanguageStatus *language, struct span content, struct err *e);
