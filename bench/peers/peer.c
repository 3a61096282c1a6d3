/* Choosing peers: see peer.h. */
#include "bench/peers/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct peer peer_table[PEER_COUNT] = {
        [PEER_BUBBLEWRAP] = { "bubblewrap", "PATH", "/usr/bin/bwrap", false },
        [PEER_CRUN] = { "crun", "PATH", "/usr/bin/crun", false },
        [PEER_NSJAIL] = { "nsjail", "PATH", NULL, false },
        [PEER_ISOLATE] = { "isolate", "PATH", NULL, false },
        [PEER_SNEKBOX] = { "snekbox", "URL", NULL, true },
        [PEER_PISTON] = { "piston", "URL", NULL, true },
        [PEER_GO_JUDGE] = { "go-judge", "URL", NULL, true },
};

static int set_place(struct peers *p, enum peer_id id, const char *place, struct err *e)
{
        const struct peer *peer = &peer_table[id];
        size_t len = strlen(place);
        if (peer->http && strncmp(place, "http://", 7) != 0 && strncmp(place, "https://", 8) != 0)
                return err_say(e, EINVAL, "--peer %s=%s: give the server's address, http://HOST:PORT", peer->name,
                               place);
        if (!peer->http && place[0] != '/')
                return err_say(e, EINVAL, "--peer %s=%s: give the program's full path", peer->name, place);
        while (len > 1 && place[len - 1] == '/')
                len--;
        if (len >= PEERS_PATH_SIZE)
                return err_say(e, EINVAL, "--peer %s: the address or path is too long (%zu bytes)", peer->name, len);
        snprintf(p->place[id], sizeof p->place[id], "%.*s", (int)len, place);
        return 0;
}

int peers_choose(struct peers *p, const char *text, struct err *e)
{
        size_t len = strcspn(text, "=");
        enum peer_id id = 0;
        while (id < PEER_COUNT && (strlen(peer_table[id].name) != len || memcmp(peer_table[id].name, text, len) != 0))
                id++;
        if (id == PEER_COUNT)
                return err_say(e, EINVAL, "--peer: there is no peer \"%.*s\"; --help lists them", (int)len, text);
        const char *place = text[len] == '=' ? text + len + 1 : peer_table[id].always;
        if (!place)
                return err_say(e, EINVAL, "--peer %s: say where it is, %s=%s", peer_table[id].name, peer_table[id].name,
                               peer_table[id].needs);
        return set_place(p, id, place, e);
}

void peers_choose_packaged(struct peers *p)
{
        for (enum peer_id id = 0; id < PEER_COUNT; id++)
                if (peer_table[id].always && !peers_chosen(p, id))
                        snprintf(p->place[id], sizeof p->place[id], "%s", peer_table[id].always);
}

bool peers_chosen(const struct peers *p, enum peer_id id)
{
        return p->place[id][0] != '\0';
}
