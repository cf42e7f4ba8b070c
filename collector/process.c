/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/process.h"
