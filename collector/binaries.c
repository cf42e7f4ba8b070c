/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/binaries.h"

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"

enum { FIRST_SLOTS = 256 };

/* What the kernel calls a file, and which binary that is. */
struct alias {
	uint64_t device, inode, generation;
	struct pgb_build_id build_id;
	char *path; /* only where there is no inode */
	uint32_t binary;
};

/* Hash to numbers; several may have one hash, the caller tells them apart. */
struct index_slot {
	uint64_t hash;
	uint32_t number; /* one more than it is; 0: free */
};

struct index {
	struct index_slot *slots;
	size_t slot_count, used;
};

struct pgb_binaries {
	struct pgb_binary_opener opener;
	PGB_ARRAY(struct pgb_binary *) items;
	PGB_ARRAY(struct alias) aliases;
	struct index by_alias, by_id;
	uint64_t unreadable, over_limit;
};

static void index_put(struct index *index, uint64_t hash, uint32_t value)
{
	size_t at;

	if (2 * (index->used + 1) > index->slot_count) {
		struct index grown = {.slot_count = index->slot_count ? 2 * index->slot_count
								      : FIRST_SLOTS};

		grown.slots = pgb_calloc(grown.slot_count, sizeof(*grown.slots));
		for (size_t i = 0; i < index->slot_count; i++)
			if (index->slots[i].number != 0)
				index_put(&grown, index->slots[i].hash, index->slots[i].number - 1);
		free(index->slots);
		*index = grown;
	}
	at = hash & (index->slot_count - 1);
	while (index->slots[at].number != 0)
		at = (at + 1) & (index->slot_count - 1);
	index->slots[at] = (struct index_slot){hash, value + 1};
	index->used++;
}

/* Walk the values under a hash: *at is SIZE_MAX at first. false: no more. */
static bool index_next(const struct index *index, uint64_t hash, size_t *at, uint32_t *value)
{
	size_t mask = index->slot_count - 1;

	if (index->slot_count == 0)
		return false;
	*at = *at == SIZE_MAX ? hash & mask : (*at + 1) & mask;
	for (; index->slots[*at].number != 0; *at = (*at + 1) & mask) {
		if (index->slots[*at].hash == hash) {
			*value = index->slots[*at].number - 1;
			return true;
		}
	}
	return false;
}

struct pgb_binaries *pgb_binaries_new(const struct pgb_binary_opener *opener)
{
	struct pgb_binaries *binaries = pgb_calloc(1, sizeof(*binaries));

	binaries->opener = *opener;
	return binaries;
}

static void free_binary(struct pgb_binary *binary)
{
	pgb_binary_release(binary);
	free(binary);
}

void pgb_binaries_free(struct pgb_binaries *binaries)
{
	if (binaries == NULL)
		return;
	for (size_t i = 0; i < binaries->items.count; i++)
		free_binary(binaries->items.items[i]);
	for (size_t i = 0; i < binaries->aliases.count; i++)
		free(binaries->aliases.items[i].path);
	pgb_array_release(&binaries->items);
	pgb_array_release(&binaries->aliases);
	free(binaries->by_alias.slots);
	free(binaries->by_id.slots);
	free(binaries);
}

/* Names that the kernel gives to memory: "", "[vdso]", "//anon", "anon_inode:", .. */
static bool names_memory(const char *path)
{
	static const char *const starts[] = {"/dev/zero", "/SYSV", "/anon_hugepage", "/[aio]"};

	if (path[0] != '/' || path[1] == '/')
		return true;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (pgb_begins_with(path, starts[i]))
			return true;
	return false;
}

static uint64_t alias_hash(const struct pgb_map_event *event)
{
	if (event->inode != 0)
		return pgb_hash_combine(pgb_hash_combine(1, event->device), event->inode);
	return pgb_hash_combine(pgb_hash_bytes(event->path, strlen(event->path)),
				pgb_hash_bytes(event->build_id.bytes, event->build_id.size_bytes));
}

static bool alias_matches(const struct alias *alias, const struct pgb_map_event *event)
{
	if (event->inode != 0)
		return alias->inode == event->inode && alias->device == event->device &&
		       (alias->generation == event->inode_generation || alias->generation == 0 ||
			event->inode_generation == 0);
	return alias->path && strcmp(alias->path, event->path) == 0 &&
	       alias->build_id.size_bytes == event->build_id.size_bytes &&
	       memcmp(alias->build_id.bytes, event->build_id.bytes, event->build_id.size_bytes) ==
		       0;
}

