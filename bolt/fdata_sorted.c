/* SPDX-License-Identifier: MIT */
/*
 * A line is its key, all up to the counts, and the counts. Files of one program share most of their
 * keys, in the same order: equal keys are found by comparing bytes, and only where they differ are
 * they taken apart.
 */
#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"

#define DIGITS_MOST  18 /* what fits without a check */
#define BUFFER_BYTES (256 * 1024)

struct name {
	const char *bytes; /* escaped */
	size_t length;
	bool escaped;
};

/* What decides about a line's place. */
struct key {
	struct name owner; /* function that the line belongs to */
	bool is_entry;	   /* from outside: behind the owner's own */
	uint64_t offset;
	bool to_symbol; /* outside comes first */
	struct name to;
	uint64_t offset_to;
};

struct line {
	const char *text;
	size_t key_length; /* with the space before the counts */
	bool is_memory;
	uint64_t counts[2]; /* mispredictions and count; or the count alone */
	unsigned int count_count;
	bool has_key;
	struct key key;
};

struct input {
	const char *at, *end;
	uint64_t weight;
	bool done;
	struct line line;
};

struct merge {
	struct input *inputs;
	size_t count;
	bool samples;
	FILE *stream;
	struct line last; /* written before */
	bool has_last;
	char *buffer;
	size_t used;
	struct pgb_fdata_merged *merged;
};

static uint64_t saturating_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) || product > INT64_MAX ? INT64_MAX : product;
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return b > (uint64_t)INT64_MAX - a ? INT64_MAX : a + b;
}

/* The number that ends before `end`, and where it starts; false: none, or a long one. */
static bool read_number_before(const char **end, const char *start, uint64_t *value)
{
	uint64_t place = 1;
	const char *at = *end;

	*value = 0;
	while (at > start && at[-1] >= '0' && at[-1] <= '9') {
		*value += (uint64_t)(*--at - '0') * place;
		place *= 10;
		if (*end - at > DIGITS_MOST)
			return false;
	}
	if (at == *end || at <= start || at[-1] != ' ')
		return false;
	*end = at - 1;
	return true;
}

/* The next line of an input; false: it is not as pgobolt would write it. */
static bool next_line(struct input *input, bool samples)
{
	struct line *line = &input->line;
	bool was_memory = line->is_memory && line->text != NULL;
	const char *newline, *end;

	input->done = input->at == input->end;
	if (input->done)
		return true;
	newline = memchr(input->at, '\n', (size_t)(input->end - input->at));
	*line = (struct line){.text = input->at};
	line->is_memory = *input->at >= '3';
	line->count_count = line->is_memory || samples ? 1 : 2;
	end = newline;
	for (unsigned int i = line->count_count; i-- > 0;) {
		if (!read_number_before(&end, line->text, &line->counts[i]))
			return false;
		line->counts[i] = saturating_multiply(line->counts[i], input->weight);
	}
	line->key_length = (size_t)(end + 1 - line->text);
	input->at = newline + 1;
	return line->is_memory >= was_memory;
}

static bool read_hex(const char **at, uint64_t *value)
{
	const char *start = *at;

	*value = 0;
	for (; (**at >= '0' && **at <= '9') || (**at >= 'a' && **at <= 'f'); ++*at)
		*value = *value << 4 | (uint64_t)(**at <= '9' ? **at - '0' : **at - 'a' + 10);
	return **at == ' ' && *at > start && *at - start <= 16 &&
	       (*start != '0' || *at - start == 1);
}

static bool read_name(const char **at, struct name *name)
{
	*name = (struct name){.bytes = *at};
	for (; **at != ' '; ++*at) {
		if (**at == '\\') {
			name->escaped = true;
			++*at;
			if (**at != ' ' && **at != '\\')
				return false;
		}
		if (**at == '\n' || **at == '\0')
			return false;
	}
	name->length = (size_t)(*at - name->bytes);
	return name->length > 0 && name->length <= PGB_LIMIT_NAME_BYTES;
}

