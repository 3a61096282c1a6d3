/* Sends our standard input to the program as it comes, and no faster than the program takes it. */
#pragma once

#include "client/async.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INTAKE_SIZE = 64 << 10 };

struct intake {
        int fd; /* -1: there is no input, or it has ended, or the program takes no more */
        size_t from, len;
        uint8_t bytes[INTAKE_SIZE]; /* the bytes from `from` on are read, and not handed on yet */
};

void intake_init(struct intake *i, int fd);

/* The descriptor to watch until it is readable; -1: none at present. */
int intake_awaited(const struct intake *i, const struct hatchery_call *call);

enum { INTAKE_OK = 0, INTAKE_END = 1 };

/* Reads once, no more than the program has room for; intake_push hands it on. INTAKE_END: the end of the input has just
 * come, and the program was told. */
int intake_read(struct intake *i, struct hatchery_call *call, struct err *e);

/* Hands on what was read and is not handed on yet. To be called when there may be room. */
int intake_push(struct intake *i, struct hatchery_call *call, struct err *e);

/* If this byte is among the bytes that are read and not handed on, throws them all away. */
bool intake_drop(struct intake *i, uint8_t byte);

/* The program takes no more. */
void intake_close(struct intake *i);
