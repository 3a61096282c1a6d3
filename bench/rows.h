/* The table of rows. A row is one program under one kind of load on one of the compared systems. A new row takes a line
 * in the enumeration and one in the table. */
#pragma once

#include "bench/base/workload.h"
#include "bench/http/contracts.h"
#include "bench/peers/peer.h"

enum row_kind {
        ROW_FORK,
        ROW_RELAY, /* a fork, whose output goes through a relay process and a socket */
        ROW_COLD,  /* python3 -I -c */
        ROW_PEER,  /* see peers.h; measured if the peer was chosen */
        ROW_HATCHERY,
        ROW_HTTP, /* Hatchery, asked over HTTP */
};

enum row_load {
        LOAD_PACED,  /* one at a time with a pause */
        LOAD_CLOSED, /* as fast as possible */
        LOAD_FIRST,  /* one at a time, streamed: the time from a write to its reader */
        LOAD_FLOOD,  /* streams that write at one time */
        LOAD_OPEN,   /* at fixed times, half as often as another row was answered */
        LOAD_ONCE,   /* one request on each connection, all at once */
        LOAD_IDLE,   /* kept connections without a request */
};

/* Without --rows, the command lines that choose a row. */
enum row_when {
        WHEN_ALWAYS,
        WHEN_FULL,      /* not with --quick */
        WHEN_PEERS,     /* --peers */
        WHEN_SWEEP,     /* --sweep */
        WHEN_HTTP,      /* --http */
        WHEN_HTTP_FULL, /* --http, and not with --quick */
};

enum row_id {
        ROW_FORK_LOW,
        ROW_HATCHERY_LOW,
        ROW_HTTP_LOW,
        ROW_COLD_LOW,
        ROW_BUBBLEWRAP_LOW,
        ROW_CRUN_LOW,
        ROW_NSJAIL_LOW,
        ROW_ISOLATE_LOW,
        ROW_SNEKBOX_LOW,
        ROW_PISTON_LOW,
        ROW_GO_JUDGE_LOW,
        ROW_FORK_FULL,
        ROW_HATCHERY_64,
        ROW_HTTP_64,
        ROW_HTTP_64_UPLOAD,
        ROW_HTTP_64_FRESH,
        ROW_HTTP_SNEKBOX_64,
        ROW_HTTP_PISTON_64,
        ROW_HTTP_SANDBOXFUSION_64,
        ROW_HATCHERY_HALF,
        ROW_HATCHERY_8,
        ROW_HATCHERY_1,
        ROW_HATCHERY_16,
        ROW_HATCHERY_1024,
        ROW_HTTP_1024,
        ROW_HATCHERY_2,
        ROW_HATCHERY_4,
        ROW_HATCHERY_32,
        ROW_HATCHERY_128,
        ROW_HATCHERY_256,
        ROW_WARM_16,
        ROW_WARM_256,
        ROW_COLD_FULL,
        ROW_BUBBLEWRAP_FULL,
        ROW_CRUN_FULL,
        ROW_NSJAIL_FULL,
        ROW_ISOLATE_FULL,
        ROW_SNEKBOX_FULL,
        ROW_PISTON_FULL,
        ROW_GO_JUDGE_FULL,
        ROW_RELAY_MEGABYTE,
        ROW_HATCHERY_MEGABYTE,
        ROW_FORK_COMPUTE,
        ROW_HATCHERY_COMPUTE,
        ROW_FORK_ECHO,
        ROW_HATCHERY_ECHO,
        ROW_FORK_CRASH,
        ROW_HATCHERY_CRASH,
        ROW_FORK_REAL,
        ROW_HATCHERY_REAL,
        ROW_HATCHERY_TIMEOUTS,
        ROW_HATCHERY_FIRST_BYTE,
        ROW_HTTP_FIRST_BYTE,
        ROW_HATCHERY_FLOOD,
        ROW_HTTP_IDLE,
        ROW_COUNT,
};

struct row {
        const char *name; /* in JSON and for --rows */
        const char *title;
        enum row_kind kind;
        enum row_load load;
        enum row_when when;
        enum workload_id program;
        unsigned parallel;   /* number of forkers, processes or connections, unless paced; 0: one per core */
        unsigned warm;       /* the row has its own server, which keeps so many sandboxes warm; 0: the shared server */
        enum row_id half_of; /* of LOAD_OPEN: the other row; it is measured right before this one, in every round */
        enum peer_id peer;   /* of ROW_PEER */
        enum contract_id contract; /* of ROW_HTTP, as the next two */
        bool fresh;                /* each request has a new connection */
        bool uploads;              /* a large body is uploaded slowly meanwhile */
};

/* In the order in which the first round measures them: rows that are compared stand together. */
extern const struct row row_table[ROW_COUNT];

/* "fork", "closed": the words of the JSON. */
const char *row_kind_name(enum row_kind kind);
const char *row_load_name(enum row_load load);
