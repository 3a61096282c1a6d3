/* How output files come back. When the last process of a sandbox is dead, the pool passes one end of a stream socket
 * (ORDER_COLLECT) to the slot's init, by way of the zygote. Init may read the sandbox's files, and has no other right.
 * The pool writes a collect_request and the patterns. Init answers with files and one closing record, then closes. The
 * pool checks everything that it receives against its own bounds. */
#pragma once

#include <stdint.h>

enum { COLLECT_MAX_DEPTH = 64, COLLECT_MAX_PATTERNS = 4096 * 16 };

struct collect_request {
        uint32_t max_files;
        uint32_t patterns_size; /* bytes that follow: patterns, each ended by NUL */
        uint64_t max_bytes;     /* of all contents */
        uint64_t max_us;        /* time for the whole walk */
};

enum collect_kind { COLLECT_FILE = 1, COLLECT_END };

/* Why files are missing. */
enum collect_reason {
        COLLECT_COMPLETE,
        COLLECT_TOO_MANY,   /* more than max_files matched */
        COLLECT_TOO_LARGE,  /* a file did not fit into the rest of max_bytes, and was left out */
        COLLECT_TOO_DEEP,   /* directories below COLLECT_MAX_DEPTH were not entered */
        COLLECT_TOO_LONG,   /* time ran out */
        COLLECT_UNREADABLE, /* a directory or file could not be read */
};

struct collect_record {
        uint32_t kind;
        uint32_t mode;     /* COLLECT_FILE */
        uint64_t size;     /* COLLECT_FILE: bytes that follow the name */
        uint32_t name_len; /* COLLECT_FILE: bytes that follow this record, no NUL */
        uint32_t reason;   /* COLLECT_END */
};
