/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/spe_packet.h"

#include "pgobolt/base/code.h"

enum {
	HEADER_PADDING = 0x00,
	HEADER_END = 0x01,
	HEADER_TIMESTAMP = 0x71,
	HEADER_EXTENDED = 0x20, /* two bytes; the first has the high bits of the index */
	HEADER_EXTENDED_MASK = 0xfc,
	HEADER_ALIGNMENT_MASK = 0xf0, /* of the first byte; the second is 0 */
	/* 2^n bytes of alignment, n - 1 in the low half of the first byte */
	ALIGNMENT_MASK = 0x0f,
};

/* Headers of one byte, and the kinds whose header may be extended. */
static const struct header_form {
	uint8_t mask, value;
	uint8_t index_bits;
	bool may_extend;
	enum pgb_spe_kind kind;
} forms[] = {
	{0xff, HEADER_END, 0, false, PGB_SPE_END},
	{0xff, HEADER_TIMESTAMP, 0, false, PGB_SPE_TIMESTAMP},
	{0xcf, 0x42, 0, false, PGB_SPE_EVENTS},
	{0xcf, 0x43, 0, false, PGB_SPE_DATA_SOURCE},
	{0xfc, 0x64, 2, false, PGB_SPE_CONTEXT},
	{0xfc, 0x48, 2, false, PGB_SPE_OPERATION},
	{0xf8, 0xb0, 3, true, PGB_SPE_ADDRESS},
	{0xf8, 0x98, 3, true, PGB_SPE_COUNTER},
};

static const struct header_form *find_form(uint8_t header, bool extended)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((header & forms[i].mask) == forms[i].value &&
		    (!extended || forms[i].may_extend))
			return &forms[i];
	return NULL;
}

/* An alignment packet: padding up to the next multiple; false: there is none here. */
static bool skip_alignment(struct pgb_cursor *bytes)
{
	uint64_t alignment, size_bytes;

	if (pgb_cursor_left(bytes) < 2 ||
	    (bytes->at[0] & HEADER_ALIGNMENT_MASK) != HEADER_EXTENDED || bytes->at[1] != 0)
		return false;
	alignment = UINT64_C(1) << ((bytes->at[0] & ALIGNMENT_MASK) + 1);
	size_bytes = alignment - (bytes->offset & (alignment - 1));
	if (size_bytes < 2) /* the packet itself has two bytes */
		size_bytes = 2;
	if (size_bytes > pgb_cursor_left(bytes))
		size_bytes = pgb_cursor_left(bytes);
	pgb_cursor_skip(bytes, size_bytes);
	return true;
}

static bool skip_padding(struct pgb_cursor *bytes)
{
	const uint8_t *start = bytes->at;

	for (;;) {
		size_t length = 0, left = pgb_cursor_left(bytes);

		while (length < left && bytes->at[length] == HEADER_PADDING)
			length++;
		pgb_cursor_skip(bytes, length);
		if (!skip_alignment(bytes))
			return bytes->at != start;
	}
}

static uint64_t read_payload(struct pgb_cursor *bytes, unsigned int size_log2)
{
	switch (size_log2) {
	case 0:
		return pgb_cursor_u8(bytes);
	case 1:
		return pgb_cursor_u16(bytes);
	case 2:
		return pgb_cursor_u32(bytes);
	}
	return pgb_cursor_u64(bytes);
}

