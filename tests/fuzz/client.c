/* Fuzzes a client's end of a connection against a server that sends anything: client/hatchery (hatchery_receive), below
 * it proto/wire/frame, proto/wire/lz4, proto/wire/answer. The bytes travel through a unix socket, as in real use.
 * Input: the stream.
 */
#include "client/hatchery.h"

#include "proto/wire/frame.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Answers may be larger than the client's room for received bytes. */
enum { MAX_ANSWER = 1 << 20, MAX_STREAM = 1 << 16 };

/* One listening socket serves all inputs of a process. */
static int listener = -1;
static struct sockaddr_un place = { .sun_family = AF_UNIX };
static char address[sizeof place.sun_path + 8];

static void remove_socket(void)
{
        close(listener);
        unlink(place.sun_path);
}

static void listen_once(void)
{
        if (listener >= 0)
                return;
        snprintf(place.sun_path, sizeof place.sun_path, "/tmp/hatchery-fuzz-%ld", (long)getpid());
        snprintf(address, sizeof address, "unix:%s", place.sun_path);
        unlink(place.sun_path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        FUZZ_CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&place, sizeof place) == 0);
        FUZZ_CHECK(listen(listener, 1) == 0);
        atexit(remove_socket);
}

/* Counts the whole frames at the start of a stream. */
static size_t count_frames(const uint8_t *data, size_t size)
{
        struct frame f;
        size_t n = 0;
        for (size_t at = 0; at < size; n++) {
                if (frame_parse(&f, data + at, size - at, MAX_ANSWER, NULL) != FRAME_OK ||
                    size - at - WIRE_HEADER_SIZE < f.length)
                        break;
                at += WIRE_HEADER_SIZE + f.length;
        }
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct hatchery *h = NULL;
        struct hatchery_answer a = { 0 };
        struct err e = { 0 };
        size_t answers = 0, whole = count_frames(data, size);
        int r;

        if (size > MAX_STREAM)
                return 0;
        listen_once();
        FUZZ_CHECK(hatchery_connect(&h, address, &e) == HATCHERY_OK);
        int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        FUZZ_CHECK(server >= 0 && send(server, data, size, MSG_NOSIGNAL) == (ssize_t)size);
        close(server);

        hatchery_set_max_answer(h, MAX_ANSWER);
        while ((r = hatchery_receive(h, &a, -1, &e)) == HATCHERY_OK) {
                FUZZ_CHECK(a.answer.m.which_answer != 0 && ++answers <= whole);
                hatchery_answer_fini(&a);
        }
        FUZZ_CHECK(r < 0 && e.code == -r && e.text[0] != '\0');
        FUZZ_CHECK(hatchery_receive(h, &a, 0, &e) == -ECONNRESET); /* the end of the connection is permanent */
        hatchery_close(h);
        return 0;
}
