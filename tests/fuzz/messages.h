/* Mutation that keeps the shape of what is mutated, so that most inputs get past the outermost checks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A protobuf message: one field, at any depth, is changed, doubled, moved or removed; the lengths around it are made to
 * fit. Returns the new size. */
size_t messages_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* A stream of frames: one frame's message is mutated as above or as bytes, packed or unpacked, and its header made to
 * fit; or the stream is mutated as bytes. */
size_t messages_mutate_frames(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's own mutation of bytes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
