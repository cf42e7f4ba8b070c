/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/record.h"