/* NULL: never seen. Borrowed until the next one is added. */
static struct alias *find_alias(struct pgb_binaries *binaries, const struct pgb_map_event *event,
				uint64_t hash)
{
	size_t at = SIZE_MAX;
	uint32_t number;

	while (index_next(&binaries->by_alias, hash, &at, &number)) {
		struct alias *alias = &binaries->aliases.items[number];

		if (alias_matches(alias, event)) {
			if (alias->generation == 0)
				alias->generation = event->inode_generation;
			return alias;
		}
	}
	return NULL;
}

/* What identifies the content; 0: nothing does. */
static uint64_t id_hash(const struct pgb_binary *binary)
{
	const struct pgb_build_id *id = &binary->build_id;
	size_t length = id->size_bytes;

	/* Padded or not: see pgb_build_id_equal(). */
	while (length > 0 && id->bytes[length - 1] == 0)
		length--;
	if (id->size_bytes > 0)
		return pgb_hash_bytes(id->bytes, length) | 1;
	return binary->kind == PGB_BINARY_ELF ? binary->code_hash : 0;
}

/* Rewritten by a tool that keeps the build-id, code has other places. */
static bool same_code_layout(const struct pgb_binary *a, const struct pgb_binary *b)
{
	if (a->segments.count != b->segments.count)
		return false;
	for (size_t i = 0; i < a->segments.count; i++) {
		const struct pgb_segment *left = &a->segments.items[i];
		const struct pgb_segment *right = &b->segments.items[i];

		if (left->address != right->address || left->offset_file != right->offset_file ||
		    left->size_file != right->size_file || left->flags != right->flags)
			return false;
	}
	return true;
}

static bool same_content(const struct pgb_binary *a, const struct pgb_binary *b)
{
	if (a->kind == PGB_BINARY_ELF && b->kind == PGB_BINARY_ELF && !same_code_layout(a, b))
		return false;
	if (a->build_id.size_bytes > 0 || b->build_id.size_bytes > 0)
		return pgb_build_id_equal(&a->build_id, &b->build_id);
	return a->code_hash == b->code_hash;
}

/* A readable binary of the same content, else an unreadable one, else PGB_BINARY_NONE. */
static uint32_t find_content(const struct pgb_binaries *binaries, const struct pgb_binary *binary)
{
	uint32_t unreadable = PGB_BINARY_NONE, number;
	uint64_t hash = id_hash(binary);
	size_t at = SIZE_MAX;

	while (hash != 0 && index_next(&binaries->by_id, hash, &at, &number)) {
		const struct pgb_binary *other = binaries->items.items[number];

		if (!same_content(binary, other))
			continue;
		if (other->kind == PGB_BINARY_ELF)
			return number;
		unreadable = number;
	}
	return binary->kind == PGB_BINARY_ELF ? PGB_BINARY_NONE : unreadable;
}

/* Open what the event names. Always a binary, maybe an unreadable one. */
static struct pgb_binary *open_binary(struct pgb_binaries *binaries,
				      const struct pgb_map_event *event, bool deleted)
{
	struct pgb_binary *binary = pgb_calloc(1, sizeof(*binary));
	int code = binaries->opener.open(binaries->opener.context, binary, event);

	/* Another build than the one that ran is worse than none. */
	if (code != 0 || (event->build_id.size_bytes > 0 && binary->build_id.size_bytes > 0 &&
			  !pgb_build_id_equal(&binary->build_id, &event->build_id))) {
		pgb_binary_release(binary);
		binary->kind = PGB_BINARY_UNREADABLE;
		binary->device = event->device;
		binary->inode = event->inode;
	}
	if (binary->path == NULL)
		binary->path = pgb_dup(event->path);
	if (binary->path_open == NULL)
		binary->path_open = pgb_dup(binary->path);
	if (binary->build_id.size_bytes == 0)
		binary->build_id = event->build_id;
	binary->deleted = deleted;
	return binary;
}

/* Number a binary that is not there yet; takes it. */
static uint32_t add_binary(struct pgb_binaries *binaries, struct pgb_binary *binary)
{
	uint32_t number = (uint32_t)binaries->items.count;
	uint64_t hash = id_hash(binary);

	if (number == PGB_LIMIT_BINARIES) {
		binaries->over_limit++;
		free_binary(binary);
		return PGB_BINARY_NONE;
	}
	pgb_array_push(&binaries->items, binary);
	if (hash != 0)
		index_put(&binaries->by_id, hash, number);
	if (binary->kind == PGB_BINARY_UNREADABLE)
		binaries->unreadable++;
	return number;
}

