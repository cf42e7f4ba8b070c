/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/source.h"
