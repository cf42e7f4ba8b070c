/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/llvm_bolt.h"
