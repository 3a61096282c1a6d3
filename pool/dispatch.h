/* From a frame to the one who answers it: unpacks, decodes, and calls whom it concerns. */
#pragma once

#include "proto/frame.h"

struct session;

/* Takes body over. */
void dispatch_frame(struct session *s, const struct frame *f, uint8_t *body);
