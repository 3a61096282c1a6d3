/* Every constant of the public wire, version 1 of docs/protocol.md. A change that an existing client would notice needs
 * a new package (hatchery.v2); all other changes need only new fields. */
#pragma once

#define HATCHERY_VERSION "0.1.0"

enum {
        WIRE_PORT = 7070,

        WIRE_HEADER_SIZE = 5, /* 1 flag byte, 4 bytes of length, big-endian: gRPC's length-prefixed message */
        WIRE_FLAG_PLAIN = 0,
        WIRE_FLAG_LZ4 = 1,

        /* Defaults of the configuration. */
        WIRE_MAX_REQUEST = 16 << 20,
        WIRE_MAX_ANSWER = 64 << 20,

        /* A smaller message is not worth LZ4's time: 1 KiB costs 2.5 us both ways and saves a few hundred bytes. */
        WIRE_COMPRESS_FROM = 1024,

        /* Bounds inside one request, checked while decoding, so that a small frame can't ask for much memory. */
        WIRE_MAX_FILES = 4096,
        WIRE_MAX_ARGS = 4096,
        WIRE_MAX_ENV = 1024,
        WIRE_MAX_GLOBS = 64,
        WIRE_MAX_FLAGS = 32,
        WIRE_MAX_NAME = 1024,     /* a file name, a glob, an environment variable's name */
        WIRE_MAX_STRING = 131071, /* one argument or environment value: the kernel's MAX_ARG_STRLEN less its NUL */
        WIRE_MAX_LANGUAGE = 31,
        WIRE_MAX_CLIENT = 255,
        WIRE_MAX_FLAG = 255, /* one flag of a compiler */
        WIRE_MAX_INTERPRETER_ARGS = 64,
        WIRE_MAX_PEER = 64,
        WIRE_MAX_TRACE = 64,
        WIRE_MAX_RUN_ID = 64,
        WIRE_MAX_IDEMPOTENCY_KEY = 128,

        /* Bytes of a stream that each side may send before the other side gives credit. */
        WIRE_FIRST_CREDIT = 256 << 10,
        /* The largest credit: a sum above it becomes this value, so that no sum can overflow. */
        WIRE_MAX_CREDIT = 1 << 30,
};
