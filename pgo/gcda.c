/* SPDX-License-Identifier: MIT */
/*
 * gcc's counts of one object, a .gcda file: magic, version, stamp (from gcc 12 on a checksum, too),
 * then records of a tag, a length and so many words, from gcc 12 on bytes; a tag of zero ends them.
 * Behind the record of a function stand its counters. Those that are all zero have a negative
 * length, and no bytes.
 *
 * They are added up here, as gcov-tool 11 and 12 come to an internal error where functions are
 * called through pointers: with any weight, and where not all runs wrote the same files.
 */
#include "pgo/toolchain_private.h"

enum {
	MAGIC = 0x67636461, /* in the writer's byte order, which is ours */
	WORD_BYTES = 4,
	VALUE_BYTES = 8,
	KNOWN_FIRST = 9,   /* whose records can be walked */
	SUMMED_FIRST = 11, /* whose counters of values are lists */
	KNOWN_LAST = 15,
	BYTES_FIRST = 12, /* lengths are of words before */

	TAG_FUNCTION = 0x01000000,
	TAG_COUNTERS = 0x01a10000, /* and 1 << 17 for each kind */
	TAG_SUMMARY = 0xa1000000,
	KIND_SHIFT = 17,

	LIST_MOST = 32, /* values that libgcov counts for one place */
};

/* The kinds of counters, by what is done where two meet. */
enum { ARCS, INTERVAL, POWER_OF_TWO, VALUES, CALLS, AVERAGE, BITS, FIRST_RUN, KINDS };

/* One of two files: a record at a time. */
struct side {
	struct pgb_cursor cursor, values; /* of the record; empty where all are zero */
	uint32_t major, unit_bytes, tag;
	uint64_t length_bytes; /* also of zeros */
	uint64_t weight;
};

/* "B22*" is 12.2; it stands in the bytes of a number. */
static uint32_t major_of(uint32_t version)
{
	return ((version >> 24) - 'A') * 10 + (version >> 16 & 0xff) - '0';
}

static bool read_head(struct side *side)
{
	bool magic = pgb_cursor_u32(&side->cursor) == MAGIC;

	side->major = major_of(pgb_cursor_u32(&side->cursor));
	side->unit_bytes = side->major < BYTES_FIRST ? WORD_BYTES : 1;
	return magic && !side->cursor.truncated;
}

static unsigned int stamps_bytes(const struct side *side)
{
	return side->major < BYTES_FIRST ? WORD_BYTES : 2 * WORD_BYTES;
}

static void next_record(struct side *side)
{
	int64_t length;

	side->values = pgb_cursor_of(NULL, 0);
	side->tag = pgb_cursor_u32(&side->cursor);
	if (side->tag == 0)
		return;
	length = (int32_t)pgb_cursor_u32(&side->cursor);
	side->length_bytes = (uint64_t)(length < 0 ? -length : length) * side->unit_bytes;
	if (length > 0)
		side->values = pgb_cursor_sub(&side->cursor, side->length_bytes);
}

bool pgb_gcda_is_whole(struct pgb_cursor cursor)
{
	struct side side = {.cursor = cursor};

	if (!read_head(&side))
		return false;
	if (side.major < KNOWN_FIRST || side.major > KNOWN_LAST)
		return true;
	pgb_cursor_skip(&side.cursor, stamps_bytes(&side));
	do
		next_record(&side);
	while (side.tag != 0);
	return !side.cursor.truncated;
}

/* ---- the sum */

