/* SPDX-License-Identifier: MIT */
/*
 * Jump tables of x86-64 (BinaryContext::analyzeJumpTable, BinaryFunction::processIndirectBranch).
 *
 *	jmp *TABLE(,%index,8)			pointers
 *	mov TABLE(,%index,8), %r1; jmp *%r1
 *	lea TABLE(%rip), %r1; movslq (%r1,%index,4), %r2; add %r1, %r2; jmp *%r2
 *						distances from the table
 */
#include <elf.h>
#include <string.h>

#include "bolt/cfg_private.h"
#include "pgobolt/base/cursor.h"

#define STEPS_LEAST    1000000
#define STEPS_PER_INSN 64

#define POINTER_BYTES  8
#define DISTANCE_BYTES 4

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

bool pgb_cfg_read_operands(struct pgb_cfg_builder *builder, size_t index,
			   struct pgb_cfg_operands *operands)
{
	const struct pgb_cfg_insn *insn = &builder->insns.items[index];

	if (builder->steps_left == 0)
		return false;
	builder->steps_left--;
	return pgb_cfg_x86_operands(builder->bytes + insn->offset, insn->length_bytes,
				    builder->function->address + insn->offset, operands);
}

/*
 * Behind us `add`: which lea gave the table's start? `a` and `b` are the registers added. Scans
 * back from `index` to `first`.
 */
static bool find_distance_table(struct pgb_cfg_builder *builder, size_t index, size_t first,
				uint8_t a, uint8_t b, uint64_t *table)
{
	struct pgb_cfg_operands operands;
	bool loaded = false;

	while (index > first) {
		uint16_t writes;

		index--;
		if (!pgb_cfg_read_operands(builder, index, &operands))
			return false;
		writes = pgb_cfg_x86_writes(&operands);
		if (loaded) {
			if (!(writes >> a & 1))
				continue;
			*table = operands.address;
			return pgb_cfg_x86_is(&operands, PGB_X86_LEA) && operands.rip_relative &&
			       operands.reg == a;
		}
		if (!(writes >> a & 1) && !(writes >> b & 1))
			continue;
		/* The load writes one of the two and reads the other. */
		if (operands.reg == a) {
			a = b;
			b = operands.reg;
		}
		if (!pgb_cfg_x86_is_table_load(&operands, a))
			return false;
		loaded = true;
	}
	return false;
}

static bool is_pointer_table(const struct pgb_cfg_operands *operands)
{
	return operands->has_memory && operands->base < 0 && !operands->rip_relative &&
	       operands->index >= 0 && operands->scale == POINTER_BYTES && !operands->has_segment;
}

/* The table that the indirect jump at `index` goes through, as far back as `first` tells. */
static bool find_table(struct pgb_cfg_builder *builder, size_t index, size_t first,
		       struct pgb_cfg_table *table)
{
	struct pgb_cfg_operands jump, operands;
	uint8_t other;

	if (!pgb_cfg_read_operands(builder, index, &jump))
		return false;
	*table = (struct pgb_cfg_table){.entry_bytes = POINTER_BYTES};
	if (jump.has_memory) {
		table->address = (uint64_t)(int64_t)jump.displacement;
		return is_pointer_table(&jump);
	}
	while (index > first) {
		index--;
		if (!pgb_cfg_read_operands(builder, index, &operands))
			return false;
		if (!(pgb_cfg_x86_writes(&operands) >> jump.rm & 1))
			continue;
		if (pgb_cfg_x86_is(&operands, PGB_X86_MOV_TO_REG) && operands.has_memory) {
			table->address = (uint64_t)(int64_t)operands.displacement;
			return is_pointer_table(&operands);
		}
		if (operands.has_memory || !operands.wide ||
		    !(pgb_cfg_x86_is(&operands, PGB_X86_ADD_TO_RM) ||
		      pgb_cfg_x86_is(&operands, PGB_X86_ADD_TO_REG)))
			return false;
		other = pgb_cfg_x86_is(&operands, PGB_X86_ADD_TO_RM) ? operands.reg : operands.rm;
		table->entry_bytes = DISTANCE_BYTES;
		return other != jump.rm &&
		       find_distance_table(builder, index, first, jump.rm, other, &table->address);
	}
	return false;
}

