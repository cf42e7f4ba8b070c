/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/perf_sys.h"
