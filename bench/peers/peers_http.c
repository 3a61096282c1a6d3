/* Asking a peer that is a server, by its own documented contract. */
#include "bench/base/clock.h"
#include "bench/http/client.h"
#include "bench/http/contracts.h"
#include "bench/peers/ways.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct asked {
        struct http *http;
        char *body;
        size_t len;
};

static enum contract_id contract_of(enum peer_id id)
{
        return id == PEER_SNEKBOX ? CONTRACT_SNEKBOX : id == PEER_PISTON ? CONTRACT_PISTON : CONTRACT_GO_JUDGE;
}

static int http_way_open(struct peers_lane *lane, struct err *e)
{
        const enum contract_id contract = contract_of(lane->id);
        char url[PEERS_PATH_SIZE + 64];
        struct asked *a = calloc(1, sizeof *a);
        if (!a)
                return err_set(e, ENOMEM, "hold a client");
        lane->state = a;
        a->body = contract_body(contract, lane->program);
        if (!a->body)
                return err_set(e, ENOMEM, "make the request");
        a->len = strlen(a->body);
        snprintf(url, sizeof url, "%s%s", peers_place(lane), contract_path(contract));
        return lane->peers->http->open(&a->http, url, e);
}

static int http_way_run(struct peers_lane *lane, struct peers_verdict *v, struct err *e)
{
        struct asked *a = lane->state;
        struct http_answer answer;
        int r = lane->peers->http->post(a->http, a->body, a->len, NULL, &answer, e);
        if (r < 0)
                return r;
        v->ended_ns = clock_now();
        v->right = contract_right(contract_of(lane->id), lane->program, &answer, v->why);
        return 0;
}

static void http_way_close(struct peers_lane *lane)
{
        struct asked *a = lane->state;
        if (a) {
                lane->peers->http->free(a->http);
                free(a->body);
        }
        free(a);
        lane->state = NULL;
}

const struct peers_way peers_http = { http_way_open, http_way_run, http_way_close };
