/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/event.h"
