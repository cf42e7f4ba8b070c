/* SPDX-License-Identifier: MIT */
/* The decoders on any bytes: lengths stay inside, targets belong to direct transfers alone. */
#include "pgobolt/base/assert.h"
#include "pgobolt/collector/insn.h"
#include "pgobolt/collector/insn_x86_64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static bool is_direct(enum pgb_insn_kind kind)
{
	return kind == PGB_INSN_JUMP || kind == PGB_INSN_CONDITIONAL || kind == PGB_INSN_CALL;
}

static void walk(enum pgb_insn_set set, const uint8_t *bytes, size_t size_bytes)
{
	size_t at = 0;

	while (at < size_bytes) {
		size_t left = size_bytes - at;
		struct pgb_insn insn;
		int code = pgb_insn_decode(set, bytes + at, left, 0x400000 + at, &insn);

		if (code == PGB_E_TRUNCATED) {
			pgb_assert(left < (set == PGB_INSN_AARCH64 ? 4 : 15));
			return;
		}
		if (code != 0) {
			pgb_assert(code == PGB_E_CORRUPT);
			at += set == PGB_INSN_AARCH64 ? 4 : 1;
			continue;
		}
		pgb_assert(insn.kind < PGB_INSN_KINDS);
		pgb_assert(insn.length_bytes > 0 && insn.length_bytes <= 15);
		pgb_assert(insn.length_bytes <= left);
		pgb_assert(is_direct(insn.kind) || insn.target == UINT64_MAX);
		pgb_assert(!(insn.nop || insn.repeated) || insn.kind == PGB_INSN_LINEAR);
		at += insn.length_bytes;
	}
}

/* What the quick decoder takes on itself, it says as the full one does. */
static void compare(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_insn quick = {.kind = PGB_INSN_KINDS}, full = quick;
	int code = pgb_insn_x86_64_decode(bytes, size_bytes, 0x400000, &quick);

	pgb_assert(code == pgb_insn_x86_64_decode_full(bytes, size_bytes, 0x400000, &full));
	pgb_assert(quick.kind == full.kind && quick.length_bytes == full.length_bytes);
	pgb_assert(quick.nop == full.nop && quick.repeated == full.repeated);
	pgb_assert(quick.target == full.target);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes; at++)
		compare(bytes + at, size_bytes - at);
	walk(PGB_INSN_X86_64, bytes, size_bytes);
	walk(PGB_INSN_AARCH64, bytes, size_bytes);
	return 0;
}
