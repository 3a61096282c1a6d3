/* Compares limits with the ceilings of one zygote. A zygote knows the ceilings that it was started with, and ends when
 * an order is above them. A reload may have changed the configuration since, so the pool checks before it orders. Pure.
 */
#pragma once

#include "proto/base/limit.h"
#include "proto/ipc/channel.h"

#include <stdbool.h>
#include <stdint.h>

/* Lowers the limits that the kernel keeps to the zygote's ceilings. */
void bounds_cut(int64_t limit[LIMIT_COUNT], const struct ceilings *of_zygote);

/* True if the zygote accepts them as they are. */
bool bounds_hold(const int64_t limit[LIMIT_COUNT], const struct ceilings *of_zygote);