/* "KIND NAME " as it would be written; `base` is the kind of a place outside. */
static bool read_symbol(const char **at, char base, bool *symbol, struct name *name)
{
	static const char outside[] = "[unknown]";

	*symbol = **at == base + 1;
	if ((!*symbol && **at != base) || (*at)[1] != ' ')
		return false;
	*at += 2;
	if (!read_name(at, name))
		return false;
	++*at;
	return *symbol || (name->length == sizeof(outside) - 1 &&
			   memcmp(name->bytes, outside, name->length) == 0);
}

/* "1 NAME ", the name known from before? */
static bool repeats(const char **at, const char *end, const char *before, const struct name *name)
{
	size_t length = (size_t)(name->bytes + name->length + 1 - before);

	if (*at >= end || (size_t)(end - *at) <= length || memcmp(*at, before, length) != 0)
		return false;
	*at += length;
	return true;
}

/* From KIND to the space behind the offset. `before` is a line with the same function, or NULL. */
static bool read_from(const char **at, const struct line *line, const struct line *before,
		      char base, bool *symbol, struct key *key)
{
	if (before != NULL && before->has_key && !before->key.is_entry &&
	    repeats(at, line->text + line->key_length, before->text, &before->key.owner)) {
		*symbol = true;
		key->owner = before->key.owner;
	} else if (!read_symbol(at, base, symbol, &key->owner)) {
		return false;
	}
	if (!read_hex(at, &key->offset) || (!*symbol && key->offset != 0))
		return false;
	++*at;
	return true;
}

static bool read_to(const char **at, const struct line *line, char base, bool from_symbol,
		    struct key *key)
{
	if (from_symbol &&
	    repeats(at, line->text + line->key_length, line->text,
		    &(struct name){.bytes = line->text + 2, .length = key->owner.length})) {
		key->to_symbol = true;
		key->to = key->owner;
	} else if (!read_symbol(at, base, &key->to_symbol, &key->to)) {
		return false;
	}
	if (!read_hex(at, &key->offset_to))
		return false;
	++*at;
	return key->to_symbol || base != '0' || key->offset_to == 0;
}

/* false: not as pgobolt would write it. */
static bool take_apart(struct line *line, const struct line *before, bool samples)
{
	const char *at = line->text;
	char base = line->is_memory ? '3' : '0';
	struct key *key = &line->key;
	bool symbol;

	if (line->has_key)
		return true;
	if (!read_from(&at, line, before, base, &symbol, key))
		return false;
	if ((line->is_memory || !samples) && !read_to(&at, line, base, symbol, key))
		return false;
	if (!symbol) {
		if (!key->to_symbol || line->is_memory)
			return false;
		key->is_entry = true;
		key->owner = key->to;
	}
	line->has_key = at == line->text + line->key_length;
	return line->has_key;
}

/* The byte at `at` without its backslash; -1 behind the end. */
static int plain_byte(const struct name *name, size_t *at)
{
	if (*at >= name->length)
		return -1;
	if (name->bytes[*at] == '\\')
		++*at;
	return (unsigned char)name->bytes[(*at)++];
}