int pgb_spe_packet_next(struct pgb_cursor *bytes, struct pgb_spe_packet *packet)
{
	const struct header_form *form;
	struct pgb_cursor at = *bytes;
	unsigned int index = 0;
	uint8_t header;

	*packet = (struct pgb_spe_packet){.offset = bytes->offset};
	if (pgb_cursor_left(bytes) == 0)
		return 0;
	if (skip_padding(bytes)) {
		packet->kind = PGB_SPE_PADDING;
		packet->size_bytes = bytes->offset - packet->offset;
		return 1;
	}
	at.big_endian = false; /* packets are little-endian on every machine */
	header = pgb_cursor_u8(&at);
	if ((header & HEADER_EXTENDED_MASK) == HEADER_EXTENDED) {
		if (pgb_cursor_left(&at) == 0) {
			pgb_cursor_skip(bytes, 1);
			return PGB_E_TRUNCATED;
		}
		index = (header & 3u) << 3;
		header = pgb_cursor_u8(&at);
		form = find_form(header, true);
	} else {
		form = find_form(header, false);
	}
	if (form == NULL) {
		pgb_cursor_skip(bytes, 1);
		return PGB_E_CORRUPT;
	}
	packet->kind = form->kind;
	packet->index = index | (header & ((1u << form->index_bits) - 1));
	if (form->kind != PGB_SPE_END)
		packet->payload = read_payload(&at, header >> 4 & 3);
	if (at.truncated) {
		pgb_cursor_skip(bytes, pgb_cursor_left(bytes));
		return PGB_E_TRUNCATED;
	}
	packet->size_bytes = at.offset - packet->offset;
	pgb_cursor_skip(bytes, packet->size_bytes);
	return 1;
}

/* ---- records */

static void note_address(struct pgb_spe_record *record, const struct pgb_spe_packet *packet)
{
	switch (packet->index) {
	case PGB_SPE_PC:
		record->pc = packet->payload;
		record->parts |= PGB_SPE_HAS_PC;
		break;
	case PGB_SPE_TARGET:
		record->target = packet->payload;
		record->parts |= PGB_SPE_HAS_TARGET;
		break;
	case PGB_SPE_PREVIOUS_TARGET:
		record->previous_target = packet->payload;
		record->parts |= PGB_SPE_HAS_PREVIOUS_TARGET;
		break;
	}
}

/* true: this was its last packet. */
static bool note_packet(struct pgb_spe_record *record, const struct pgb_spe_packet *packet)
{
	switch (packet->kind) {
	case PGB_SPE_END:
		return true;
	case PGB_SPE_TIMESTAMP:
		record->time = packet->payload;
		record->parts |= PGB_SPE_HAS_TIME;
		return true;
	case PGB_SPE_EVENTS:
		record->events = packet->payload;
		record->parts |= PGB_SPE_HAS_EVENTS;
		break;
	case PGB_SPE_CONTEXT:
		record->context = (uint32_t)packet->payload;
		record->parts |= PGB_SPE_HAS_CONTEXT;
		break;
	case PGB_SPE_OPERATION:
		record->operation_class = packet->index;
		record->operation = (unsigned int)packet->payload;
		record->parts |= PGB_SPE_HAS_OPERATION;
		break;
	case PGB_SPE_ADDRESS:
		note_address(record, packet);
		break;
	case PGB_SPE_PADDING:
	case PGB_SPE_DATA_SOURCE:
	case PGB_SPE_COUNTER:
		break;
	}
	return false;
}

int pgb_spe_record_next(struct pgb_cursor *bytes, struct pgb_spe_record *record,
			struct pgb_spe_damage *damage)
{
	struct pgb_spe_packet packet;
	bool started = false, damaged = false;
	int code;

	*record = (struct pgb_spe_record){0};
	while ((code = pgb_spe_packet_next(bytes, &packet)) != 0) {
		if (code == PGB_E_TRUNCATED)
			break;
		started = started || code < 0 || packet.kind != PGB_SPE_PADDING;
		if (code < 0) {
			damage->bytes++;
			damaged = true;
			continue;
		}
		if (!note_packet(record, &packet))
			continue;
		if (!damaged)
			return 1;
		damage->records++;
		*record = (struct pgb_spe_record){0};
		started = damaged = false;
	}
	damage->records += started || code == PGB_E_TRUNCATED;
	return 0;
}

/* ---- words */

static void describe_events(struct pgb_text *text, uint64_t events)
{
	static const char *const names[] = {
		"EXCEPTION-GEN",
		"RETIRED",
		"L1D-ACCESS",
		"L1D-REFILL",
		"TLB-ACCESS",
		"TLB-REFILL",
		"NOT-TAKEN",
		"MISPRED",
		"LLC-ACCESS",
		"LLC-REFILL",
		"REMOTE-ACCESS",
		"ALIGNMENT",
		NULL,
		NULL,
		NULL,
		NULL,
		"TXN",
		"SVE-PARTIAL-PRED",
		"SVE-EMPTY-PRED",
	};

	pgb_text_add(text, "EV");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(events >> i & 1) || names[i] == NULL)
			continue;
		pgb_text_addf(text, " %s", names[i]);
		events &= ~(UINT64_C(1) << i);
	}
	if (events)
		pgb_text_addf(text, " 0x%llx", (unsigned long long)events);
}

