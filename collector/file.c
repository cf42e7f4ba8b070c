/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/file.h"
