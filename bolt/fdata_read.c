/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_read.h"
