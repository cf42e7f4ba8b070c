/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/arch.h"
