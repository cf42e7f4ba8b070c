/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/edges.h"
