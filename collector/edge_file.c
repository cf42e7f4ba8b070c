/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/edge_file.h"
