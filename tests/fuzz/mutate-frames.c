/* The custom mutator of fuzzers whose input is a stream of frames. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        return messages_mutate_frames(data, size, max_size, seed);
}
