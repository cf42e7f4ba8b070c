/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/preagg.h"