static uint32_t resolve(struct pgb_binaries *binaries, const struct pgb_map_event *event,
			bool deleted)
{
	struct pgb_binary *binary = open_binary(binaries, event, deleted);
	uint32_t number;

	if (binary->kind != PGB_BINARY_ELF && pgb_begins_with(event->path, "/memfd:")) {
		free_binary(binary);
		return PGB_BINARY_ANONYMOUS;
	}
	number = find_content(binaries, binary);
	if (number == PGB_BINARY_NONE)
		return add_binary(binaries, binary);
	free_binary(binary);
	return number;
}

static void add_alias(struct pgb_binaries *binaries, const struct pgb_map_event *event,
		      uint64_t hash, uint32_t number)
{
	struct alias alias = {.device = event->device,
			      .inode = event->inode,
			      .generation = event->inode_generation,
			      .build_id = event->build_id,
			      .binary = number};

	/* Without an alias a file is only opened again and again. */
	if (binaries->aliases.count == PGB_LIMIT_BINARIES)
		return;
	if (event->inode == 0)
		alias.path = pgb_dup(event->path);
	index_put(&binaries->by_alias, hash, (uint32_t)binaries->aliases.count);
	pgb_array_push(&binaries->aliases, alias);
}

/* The file under this alias has changed, or could not be read before. */
static uint32_t look_again(struct pgb_binaries *binaries, struct alias *alias,
			   const struct pgb_map_event *event, bool deleted)
{
	struct pgb_binary *known = binaries->items.items[alias->binary];
	struct pgb_binary *binary = open_binary(binaries, event, deleted);
	uint32_t number = find_content(binaries, binary);

	if (number == alias->binary && known->inode == binary->inode) {
		/* Touched, no more: do not look again until the next time. */
		known->modified_ns = binary->modified_ns;
		known->size_bytes = binary->size_bytes;
	}
	if (number == PGB_BINARY_NONE && binary->kind == PGB_BINARY_UNREADABLE &&
	    known->kind == PGB_BINARY_UNREADABLE)
		number = alias->binary;
	if (number == PGB_BINARY_NONE)
		number = add_binary(binaries, binary);
	else
		free_binary(binary);
	if (number != PGB_BINARY_NONE)
		alias->binary = number;
	return number;
}

static uint32_t look_up(struct pgb_binaries *binaries, const struct pgb_map_event *event,
			bool deleted)
{
	const struct pgb_binary_opener *opener = &binaries->opener;
	uint64_t hash = alias_hash(event);
	struct alias *alias = find_alias(binaries, event, hash);
	uint32_t number;

	if (alias == NULL) {
		number = resolve(binaries, event, deleted);
		if (number < PGB_BINARY_ANONYMOUS)
			add_alias(binaries, event, hash, number);
		return number;
	}
	if (opener->fresh && !opener->fresh(opener->context, binaries->items.items[alias->binary]))
		return look_again(binaries, alias, event, deleted);
	return alias->binary;
}

uint32_t pgb_binaries_of_mapping(struct pgb_binaries *binaries, const struct pgb_map_event *event)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(event->path), cut = sizeof(suffix) - 1;
	struct pgb_map_event stripped = *event;
	bool deleted = length > cut && strcmp(event->path + length - cut, suffix) == 0;
	uint32_t number;
	char *path;

	if (names_memory(event->path))
		return PGB_BINARY_ANONYMOUS;
	if (!deleted)
		return look_up(binaries, event, false);
	path = pgb_dup_bytes(event->path, length - cut);
	stripped.path = path;
	number = look_up(binaries, &stripped, true);
	free(path);
	return number;
}

uint32_t pgb_binaries_count(const struct pgb_binaries *binaries)
{
	return (uint32_t)binaries->items.count;
}

const struct pgb_binary *pgb_binaries_get(const struct pgb_binaries *binaries, uint32_t index)
{
	pgb_assert(index < binaries->items.count);
	return binaries->items.items[index];
}

uint64_t pgb_binaries_unreadable(const struct pgb_binaries *binaries)
{
	return binaries->unreadable;
}

uint64_t pgb_binaries_over_limit(const struct pgb_binaries *binaries)
{
	return binaries->over_limit;
}
