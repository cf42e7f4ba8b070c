/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_live.h"
