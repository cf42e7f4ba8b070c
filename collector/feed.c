/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed.h"
