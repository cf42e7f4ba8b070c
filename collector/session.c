/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/session.h"
