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
	LOOK_LINE = 64,		     /* a cache line; a page's lines are the bits of 64 */
	LOOK_PAGES_MAX = 512,	     /* copied in one run */
	LOOK_PAGE_SLOTS = 1024,	     /* power of two, twice the pages */
	LOOK_CODE_PAGES_MAX = 65536, /* of one address space */
	LOOK_STORE_SLOTS = 16384,    /* power of two */
	LOOK_STORE_BYTES_MAX = 128 * 1024 * 1024,
	LOOK_INSTRUCTION_MAX = 16, /* bytes */
	LOOK_INSTRUCTIONS_PER_BRANCH = 256,
	LOOK_SEEN_LINES = 32768, /* power of two */
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
	uint64_t *last_lines;
	uint8_t *pages; /* LOOK_PAGES_MAX of them */
	struct {
		uint64_t number; /* address / LOOK_PAGE */
		uint64_t lines;	 /* bits: those that were accessed */
	} accessed[LOOK_PAGES_MAX];
	bool full;
};

/* The bytes of a page, or NULL: unreadable, or too many pages (memory->full). */
uint8_t *look_page(struct look_memory *memory, uint64_t address);
/* Copy across pages; false: not readable. Used where an access crosses a page, or is large. */
bool look_load(struct look_memory *memory, uint64_t address, void *bytes, size_t size_bytes);
bool look_store(struct look_memory *memory, uint64_t address, const void *bytes, size_t size_bytes);

/*
 * A decoded page, one for all address spaces and places that have these bytes: programs that start
 * again and again are decoded once. `op_at[offset]` is 1 + the number of the operation that starts
 * there. Operations that name an address were decoded for `home`, a page's address.
 */
struct look_code_page {
	struct look_code_page *next; /* in its slot of the store */
	uint64_t home;
	uint8_t bytes[LOOK_PAGE];
	uint16_t op_at[LOOK_PAGE];
	uint8_t *ops; /* op_count of the set's op_size */
	uint32_t op_count, op_capacity;
	/* the instruction that goes on in the next page, and what was there when it was decoded */
	uint32_t crossing; /* its offset; LOOK_PAGE: none */
	uint8_t behind[LOOK_INSTRUCTION_MAX];
	uint8_t behind_bytes; /* 0: the next page could not be read */
};

struct look_code_store {
	struct look_code_page *slots[LOOK_STORE_SLOTS]; /* by content */
	uint32_t generation;				/* counts how often it was emptied */
	size_t bytes;
};

/* What is at a page of an address space. */
struct look_code_entry {
	uint64_t number;	     /* address / LOOK_PAGE */
	struct look_code_page *page; /* the store's; NULL: a free entry */
	uint32_t checked;	     /* code->epoch when the bytes were last compared with memory */
};

struct pgb_lookahead_code {
	uint64_t space; /* number of this address space, from 1; 0: no run yet */
	uint32_t runs;
	struct look_code_entry *entries; /* open addressing */
	uint32_t capacity, count;
	uint32_t epoch;
	const struct look_code_store *store; /* whose pages these are, */
	uint32_t generation;		     /* .. and as of when */
};

/* When cache lines of data were last accessed, of all address spaces; what collides is forgotten.
 */
struct look_lines {
	struct {
		uint32_t tag, run;
	} seen[LOOK_SEEN_LINES];
	uint64_t spaces;
};

struct look_machine;

/* An instruction set: how an operation is decoded and executed. */
struct look_ops {
	size_t op_size;
	struct look_machine *(*machine_new)(void);
	void (*machine_free)(struct look_machine *machine);
	/*
	 * Decode at `address`; the operation says itself when it cannot be executed. false: the
	 * instruction goes on behind these bytes.
	 */
	bool (*decode)(struct look_machine *machine, const uint8_t *bytes, size_t size_bytes,
		       uint64_t address, void *op);
	/* No room for more native code: forget what there is, and so every operation decoded. */
	bool (*is_full)(const struct look_machine *machine);
	void (*forget)(struct look_machine *machine);
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
	struct look_code_store store;
	struct look_lines lines;
	struct pgb_lookahead_code *code;
	/* where the run is: fetches from one page need no search */
	struct look_code_page *page;
	uint64_t page_number;
	uint64_t moved; /* from the home of the page's operations to where they are now */
	struct pgb_lookahead_branch *branches;
	size_t depth;
	uint64_t instructions_most;
	uint64_t instructions_asked; /* 0: no more than what depth makes of it */
	struct pgb_lookahead_result *result;
	struct pgb_lookahead_registers registers;
};

/* Of the run that ends: result->near_lines and far_lines. */
void look_count_lines(struct pgb_lookahead *look);
/* Before a run with this code. */
void look_code_begin(struct pgb_lookahead *look, struct pgb_lookahead_code *code);
void look_store_clear(struct pgb_lookahead *look);
/*
 * The operation at an address, decoded now or before; NULL: unreadable. look->moved is what
 * to add to an address that the operation names.
 */
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
