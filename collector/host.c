/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/host.h"