/* How far a table may reach: to the end of its object, its section, or the next table. */
static uint64_t table_limit(const struct pgb_cfg_builder *builder, uint64_t table)
{
	const struct pgb_elf_section *section =
		pgb_elf_image_section_containing(builder->image, table);
	uint64_t object = pgb_elf_image_object_bytes_at(builder->image, table), end;
	uint64_t next = pgb_cfg_next_table(builder->outside, table);

	if (section == NULL || section->type == SHT_NOBITS || (section->flags & SHF_EXECINSTR))
		return 0;
	end = section->address + section->size_bytes;
	if (object > 0 && table + object < end)
		end = table + object;
	return next < end ? next : end;
}

static bool is_entry(const struct pgb_cfg_builder *builder, uint64_t address,
		     unsigned int entry_bytes)
{
	if (!builder->has_relocations)
		return true;
	return entry_bytes == DISTANCE_BYTES
		       ? pgb_elf_image_has_table_entry(builder->image, address)
		       : pgb_elf_image_has_code_pointer(builder->image, address);
}

/* Is the target in a cold part of the function, or in the function whose cold part this is? */
static bool is_related(const struct pgb_cfg_builder *builder, uint64_t target)
{
	size_t count;
	const struct pgb_cfg_relation *relations =
		pgb_cfg_relations(builder->outside, builder->function, &count);

	for (size_t i = 0; i < count && i < PGB_CFG_PARENTS_MOST; i++) {
		if (target - relations[i].other->address < relations[i].other->size_bytes)
			return true;
	}
	return false;
}

/*
 * Read the entries behind each other while they make sense; their targets go to `targets` (this
 * function) and `others` (its other parts). Is it a table: two targets, or one and a special one?
 */
static bool read_table(const struct pgb_cfg_builder *builder, struct pgb_cfg_table *table,
		       struct pgb_cfg_offsets *targets, struct pgb_cfg_addresses *others)
{
	const struct pgb_elf_function *function = builder->function;
	uint64_t limit = table_limit(builder, table->address);
	size_t left = 0, real = 0, special = 0;
	const uint8_t *bytes = pgb_elf_image_bytes_at(builder->image, table->address, &left);
	struct pgb_cursor cursor = pgb_cursor_of(bytes, bytes ? left : 0);

	for (uint64_t at = table->address; at < limit && limit - at >= table->entry_bytes;
	     at += table->entry_bytes) {
		uint64_t value, offset;

		value = table->entry_bytes == POINTER_BYTES ? pgb_cursor_u64(&cursor)
							    : pgb_cursor_u32(&cursor);
		if (cursor.truncated || !is_entry(builder, at, table->entry_bytes))
			break;
		if (table->entry_bytes == DISTANCE_BYTES)
			value = table->address + (uint64_t)(int64_t)(int32_t)value;
		offset = value - function->address;
		if (offset == function->size_bytes) {
			special = 1; /* __builtin_unreachable() */
			table->entry_count++;
			continue;
		}
		if (offset == 0)
			special = 1;
		else if (offset < function->size_bytes && pgb_cfg_is_start(builder, offset))
			real++;
		else if (offset >= function->size_bytes && is_related(builder, value))
			real++;
		else
			break;
		table->entry_count++;
		if (offset < function->size_bytes)
			pgb_array_push(targets, (uint32_t)offset);
		else
			pgb_array_push(others, value);
	}
	return real + special >= 2;
}

static const struct pgb_cfg_table *known_table(struct pgb_cfg_builder *builder, uint64_t address)
{
	for (size_t i = 0; i < builder->tables.count && builder->steps_left > 0; i++) {
		builder->steps_left--;
		if (builder->tables.items[i].address == address)
			return &builder->tables.items[i];
	}
	return NULL;
}

/* A table: blocks start at its targets, and any indirect jump might use it. */
static void add_table(struct pgb_cfg_builder *builder, struct pgb_cfg_table table)
{
	size_t first = builder->table_targets.count, others = builder->other_targets.count;

	if (known_table(builder, table.address) != NULL || builder->steps_left == 0)
		return;
	if (!read_table(builder, &table, &builder->table_targets, &builder->other_targets)) {
		builder->table_targets.count = first;
		builder->other_targets.count = others;
		return;
	}
	for (size_t i = first; i < builder->table_targets.count; i++) {
		pgb_array_push(&builder->labels, builder->table_targets.items[i]);
		pgb_array_push(&builder->external, builder->table_targets.items[i]);
	}
	table.target_first = (uint32_t)first;
	table.target_count = (uint32_t)(builder->table_targets.count - first);
	pgb_array_push(&builder->tables, table);
}