static int compare_names(const struct name *a, const struct name *b)
{
	size_t least = a->length < b->length ? a->length : b->length, at_a = 0, at_b = 0;
	int byte_a, byte_b, order;

	if (!a->escaped && !b->escaped) {
		order = memcmp(a->bytes, b->bytes, least);
		return order ? order : (a->length > b->length) - (a->length < b->length);
	}
	do {
		byte_a = plain_byte(a, &at_a);
		byte_b = plain_byte(b, &at_b);
	} while (byte_a == byte_b && byte_a >= 0);
	return byte_a - byte_b;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_keys(const struct line *x, const struct line *y)
{
	const struct key *a = &x->key, *b = &y->key;
	int order = (int)x->is_memory - (int)y->is_memory;

	if (order == 0)
		order = compare_names(&a->owner, &b->owner);
	if (order == 0)
		order = (int)a->is_entry - (int)b->is_entry;
	if (order == 0)
		order = compare_u64(a->offset, b->offset);
	if (order == 0)
		order = (int)a->to_symbol - (int)b->to_symbol;
	if (order == 0 && a->to_symbol)
		order = compare_names(&a->to, &b->to);
	return order ? order : compare_u64(a->offset_to, b->offset_to);
}

static bool same_key(const struct line *a, const struct line *b)
{
	return a->key_length == b->key_length && memcmp(a->text, b->text, a->key_length) == 0;
}

/* The input with the first line; NULL: all are at their end. false: one is not understood. */
static bool find_first(struct merge *merge, struct input **first)
{
	const struct line *before = merge->has_last ? &merge->last : NULL;

	for (size_t i = 0; i < merge->count; i++) {
		struct input *input = &merge->inputs[i];

		if (input->done)
			continue;
		if (*first == NULL) {
			*first = input;
			continue;
		}
		if (same_key(&(*first)->line, &input->line))
			continue;
		if (!take_apart(&(*first)->line, before, merge->samples) ||
		    !take_apart(&input->line, before, merge->samples))
			return false;
		if (compare_keys(&input->line, &(*first)->line) < 0)
			*first = input;
	}
	return true;
}

static void put(struct merge *merge, const char *bytes, size_t length)
{
	if (length > BUFFER_BYTES - merge->used) {
		fwrite(merge->buffer, 1, merge->used, merge->stream);
		merge->used = 0;
	}
	if (length > BUFFER_BYTES) {
		fwrite(bytes, 1, length, merge->stream);
		return;
	}
	memcpy(merge->buffer + merge->used, bytes, length);
	merge->used += length;
}

static void put_number(struct merge *merge, uint64_t value, char behind)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = behind;
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	put(merge, digits + at, sizeof(digits) - at);
}

/* Sum the lines that have the first one's key, write it, and move on. */
static bool merge_line(struct merge *merge, struct input *first)
{
	struct line line = first->line;

	if (!take_apart(&line, merge->has_last ? &merge->last : NULL, merge->samples) ||
	    (merge->has_last && compare_keys(&merge->last, &line) >= 0))
		return false;
	line.counts[0] = line.counts[1] = 0;
	/* Those before `first` have other keys. */
	for (struct input *input = first; input < merge->inputs + merge->count; input++) {
		if (input->done || (input != first && !same_key(&line, &input->line)))
			continue;
		for (unsigned int i = 0; i < line.count_count; i++)
			line.counts[i] = saturating_add(line.counts[i], input->line.counts[i]);
		if (!next_line(input, merge->samples))
			return false;
	}
	put(merge, line.text, line.key_length);
	for (unsigned int i = 0; i < line.count_count; i++)
		put_number(merge, line.counts[i], i + 1 < line.count_count ? ' ' : '\n');
	merge->merged->lines++;
	merge->merged->total =
		saturating_add(merge->merged->total, line.counts[line.count_count - 1]);
	merge->last = line;
	merge->has_last = true;
	return true;
}

static bool merge_lines(struct merge *merge)
{
	for (size_t i = 0; i < merge->count; i++)
		if (!next_line(&merge->inputs[i], merge->samples))
			return false;
	for (;;) {
		struct input *first = NULL;
		bool understood = find_first(merge, &first);

		if (!understood || first == NULL)
			return understood;
		if (!merge_line(merge, first))
			return false;
	}
}

bool pgb_fdata_merge_sorted(const struct pgb_fdata_lines *inputs, size_t count, bool samples,
			    FILE *stream, struct pgb_fdata_merged *merged)
{
	struct merge merge = {
		.inputs = pgb_calloc(count, sizeof(*merge.inputs)),
		.count = count,
		.samples = samples,
		.stream = stream,
		.buffer = pgb_calloc(BUFFER_BYTES, 1),
		.merged = merged,
	};
	bool good;

	for (size_t i = 0; i < count; i++)
		merge.inputs[i] = (struct input){
			.at = (const char *)inputs[i].bytes.at,
			.end = (const char *)inputs[i].bytes.end,
			.weight = inputs[i].weight,
		};
	good = merge_lines(&merge);
	fwrite(merge.buffer, 1, merge.used, stream);
	free(merge.buffer);
	free(merge.inputs);
	return good;
}
