/* Many requests at one time, in one thread, over libcurl's multi interface: see client.h. The interface says which
 * sockets it waits for, and epoll waits, so that a turn costs the same with 1,000 connections as with one. */
#include "bench/base/clock.h"
#include "bench/http/curl.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 64, LANE_BODY = 64 << 10, MS = 1000000 };

struct lane {
        CURL *curl;
        unsigned number;
        size_t len;
        char *body; /* LANE_BODY bytes; NULL until the first answer */
        char why[CURL_ERROR_SIZE];
};

struct http_many {
        CURLM *multi;
        struct curl_slist *headers;
        void (*answered)(void *data, unsigned lane, const struct http_answer *a);
        void *data;
        struct lane *lanes;
        unsigned n;
        int epoll;
        uint64_t timer_ns; /* when libcurl wants to be called; UINT64_MAX: never */
        bool lost;         /* a socket can't be watched */
};

/* ---------------------------------------------------------------- what libcurl calls */

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *data, void *known)
{
        struct http_many *m = data;
        struct epoll_event event = { .data.fd = fd };
        (void)curl;
        if (what == CURL_POLL_REMOVE) {
                epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL); /* fails if libcurl has closed it, which is as good */
                return 0;
        }
        event.events |= what & CURL_POLL_IN ? EPOLLIN : 0;
        event.events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
        int r = epoll_ctl(m->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
        if (r < 0)
                m->lost = true;
        curl_multi_assign(m->multi, fd, m);
        return 0;
}

static int on_timer(CURLM *multi, long ms, void *data)
{
        struct http_many *m = data;
        (void)multi;
        m->timer_ns = ms < 0 ? UINT64_MAX : clock_now() + (uint64_t)ms * MS;
        return 0;
}

/* Returns less than len if the answer is longer than any right one: then libcurl gives up. */
static size_t take(char *data, size_t one, size_t n, void *argument)
{
        struct lane *lane = argument;
        size_t len = one * n;
        if (!lane->body)
                lane->body = malloc(LANE_BODY);
        if (!lane->body || len > LANE_BODY - lane->len)
                return 0;
        memcpy(lane->body + lane->len, data, len);
        lane->len += len;
        return len;
}

/* ---------------------------------------------------------------- life */

static CURLcode lane_init(struct lane *lane, struct http_many *m, const struct http_many_options *o)
{
        CURL *c = lane->curl = curl_easy_init();
        if (!c)
                return CURLE_OUT_OF_MEMORY;
        CURLcode r = curl_common(c, o->url, m->headers, lane->why);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_WRITEDATA, lane);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_PRIVATE, lane);
        if (r == CURLE_OK && o->fresh)
                r = curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
        if (r == CURLE_OK && o->fresh)
                r = curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
        return r;
}

