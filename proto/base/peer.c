/* Peers: see peer.h. */
#include "proto/base/peer.h"

#include <netinet/in.h>
#include <string.h>

static struct peer make(char kind, const void *bytes, size_t len)
{
        struct peer p = { .len = (uint8_t)(len + 1), .bytes = { (uint8_t)kind } };
        memcpy(p.bytes + 1, bytes, len);
        return p;
}

struct peer peer_of_socket(int fd, const struct sockaddr_storage *address)
{
        enum { NETWORK = 8, MAPPED_AT = 12 };
        struct ucred who;
        socklen_t len = sizeof who;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        switch (address->ss_family) {
        case AF_INET:
                memcpy(&v4, address, sizeof v4);
                return make('4', &v4.sin_addr, sizeof v4.sin_addr);
        case AF_INET6:
                memcpy(&v6, address, sizeof v6);
                if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
                        return make('4', v6.sin6_addr.s6_addr + MAPPED_AT, sizeof v4.sin_addr);
                return make('6', v6.sin6_addr.s6_addr, NETWORK);
        case AF_UNIX:
                if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
                        return make('u', &who.uid, sizeof who.uid);
                break;
        default:
                break;
        }
        return make('?', "", 0);
}
