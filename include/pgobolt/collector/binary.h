/* SPDX-License-Identifier: MIT */
/*
 * One mapped file: who it is, and where its bytes lie in memory.
 *
 * Reads the ELF header, program headers and PT_NOTE with a cursor; sections and symbols are
 * bolt/elf_image's business. ELF class 64 only; either byte order is told apart, little is read.
 * Sources: System V ABI gABI 4.1 chapter 5, elf(5).
 */
#ifndef PGOBOLT_COLLECTOR_BINARY_H
#define PGOBOLT_COLLECTOR_BINARY_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/limits.h"

struct pgb_build_id {
	uint8_t size_bytes; /* 0: none */
	uint8_t bytes[PGB_LIMIT_BUILD_ID_BYTES];
};

/* One PT_LOAD. */
struct pgb_segment {
	uint64_t address; /* p_vaddr: file virtual address */
	uint64_t offset_file;
	uint64_t size_file, size_memory;
	uint64_t align;
	uint32_t flags; /* PF_X 1, PF_W 2, PF_R 4 */
};

enum pgb_binary_kind {
	PGB_BINARY_ELF,	      /* segments are known */
	PGB_BINARY_NOT_ELF,   /* a file mapped executable that is no 64-bit ELF */
	PGB_BINARY_UNREADABLE /* gone or not ours to read; build_id may be known from the kernel */
};

struct pgb_binary {
	char *path;	 /* as the kernel named it, without " (deleted)"; owned */
	char *path_open; /* where it can be read, while fd_held is open; owned */
	int fd_held;	 /* path_open is /proc/PID/fd/N of it; 0: none */
	uint64_t device, inode;
	uint64_t size_bytes;
	int64_t modified_ns;
	enum pgb_binary_kind kind;
	uint16_t machine;   /* EM_X86_64 62, EM_AARCH64 183 */
	bool fixed_address; /* ET_EXEC */
	bool deleted;	    /* the kernel said so while it ran */
	struct pgb_build_id build_id;
	uint64_t code_hash; /* of the executable segments; 0: there is a build-id, see below */
	PGB_ARRAY(struct pgb_segment) segments;
};

/*
 * Fill kind, machine, fixed_address, segments and build_id of a zeroed binary from a whole ELF
 * file. 0, or PGB_E_CORRUPT / PGB_E_TRUNCATED / PGB_E_UNSUPPORTED (32-bit, big-endian); the binary
 * is releasable and of kind NOT_ELF then. A broken note is no error: it is no build-id.
 */
int pgb_binary_parse(struct pgb_binary *binary, struct pgb_cursor bytes);

/*
 * Read the file at `path_open`, remember it under the name `path`, and fill every field;
 * code_hash only where there is no build-id. A file that is no ELF, or a broken one, is a success
 * with kind NOT_ELF. Errors: as pgb_file_map_open(); path and path_open are set and kind is
 * UNREADABLE then. The file is read, never mapped: it may shrink meanwhile.
 */
int pgb_binary_read(struct pgb_binary *binary, const char *path, const char *path_open,
		    struct pgb_error *error);
/* The same through a descriptor, which stays the caller's. */
int pgb_binary_read_descriptor(struct pgb_binary *binary, const char *path, const char *path_open,
			       int fd, struct pgb_error *error);
/* Closes fd_held too. Legal on a zeroed object. */
void pgb_binary_release(struct pgb_binary *binary);

/*
 * Fill code_hash where it is 0: pgb_hash_stream over the address, size and bytes of each
 * executable PT_LOAD, without the ELF header if it lies there (strip changes that). Errors: as
 * pgb_file_map_open(), PGB_E_TRUNCATED (the file is shorter than it says), PGB_E_NOT_SUITABLE
 * (not an ELF).
 */
int pgb_binary_hash_code(struct pgb_binary *binary, struct pgb_error *error);

/*
 * The load bias of an executable mapping: run-time address - bias = file virtual address (modulo
 * 2^64). The executable PT_LOAD most of whose file bytes the mapping holds; where none has any
 * there, perf2bolt's rule (BinaryContext::getBaseAddressForMapping): its file offset, aligned down
 * to its p_align, equals the mapping's. The two agree on what a kernel or a loader maps; the first
 * is right for a part of a segment too (split by mprotect). false: no segment fits.
 */
bool pgb_binary_bias(const struct pgb_binary *binary, uint64_t start, uint64_t length,
		     uint64_t offset_file, uint64_t *bias);

/* "a05de386..." or "h0123456789abcdef" where there is no build-id; the caller frees it. */
char *pgb_binary_id(const struct pgb_binary *binary);

/* Zeros behind the shorter one are padding (perf.data pads to 20 bytes). Two of size 0 differ. */
bool pgb_build_id_equal(const struct pgb_build_id *a, const struct pgb_build_id *b);
/* Lower-case hex; the caller frees it; "" for none. */
char *pgb_build_id_string(const struct pgb_build_id *id);

#endif
