/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_write.h"