static CURLMcode multi_init(struct http_many *m)
{
        m->multi = curl_multi_init();
        if (!m->multi)
                return CURLM_OUT_OF_MEMORY;
        CURLMcode r = curl_multi_setopt(m->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        if (r == CURLM_OK)
                r = curl_multi_setopt(m->multi, CURLMOPT_SOCKETDATA, m);
        if (r == CURLM_OK)
                r = curl_multi_setopt(m->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        if (r == CURLM_OK)
                r = curl_multi_setopt(m->multi, CURLMOPT_TIMERDATA, m);
        if (r == CURLM_OK)
                r = curl_multi_setopt(m->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
        return r == CURLM_OK ? curl_multi_setopt(m->multi, CURLMOPT_MAXCONNECTS, (long)m->n + 1) : r;
}

int many_open(struct http_many **out, const struct http_many_options *o, struct err *e)
{
        struct http_many *m = calloc(1, sizeof *m);
        struct lane *lanes = calloc(o->lanes, sizeof *lanes);
        if (!m || !lanes) {
                free(m);
                free(lanes);
                return err_set(e, ENOMEM, "hold %u requests", o->lanes);
        }
        *m = (struct http_many){
                .answered = o->answered, .data = o->data, .lanes = lanes, .n = o->lanes, .timer_ns = UINT64_MAX
        };
        m->epoll = epoll_create1(EPOLL_CLOEXEC);
        m->headers = curl_slist_append(NULL, "Content-Type: application/json");
        bool fine = m->epoll >= 0 && m->headers && multi_init(m) == CURLM_OK;
        for (unsigned i = 0; fine && i < m->n; i++) {
                lanes[i].number = i;
                fine = lane_init(&lanes[i], m, o) == CURLE_OK;
        }
        if (!fine) {
                many_free(m);
                return err_say(e, EIO, "libcurl can't make %u requests", o->lanes);
        }
        *out = m;
        return 0;
}

void many_free(struct http_many *m)
{
        if (!m)
                return;
        for (unsigned i = 0; i < m->n; i++) {
                if (m->lanes[i].curl && m->multi)
                        curl_multi_remove_handle(m->multi, m->lanes[i].curl);
                curl_easy_cleanup(m->lanes[i].curl);
                free(m->lanes[i].body);
        }
        curl_multi_cleanup(m->multi);
        curl_slist_free_all(m->headers);
        own_close(&m->epoll);
        free(m->lanes);
        free(m);
}

/* ---------------------------------------------------------------- asking */

int many_ask(struct http_many *m, unsigned number, const struct http_body *body, struct err *e)
{
        struct lane *lane = &m->lanes[number];
        lane->len = 0;
        lane->why[0] = '\0';
        CURLcode r = curl_easy_setopt(lane->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        if (r == CURLE_OK)
                r = curl_easy_setopt(lane->curl, CURLOPT_POSTFIELDS, body->bytes);
        if (r == CURLE_OK)
                r = curl_easy_setopt(lane->curl, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)body->per_second);
        if (r != CURLE_OK)
                return err_say(e, EIO, "make a request: %s", curl_easy_strerror(r));
        CURLMcode added = curl_multi_add_handle(m->multi, lane->curl);
        return added == CURLM_OK ? 0 : err_say(e, EIO, "send a request: %s", curl_multi_strerror(added));
}

/* Answers are handed on outside of libcurl's calls, so that their owner may ask again at once. */
static void hand_on(struct http_many *m)
{
        int left;
        for (CURLMsg *message; (message = curl_multi_info_read(m->multi, &left));) {
                struct lane *lane = NULL;
                CURL *curl = message->easy_handle;
                CURLcode r = message->data.result; /* the message is gone when its handle is removed */
                struct http_answer a = { 0 };
                curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&lane);
                if (r == CURLE_OK)
                        r = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
                curl_multi_remove_handle(m->multi, curl);
                a.body = lane->body ? lane->body : "";
                a.len = lane->len;
                if (r != CURLE_OK)
                        a = (struct http_answer){ .body = "", .why = curl_why(r, lane->why) };
                m->answered(m->data, lane->number, &a);
        }
}

static CURLMcode act(struct http_many *m, const struct epoll_event *events, int n)
{
        int running;
        CURLMcode r = CURLM_OK;
        for (int i = 0; r == CURLM_OK && i < n; i++) {
                int what = 0;
                what |= events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0;
                what |= events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
                what |= events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0;
                r = curl_multi_socket_action(m->multi, events[i].data.fd, what, &running);
        }
        if (r == CURLM_OK && clock_now() >= m->timer_ns) {
                m->timer_ns = UINT64_MAX;
                r = curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        return r;
}

int many_wait(struct http_many *m, struct err *e)
{
        struct epoll_event events[EVENTS];
        uint64_t now = clock_now(), wait = (uint64_t)HTTP_LOST_S * CLOCK_SECOND;
        if (m->timer_ns != UINT64_MAX)
                wait = m->timer_ns > now ? m->timer_ns - now : 0;
        int n = epoll_wait(m->epoll, events, EVENTS, (int)((wait + MS - 1) / MS));
        if (n < 0 && errno != EINTR)
                return err_set(e, errno, "wait for answers");
        CURLMcode r = act(m, events, n);
        if (r != CURLM_OK)
                return err_say(e, EIO, "ask: %s", curl_multi_strerror(r));
        if (m->lost)
                return err_say(e, EIO, "a connection can't be watched");
        hand_on(m);
        return 0;
}
