/* SPDX-License-Identifier: MIT */
/*
 * rustc: LLVM's profiles by other flags; the linker is a C compiler's driver. It reads sample
 * profiles in nightly builds only (-Zprofile-sample-use), and has no context-sensitive stage.
 */
#include "pgo/toolchain_private.h"

static const struct pgb_flag flags[] = {
	{"-Cprofile-generate=%r", PGB_FLAG_INSTRUMENT | PGB_FLAG_COMPILE},
	{"-Cprofile-use=%p",
	 PGB_FLAG_USE | PGB_FLAG_INSTRUMENT_CS | PGB_FLAG_COMPILE | PGB_FLAG_PROFILE},
	{"-Clink-arg=-Wl,--emit-relocs", PGB_FLAG_USE | PGB_FLAG_SAMPLING | PGB_FLAG_COMPILE},
	{NULL, 0},
};

/* As they stand behind -C, with the blank that may follow it removed. */
static const char *const own_flags[] = {
	"-Cprofile-generate",
	"-Cprofile-use",
	"-Cinstrument-coverage",
	"-Zprofile-sample-use",
	NULL,
};

const struct pgb_toolchain pgb_toolchain_rustc = {
	.name = "rustc",
	.key = "llvm",
	.merger = "llvm-profdata",
	.flags = flags,
	.own_flags = own_flags,
	.merge = pgb_llvm_merge,
};
