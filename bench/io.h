/* Whole reads and writes on blocking descriptors, and one pipe read to its end. */
#pragma once

#include <stddef.h>

/* 0, or a negative errno; -EPIPE for an end of file before len bytes. */
int io_read_all(int fd, void *data, size_t len);
int io_write_all(int fd, const void *data, size_t len);

/* Reads to the end of file. *len is what came; the first size bytes of it are kept. */
int io_drain(int fd, char *data, size_t size, size_t *len);
