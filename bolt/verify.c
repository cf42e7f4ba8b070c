/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/verify.h"
