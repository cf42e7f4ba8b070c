/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/binary.h"
