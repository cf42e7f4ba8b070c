/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/addrspace.h"
