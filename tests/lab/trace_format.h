/* SPDX-License-Identifier: MIT */
/*
 * The trace that trace_plugin.c writes and trace.c reads: an exact record of which blocks of
 * instructions a thread executed, one file per thread.
 *
 * After the eight bytes LAB_TRACE_MAGIC come LEB128 numbers. The first of each item holds an
 * enum lab_item in its low two bits:
 *
 *	hits << 2 | LAB_RUN, zigzag(block - last block)
 *	LAB_BLOCK, start, size in bytes, offset of the last instruction, instructions,
 *		size of the last instruction, its bytes
 *	LAB_MAP, start, size in bytes, offset in the file, length of the path, the path
 *	hits << 2 | LAB_OTHER, enum lab_other, ...
 *
 * Blocks are numbered by their definitions, from 1; block 0 is everything outside the range
 * that is traced. Each block predicts the block that followed it last time. A run is a number
 * of right predictions, and then a block that was not predicted.
 */
#ifndef TESTS_LAB_TRACE_FORMAT_H
#define TESTS_LAB_TRACE_FORMAT_H

#define LAB_TRACE_MAGIC_X86_64	"PGBTRCX1"
#define LAB_TRACE_MAGIC_AARCH64 "PGBTRCA1"
#define LAB_TRACE_MAGIC_BYTES	8

enum lab_item { LAB_RUN, LAB_BLOCK, LAB_MAP, LAB_OTHER };

enum lab_other {
	LAB_END,   /* the thread ended, after the hits */
	LAB_START, /* a chain begins at: block. What came before is unknown */
	LAB_EDGE   /* counts only: block, next block, count */
};

#endif
