/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/insn.h"
