/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/elf_image.h"
