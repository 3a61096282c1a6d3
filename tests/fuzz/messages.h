/* Mutation that keeps the shape of the input, so that most inputs get past the outermost checks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A protobuf message: changes, doubles, moves or removes one field, at any depth, and adapts the lengths around it.
 * Returns the new size. */
size_t messages_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* A stream of frames: mutates one frame's message as above or as bytes, packs or unpacks it, and adapts its header; or
 * mutates the stream as bytes. */
size_t messages_mutate_frames(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's own mutation of bytes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
