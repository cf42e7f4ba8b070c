/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/ring.h"