static uint64_t times(uint64_t value, uint64_t weight)
{
	uint64_t product;

	if (__builtin_mul_overflow(value, weight, &product) || product > INT64_MAX)
		return INT64_MAX;
	return product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static uint64_t next_value(struct side *side)
{
	return pgb_cursor_left(&side->values) > 0 ? pgb_cursor_u64(&side->values) : 0;
}

static void add_bytes(struct pgb_text *sum, const void *bytes, size_t size_bytes)
{
	pgb_text_add_bytes(sum, bytes, size_bytes);
}

static void add_word(struct pgb_text *sum, uint32_t word)
{
	add_bytes(sum, &word, sizeof(word));
}

static void add_value(struct pgb_text *sum, uint64_t value)
{
	add_bytes(sum, &value, sizeof(value));
}

static bool is_counters(const struct side *side)
{
	return side->tag >= TAG_COUNTERS && (side->tag - TAG_COUNTERS) >> KIND_SHIFT < KINDS &&
	       ((side->tag - TAG_COUNTERS) & ((1u << KIND_SHIFT) - 1)) == 0;
}

static uint64_t join(uint32_t kind, const struct side *a, uint64_t in_a, const struct side *b,
		     uint64_t in_b)
{
	if (kind == BITS)
		return in_a | in_b;
	if (kind == FIRST_RUN)
		return in_a && (in_b == 0 || in_a < in_b) ? in_a : in_b;
	return plus(times(in_a, a->weight), times(in_b, b->weight));
}

static void add_plain(struct pgb_text *sum, uint32_t kind, struct side *a, struct side *b,
		      uint64_t length_bytes)
{
	bool zero = pgb_cursor_left(&a->values) == 0 && pgb_cursor_left(&b->values) == 0;
	uint32_t length = (uint32_t)(length_bytes / a->unit_bytes);

	add_word(sum, zero ? -length : length);
	for (uint64_t i = 0; !zero && i < length_bytes / VALUE_BYTES; i++) {
		uint64_t in_a = next_value(a), in_b = next_value(b);

		add_value(sum, join(kind, a, in_a, b, in_b));
	}
}

struct list {
	uint64_t total, values[LIST_MOST], counts[LIST_MOST];
	size_t used;
	bool incomplete; /* as a negative total says */
};

static void list_add(struct list *list, uint64_t value, uint64_t count)
{
	size_t i = 0;

	while (i < list->used && list->values[i] != value)
		i++;
	if (i == LIST_MOST) {
		list->incomplete = true;
		return;
	}
	list->values[i] = value;
	list->counts[i] = plus(i < list->used ? list->counts[i] : 0, count);
	list->used += i == list->used;
}

/* A place's values: how often it ran, how many values, each with its count. */
static void read_list(struct list *list, struct side *side)
{
	int64_t total = (int64_t)next_value(side);
	uint64_t count = next_value(side);

	list->incomplete |= total < 0;
	list->total = plus(list->total,
			   times(total < 0 ? -(uint64_t)total : (uint64_t)total, side->weight));
	for (uint64_t i = 0; i < count && !side->values.truncated && pgb_cursor_left(&side->values);
	     i++) {
		uint64_t value = next_value(side);

		list_add(list, value, times(next_value(side), side->weight));
	}
}

static void add_lists(struct pgb_text *sum, struct side *a, struct side *b, uint64_t length_bytes)
{
	size_t at = sum->length;
	uint32_t length;

	add_word(sum, 0);
	while (pgb_cursor_left(&a->values) > 0 || pgb_cursor_left(&b->values) > 0) {
		struct list list = {0};

		read_list(&list, a);
		read_list(&list, b);
		add_value(sum, list.incomplete ? -list.total : list.total);
		add_value(sum, list.used);
		for (size_t i = 0; i < list.used; i++) {
			add_value(sum, list.values[i]);
			add_value(sum, list.counts[i]);
		}
	}
	length = (uint32_t)((sum->length - at - WORD_BYTES) / a->unit_bytes);
	if (length == 0) /* of any number of places */
		length = -(uint32_t)(length_bytes / a->unit_bytes);
	memcpy(sum->data + at, &length, sizeof(length));
}

/* The record that both are at; the one that has none, or not this one, takes no part. */
static bool add_counters(struct pgb_text *sum, struct side *a, struct side *b)
{
	static const struct side none;
	struct side no_a = none, no_b = none;
	bool in_a = is_counters(a), in_b = is_counters(b);
	uint32_t tag = in_a ? a->tag : b->tag;
	uint32_t kind = (tag - TAG_COUNTERS) >> KIND_SHIFT;
	uint64_t length_bytes = in_a ? a->length_bytes : b->length_bytes;

	no_a.unit_bytes = no_b.unit_bytes = a->unit_bytes;
	if (in_a && in_b && a->tag != b->tag)
		return false;
	if (length_bytes % VALUE_BYTES != 0)
		return false;
	add_word(sum, tag);
	if (kind == VALUES || kind == CALLS)
		add_lists(sum, in_a ? a : &no_a, in_b ? b : &no_b, length_bytes);
	else if (in_a && in_b && a->length_bytes != b->length_bytes)
		return false;
	else
		add_plain(sum, kind, in_a ? a : &no_a, in_b ? b : &no_b, length_bytes);
	if (a->values.truncated || b->values.truncated)
		return false;
	if (in_a)
		next_record(a);
	if (in_b)
		next_record(b);
	return true;
}

/* Where a program has another copy of a function, its record is empty, and no counters follow. */
static bool add_function(struct pgb_text *sum, struct side *a, struct side *b)
{
	const struct side *full = pgb_cursor_left(&a->values) > 0 ? a : b;
	size_t size_bytes = pgb_cursor_left(&full->values);

	if (pgb_cursor_left(&a->values) > 0 && pgb_cursor_left(&b->values) > 0 &&
	    (pgb_cursor_left(&a->values) != pgb_cursor_left(&b->values) ||
	     memcmp(a->values.at, b->values.at, size_bytes) != 0))
		return false;
	add_word(sum, TAG_FUNCTION);
	add_word(sum, (uint32_t)(size_bytes / a->unit_bytes));
	if (size_bytes > 0)
		add_bytes(sum, full->values.at, size_bytes);
	next_record(a);
	next_record(b);
	while (is_counters(a) || is_counters(b))
		if (!add_counters(sum, a, b))
			return false;
	return true;
}

/* How many runs, and the highest count. */
static bool add_summary(struct pgb_text *sum, struct side *a, struct side *b)
{
	uint32_t runs = pgb_cursor_u32(&a->values) + pgb_cursor_u32(&b->values);
	uint64_t in_a = times(pgb_cursor_u32(&a->values), a->weight);
	uint64_t in_b = times(pgb_cursor_u32(&b->values), b->weight);
	uint64_t most = in_a > in_b ? in_a : in_b;

	if (a->length_bytes != 2 * WORD_BYTES || b->length_bytes != 2 * WORD_BYTES)
		return false;
	add_word(sum, TAG_SUMMARY);
	add_word(sum, 2 * WORD_BYTES / a->unit_bytes);
	add_word(sum, runs);
	add_word(sum, most > UINT32_MAX ? UINT32_MAX : (uint32_t)most);
	next_record(a);
	next_record(b);
	return true;
}

bool pgb_gcda_add(struct pgb_text *sum, struct pgb_cursor a, unsigned long weight_a,
		  struct pgb_cursor b, unsigned long weight_b)
{
	struct side first = {.cursor = a, .weight = weight_a};
	struct side second = {.cursor = b, .weight = weight_b};
	size_t head_bytes;
	bool alike = read_head(&first) && read_head(&second) && first.major >= SUMMED_FIRST &&
		     first.major <= KNOWN_LAST;

	head_bytes = 2 * WORD_BYTES + stamps_bytes(&first);
	pgb_cursor_skip(&first.cursor, stamps_bytes(&first));
	pgb_cursor_skip(&second.cursor, stamps_bytes(&first));
	if (!alike || first.cursor.truncated || second.cursor.truncated ||
	    memcmp(a.at, b.at, head_bytes) != 0)
		return false;
	add_bytes(sum, a.at, head_bytes);
	next_record(&first);
	next_record(&second);
	while (alike && first.tag != 0 && first.tag == second.tag) {
		if (first.tag == TAG_FUNCTION)
			alike = add_function(sum, &first, &second);
		else
			alike = first.tag == TAG_SUMMARY && add_summary(sum, &first, &second);
	}
	add_word(sum, 0);
	return alike && first.tag == 0 && second.tag == 0 && !first.cursor.truncated &&
	       !second.cursor.truncated;
}
