/* SPDX-License-Identifier: MIT */
/*
 * Between the files of look-ahead: the memory copy, the code cache, and what an instruction set
 * has to bring.
 */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_PRIVATE_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_PRIVATE_H

#include <stdbool.h>

#include "pgobolt/base/array.h"
#include "pgobolt/collector/lookahead.h"

enum {
	LOOK_PAGE = 4096,
	LOOK_PAGES_MAX = 512,	/* copied in one run */
	LOOK_PAGE_SLOTS = 1024, /* power of two, twice the pages */
	LOOK_CODE_SLOTS = 4096,
	LOOK_CODE_PAGES_MAX = 3072,
	LOOK_INSTRUCTIONS_PER_BRANCH = 256,
};

/* Pages of the thread as this run sees them: read once, written here only. */
struct look_memory {
	const struct pgb_lookahead_thread *thread;
	struct {
		uint64_t page; /* address / LOOK_PAGE */
		uint32_t run;
		uint32_t index;
	} slots[LOOK_PAGE_SLOTS];
	uint32_t run;
	uint32_t used;
	uint64_t last_page;
	uint8_t *last_bytes;
	uint8_t *pages; /* LOOK_PAGES_MAX of them */
	bool full;
};

/* The bytes of a page, or NULL: unreadable, or too many pages (memory->full). */
uint8_t *look_page(struct look_memory *memory, uint64_t address);
/* Copy across pages; false: not readable. Used where an access crosses a page, or is large. */
bool look_load(struct look_memory *memory, uint64_t address, void *bytes, size_t size_bytes);
bool look_store(struct look_memory *memory, uint64_t address, const void *bytes, size_t size_bytes);

/* One decoded page: `op_at[offset]` is 1 + the number of the operation that starts there. */
struct look_code_page {
	uint64_t page;
	uint32_t checked; /* code->epoch when the bytes were last compared with memory */
	uint8_t bytes[LOOK_PAGE];
	uint16_t op_at[LOOK_PAGE];
	uint8_t *ops; /* op_count of the set's op_size */
	uint32_t op_count, op_capacity;
};

struct pgb_lookahead_code {
	struct look_code_page *slots[LOOK_CODE_SLOTS];
	struct look_code_page *last;
	uint32_t page_count;
	uint32_t epoch;
	uint32_t native_generation; /* native code is thrown away all at once */
	size_t bytes;
};

struct look_machine;

/* An instruction set: how an operation is decoded and executed. */
struct look_ops {
	size_t op_size;
	size_t length_most; /* of an instruction, in bytes; at most 16 */
	struct look_machine *(*machine_new)(void);
	void (*machine_free)(struct look_machine *machine);
	/* Decode at `address`; the operation says itself when it cannot be executed. */
	void (*decode)(struct look_machine *machine, const uint8_t *bytes, size_t size_bytes,
		       uint64_t address, void *op);
	/* Generation of native code; a change makes all decoded operations invalid. */
	uint32_t (*generation)(const struct look_machine *machine);
	void (*begin)(struct look_machine *machine,
		      const struct pgb_lookahead_registers *registers);
	void (*end)(struct look_machine *machine, struct pgb_lookahead_registers *registers);
	/* The run loop; `look` gives the operations and takes the branches. */
	void (*run)(struct pgb_lookahead *look, struct look_machine *machine);
};

extern const struct look_ops look_ops_x86_64, look_ops_aarch64;

/* Tests: the vector registers as the last run on AArch64 left them; false: it needed none. */
bool look_arm_vectors(const struct pgb_lookahead *look, void *bytes);

struct pgb_lookahead {
	const struct look_ops *ops;
	struct look_machine *machine;
	struct look_memory memory;
	struct pgb_lookahead_code *code;
	struct pgb_lookahead_branch *branches;
	size_t depth;
	uint64_t instructions_most;
	uint64_t instructions_asked; /* 0: no more than what depth makes of it */
	struct pgb_lookahead_result *result;
	struct pgb_lookahead_registers registers;
};

/* The operation at an address, decoded now or before; NULL: unreadable or undecodable. */
const void *look_fetch(struct pgb_lookahead *look, uint64_t address);

/* Note a taken branch; false: that was the last one. */
static inline bool look_branch(struct pgb_lookahead *look, uint64_t from, uint64_t to)
{
	struct pgb_lookahead_branch *branch = &look->branches[look->result->branch_count++];

	branch->from = from;
	branch->to = to;
	return look->result->branch_count < look->depth;
}

#endif