void pgb_cfg_find_jump_tables(struct pgb_cfg_builder *builder)
{
	size_t count = builder->data_references.count;
	uint64_t *references = builder->data_references.items;
	struct pgb_cfg_table table;

	builder->steps_left = STEPS_LEAST + STEPS_PER_INSN * builder->insns.count;
	if (builder->set != PGB_INSN_X86_64)
		return;
	/* With relocations each address of a table in code is that of a table. */
	if (count > 1)
		qsort(references, count, sizeof(*references), compare_addresses);
	for (size_t i = 0; i < count; i++) {
		if ((i == 0 || references[i] != references[i - 1]) && builder->has_relocations &&
		    pgb_elf_image_has_table_entry(builder->image, references[i]))
			add_table(builder, (struct pgb_cfg_table){.address = references[i],
								  .entry_bytes = DISTANCE_BYTES});
	}
	for (size_t i = 0; i < builder->insns.count; i++) {
		if (builder->insns.items[i].kind == PGB_INSN_JUMP_INDIRECT &&
		    find_table(builder, i, 0, &table))
			add_table(builder, table);
	}
}

static const struct pgb_cfg_table *find_known_table(struct pgb_cfg_builder *builder, size_t index,
						    size_t first)
{
	struct pgb_cfg_table table;

	if (!find_table(builder, index, first, &table))
		return NULL;
	return known_table(builder, table.address);
}

/*
 * The table of the jump. With relocations it must show in the jump's own block, unless it is the
 * only table of the only such jump.
 */
static const struct pgb_cfg_table *table_of(struct pgb_cfg_builder *builder, size_t index,
					    size_t block_first, size_t jump_count)
{
	const struct pgb_cfg_table *table;

	if (!builder->has_relocations)
		return find_known_table(builder, index, 0);
	table = find_known_table(builder, index, block_first);
	if (table == NULL && jump_count == 1 && builder->tables.count == 1)
		table = find_known_table(builder, index, 0);
	return table;
}

/* pop or leave: the block tears the frame down, an indirect jump at its end is a tail call. */
static bool is_epilogue(struct pgb_cfg_builder *builder, size_t first, size_t last)
{
	struct pgb_cfg_operands operands;

	for (size_t i = first; i < last; i++) {
		if (pgb_cfg_read_operands(builder, i, &operands) && operands.map == 0 &&
		    ((operands.opcode & 0xf8) == 0x58 || operands.opcode == 0xc9))
			return true;
	}
	return false;
}

void pgb_cfg_assign_jump_tables(struct pgb_cfg_builder *builder)
{
	size_t transfer = 0, block = 0, block_first = 0, jump_count = 0;

	for (size_t i = 0; i < builder->transfers.count; i++)
		jump_count += builder->transfers.items[i].kind == PGB_INSN_JUMP_INDIRECT;
	for (size_t i = 0; i < builder->insns.count && jump_count > 0; i++) {
		const struct pgb_cfg_insn *insn = &builder->insns.items[i];
		const struct pgb_cfg_table *table;
		struct pgb_cfg_transfer *jump;

		while (block + 1 < builder->blocks.count &&
		       builder->blocks.items[block + 1].offset <= insn->offset)
			block++;
		if (builder->blocks.items[block].offset == insn->offset)
			block_first = i;
		if (insn->kind != PGB_INSN_JUMP_INDIRECT)
			continue;
		while (builder->transfers.items[transfer].offset < insn->offset)
			transfer++;
		jump = &builder->transfers.items[transfer];
		table = builder->set == PGB_INSN_X86_64
				? table_of(builder, i, block_first, jump_count)
				: NULL;
		if (table != NULL) {
			jump->table_first = table->target_first;
			jump->table_count = table->target_count;
		}
		jump->knows_targets =
			table != NULL || !builder->has_relocations ||
			(builder->set == PGB_INSN_X86_64 && is_epilogue(builder, block_first, i));
	}
}
