/* Mutation that keeps the shape of the input, so that most inputs get past the outermost checks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Mutates a protobuf message: changes, copies or removes one field, at any depth, and adapts the lengths around it.
 * Returns the new size. */
size_t messages_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Mutates a stream of frames. Either mutates one frame's message by messages_mutate, packs or unpacks the message, and
 * adapts the frame's header; or mutates the whole stream as bytes. */
size_t messages_mutate_frames(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's own mutation of bytes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
