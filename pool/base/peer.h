/* A client's identity, as far as the kernel knows it; its requests are counted by peer. All connections of one address
 * are one peer. So are all of one IPv6 network of 64 bits, since its owner has every address in it. On a unix socket,
 * all connections of one user are one peer. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct peer {
        uint8_t len;
        uint8_t bytes[9]; /* the kind, then the address, the network or the uid */
};

/* The peer of a connected socket; address is accept's. Clients that the kernel can't tell apart are one peer. */
struct peer peer_of_socket(int fd, const struct sockaddr_storage *address);
