/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/ibs_sample.h"

#include "pgobolt/base/code.h"

int pgb_ibs_sample_read(struct pgb_cursor raw, struct pgb_ibs_sample *sample)
{
	*sample = (struct pgb_ibs_sample){.capabilities = pgb_cursor_u32(&raw)};
	sample->control = pgb_cursor_u64(&raw);
	sample->rip = pgb_cursor_u64(&raw);
	sample->data = pgb_cursor_u64(&raw);
	sample->data_2 = pgb_cursor_u64(&raw);
	sample->data_3 = pgb_cursor_u64(&raw);
	sample->linear_address = pgb_cursor_u64(&raw);
	sample->physical_address = pgb_cursor_u64(&raw);
	if (sample->capabilities & PGB_IBS_CAP_BRANCH_TARGET)
		sample->branch_target = pgb_cursor_u64(&raw);
	if (sample->capabilities & PGB_IBS_CAP_DATA_4)
		sample->data_4 = pgb_cursor_u64(&raw);
	if (raw.truncated || !(sample->capabilities & PGB_IBS_CAP_VALID))
		return PGB_E_CORRUPT;
	return PGB_OK;
}

/* A field of a register: its name, its lowest bit, how many. */
struct field {
	const char *name;
	uint8_t bit, width;
	uint16_t needs; /* a capability; 0: always there */
};

static const struct field control_fields[] = {
	{"L3MissOnly", 16, 1, 0}, {"En", 17, 1, 0},	 {"Val", 18, 1, 0},
	{"CntCtl", 19, 1, 0},	  {"CurCnt", 32, 27, 0},
};
static const struct field data_fields[] = {
	{"CompToRet", 0, 16, 0},
	{"TagToRet", 16, 16, 0},
	{"OpReturn", 34, 1, 0},
	{"BrnTaken", 35, 1, 0},
	{"BrnMisp", 36, 1, 0},
	{"BrnRet", 37, 1, 0},
	{"RipInvalid", 38, 1, PGB_IBS_CAP_RIP_INVALID},
	{"BrnFuse", 39, 1, PGB_IBS_CAP_FUSED},
	{"Microcode", 40, 1, 0},
};
static const struct field data_3_fields[] = {
	{"LdOp", 0, 1, 0},    {"StOp", 1, 1, 0},	{"DcMiss", 7, 1, 0},
	{"L2Miss", 20, 1, 0}, {"DcMissLat", 32, 16, 0},
};

static void describe(struct pgb_text *text, const char *name, uint64_t value,
		     const struct field *fields, size_t count, uint32_t capabilities)
{
	pgb_text_addf(text, "%s %016llx", name, (unsigned long long)value);
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];

		if (field->needs && !(capabilities & field->needs))
			continue;
		pgb_text_addf(text, " %s %llu", field->name,
			      (unsigned long long)(value >> field->bit &
						   ((UINT64_C(1) << field->width) - 1)));
	}
	pgb_text_add(text, "\n");
}

#define FIELDS(fields) fields, sizeof(fields) / sizeof((fields)[0])

void pgb_ibs_sample_describe(const struct pgb_ibs_sample *sample, struct pgb_text *text)
{
	uint32_t capabilities = sample->capabilities;
	uint64_t control = sample->control;
	/* In units of 16; bits 20 to 26 extend bits 0 to 15. */
	uint64_t period = ((control & 0xffff) | (control >> 20 & 0x7f) << 16) << 4;
	char name[64];

	snprintf(name, sizeof(name), "ibs_op_ctl (MaxCnt %llu)", (unsigned long long)period);
	describe(text, name, control, FIELDS(control_fields), capabilities);
	describe(text, "IbsOpRip", sample->rip, NULL, 0, 0);
	describe(text, "ibs_op_data", sample->data, FIELDS(data_fields), capabilities);
	describe(text, "ibs_op_data2", sample->data_2, NULL, 0, 0);
	describe(text, "ibs_op_data3", sample->data_3, FIELDS(data_3_fields), capabilities);
	describe(text, "IbsDCLinAd", sample->linear_address, NULL, 0, 0);
	describe(text, "IbsDCPhysAd", sample->physical_address, NULL, 0, 0);
	if (capabilities & PGB_IBS_CAP_BRANCH_TARGET)
		describe(text, "IbsBrTarget", sample->branch_target, NULL, 0, 0);
	if (capabilities & PGB_IBS_CAP_DATA_4)
		describe(text, "ibs_op_data4", sample->data_4, NULL, 0, 0);
}
