/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_memory.h"
