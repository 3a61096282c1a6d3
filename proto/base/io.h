/* Complete reads and writes on blocking descriptors; a signal does not cut them short. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* 0, or a negative errno; -EPIPE for an end of file before len bytes. */
int io_read_all(int fd, void *data, size_t len);

/* 0, or a negative errno. io_send_all is for sockets: if the other end is gone, it returns -EPIPE and raises no
 * signal. */
int io_write_all(int fd, const void *data, size_t len);
int io_send_all(int sock, const void *data, size_t len);

/* One read: how many bytes, 0 at the end of file, or a negative errno. */
ssize_t io_read(int fd, void *data, size_t len);

/* Reads to the end of file. *len counts all bytes that came; the first size of them are kept. 0, or a negative
 * errno. */
int io_drain(int fd, char *data, size_t size, size_t *len);