static void describe_operation(struct pgb_text *text, unsigned int class, uint64_t operation)
{
	static const char *const kinds[] = {"", " CALL", " RET", " OTHER"};

	switch (class) {
	case PGB_SPE_OTHER:
		pgb_text_add(text, "OTHER");
		break;
	case PGB_SPE_LOAD_STORE:
		pgb_text_add(text, operation & 1 ? "ST" : "LD");
		pgb_text_add(text, (operation & 0xfe) == 0 ? " GP-REG" : "");
		break;
	case PGB_SPE_BRANCH:
		pgb_text_addf(text, "B%s%s%s",
			      operation & PGB_SPE_BRANCH_CONDITIONAL ? " COND" : "",
			      operation & PGB_SPE_BRANCH_INDIRECT ? " IND" : "",
			      kinds[operation >> PGB_SPE_BRANCH_KIND_SHIFT & 3]);
		break;
	default:
		pgb_text_addf(text, "OP class %u 0x%llx", class, (unsigned long long)operation);
	}
}

static void describe_address(struct pgb_text *text, unsigned int index, uint64_t payload)
{
	static const char *const names[] = {"PC", "TGT", "VA", "PA", "PBT"};
	unsigned long long address = pgb_spe_plain_address(payload);
	unsigned int not_secure = payload >> 63;

	if (index >= sizeof(names) / sizeof(names[0]))
		pgb_text_addf(text, "ADDR %u 0x%llx", index, (unsigned long long)payload);
	else if (index == PGB_SPE_DATA_VIRTUAL)
		pgb_text_addf(text, "VA 0x%llx", (unsigned long long)payload); /* with its tag */
	else if (index == PGB_SPE_DATA_PHYSICAL)
		pgb_text_addf(text, "PA 0x%llx ns=%u ch=%u pat=%x", address, not_secure,
			      (unsigned int)(payload >> 62 & 1),
			      (unsigned int)(payload >> 56 & 15));
	else
		pgb_text_addf(text, "%s 0x%llx el%u ns=%u", names[index], address,
			      pgb_spe_level(payload), not_secure);
}

static void describe_counter(struct pgb_text *text, unsigned int index, uint64_t payload)
{
	static const char *const names[] = {"TOT", "ISSUE", "XLAT"};

	if (index < sizeof(names) / sizeof(names[0]))
		pgb_text_addf(text, "LAT %llu %s", (unsigned long long)payload, names[index]);
	else
		pgb_text_addf(text, "LAT %llu counter %u", (unsigned long long)payload, index);
}

void pgb_spe_packet_describe(const struct pgb_spe_packet *packet, struct pgb_text *text)
{
	unsigned long long payload = packet->payload;

	switch (packet->kind) {
	case PGB_SPE_PADDING:
		pgb_text_add(text, "PAD");
		break;
	case PGB_SPE_END:
		pgb_text_add(text, "END");
		break;
	case PGB_SPE_TIMESTAMP:
		pgb_text_addf(text, "TS %llu", payload);
		break;
	case PGB_SPE_EVENTS:
		describe_events(text, packet->payload);
		break;
	case PGB_SPE_DATA_SOURCE:
		pgb_text_addf(text, "DATA-SOURCE %llu", payload);
		break;
	case PGB_SPE_CONTEXT:
		pgb_text_addf(text, "CONTEXT 0x%llx el%u", payload, packet->index + 1);
		break;
	case PGB_SPE_OPERATION:
		describe_operation(text, packet->index, packet->payload);
		break;
	case PGB_SPE_ADDRESS:
		describe_address(text, packet->index, packet->payload);
		break;
	case PGB_SPE_COUNTER:
		describe_counter(text, packet->index, packet->payload);
		break;
	}
}
