/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/profile.h"
