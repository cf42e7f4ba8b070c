/* SPDX-License-Identifier: MIT */
/* What hardware wrote into a perf.data file, in words: packets of SPE, registers of IBS. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/cli/dump_hardware.h"
#include "pgobolt/collector/ibs_sample.h"
#include "pgobolt/collector/spe_packet.h"

enum {
	AUXTRACE_ARM_SPE = 4,
	REGISTERS = 7, /* in every sample of IBS; some CPUs have more */
	REGISTER_BYTES = 8,
};

static bool take_row(struct pgb_dump_part *part, const struct dump *dump)
{
	return part->count++ < dump->limit || dump->limit == 0;
}

static void add_row(struct pgb_dump_part *part, const struct dump *dump, uint64_t offset,
		    const char *text)
{
	if (dump->output->json) {
		json_array_append_new(part->json,
				      json_pack("{s:o, s:o}", "offset", pgb_dump_count(offset),
						"text", pgb_json_text(text)));
		return;
	}
	pgb_table_cell(&part->rows, "%" PRIx64, offset);
	pgb_table_cell(&part->rows, "%s", text);
}

void pgb_dump_hardware_init(struct pgb_dump_hardware *hardware, const struct dump *dump)
{
	*hardware = (struct pgb_dump_hardware){
		.dump = dump,
		.packets = {.rows = {.columns = 2, .right = "r-", .header = true, .indent = 2},
			    .json = json_array()},
		.registers = {.rows = {.columns = 2, .right = "r-", .header = true, .indent = 2},
			      .json = json_array()},
	};
	pgb_dump_heads(&hardware->packets.rows, (const char *const[]){"AUX OFFSET", "PACKET"});
	pgb_dump_heads(&hardware->registers.rows, (const char *const[]){"OFFSET", "REGISTER"});
}

void pgb_dump_hardware_release(struct pgb_dump_hardware *hardware)
{
	pgb_table_release(&hardware->packets.rows);
	pgb_table_release(&hardware->registers.rows);
	json_decref(hardware->packets.json);
	json_decref(hardware->registers.json);
}

void pgb_dump_hardware_info(struct pgb_dump_hardware *hardware, struct pgb_cursor body)
{
	hardware->is_spe = pgb_cursor_u32(&body) == AUXTRACE_ARM_SPE && !body.truncated;
}

void pgb_dump_hardware_aux(struct pgb_dump_hardware *hardware, struct pgb_cursor bytes)
{
	struct pgb_spe_packet packet;
	int code;

	while (hardware->is_spe && (code = pgb_spe_packet_next(&bytes, &packet)) != 0) {
		struct pgb_text text = {0};

		if (!take_row(&hardware->packets, hardware->dump))
			continue;
		if (code == 1)
			pgb_spe_packet_describe(&packet, &text);
		else
			pgb_text_add(&text, code == PGB_E_TRUNCATED ? "(cut)" : "(no packet)");
		add_row(&hardware->packets, hardware->dump, packet.offset, pgb_text_string(&text));
		pgb_text_release(&text);
	}
}

/* As many bytes as these capabilities promise, behind which the kernel puts nothing. */
static bool is_ibs(struct pgb_cursor raw, struct pgb_ibs_sample *sample)
{
	size_t size_bytes = pgb_cursor_left(&raw), registers = REGISTERS;

	if (pgb_ibs_sample_read(raw, sample) < 0)
		return false;
	registers += (sample->capabilities & PGB_IBS_CAP_BRANCH_TARGET) != 0;
	registers += (sample->capabilities & PGB_IBS_CAP_DATA_4) != 0;
	return size_bytes == sizeof(uint32_t) + registers * REGISTER_BYTES;
}

void pgb_dump_hardware_raw(struct pgb_dump_hardware *hardware, struct pgb_cursor raw,
			   uint64_t offset)
{
	struct pgb_ibs_sample sample;
	struct pgb_text text = {0};
	char *line, *rest;

	if (pgb_cursor_left(&raw) == 0 || !is_ibs(raw, &sample) ||
	    !take_row(&hardware->registers, hardware->dump))
		return;
	pgb_text_addf(&text, "capabilities %x\n", sample.capabilities);
	pgb_ibs_sample_describe(&sample, &text);
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		add_row(&hardware->registers, hardware->dump, offset, line);
	pgb_text_release(&text);
}

static void print_part(const struct dump *dump, struct pgb_dump_part *part, const char *heading,
		       const char *what, const char *key, json_t *document)
{
	if (part->count == 0)
		return;
	pgb_output_heading(dump->output, heading);
	pgb_table_print(&part->rows, dump->output);
	if (pgb_dump_rows(dump, (size_t)part->count) < part->count)
		pgb_output_note(dump->output, "%" PRIu64 " of %" PRIu64 " %s; --limit 0 shows all",
				dump->limit, part->count, what);
	json_object_set(document, key, part->json);
}

void pgb_dump_hardware_print(struct pgb_dump_hardware *hardware, json_t *document)
{
	print_part(hardware->dump, &hardware->packets, "SPE packets", "packets", "packets",
		   document);
	print_part(hardware->dump, &hardware->registers, "IBS registers", "samples", "registers",
		   document);
}
