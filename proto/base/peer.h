/* A client's identity, as far as the kernel knows it. Requests are counted by peer. All connections from one IPv4
 * address are one peer. All connections from one IPv6 network of 64 bits are one peer too, since the network's owner
 * has every address in it. On a unix socket, all connections of one user are one peer. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct peer {
        uint8_t len;
        uint8_t bytes[9]; /* the kind, then the address, the network or the uid */
};

/* The peer of a connected socket; address is the one that accept returned. Clients that the kernel can't tell apart are
 * one peer. */
struct peer peer_of_socket(int fd, const struct sockaddr_storage *address);
