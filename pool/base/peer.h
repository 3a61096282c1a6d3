/* Who a client is, as far as the kernel knows: what its requests are counted by. All connections of one address are one
 * peer, and so are all of one IPv6 network of 64 bits, since its owner has every address in it; on a unix socket, all
 * of one user. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct peer {
        uint8_t len;
        uint8_t bytes[9]; /* the kind, then the address, the network or the uid */
};

/* Of a connected socket; address is what accept said. Where the kernel does not tell, all such clients are one peer. */
struct peer peer_of_socket(int fd, const struct sockaddr_storage *address);
