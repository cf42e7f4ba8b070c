/* SPDX-License-Identifier: MIT */
#include "pgo/cli/weights.h"

#include <inttypes.h>

/* A weight holds for the inputs behind it, up to the next one. */
int pgb_cli_weigh_inputs(const struct pgb_arguments *arguments,
			 const struct pgb_option_list *weights, struct pgb_merge_input *inputs,
			 struct pgb_error *error)
{
	size_t count = arguments->operands.count;

	for (size_t i = 0; i < count; i++)
		inputs[i] = (struct pgb_merge_input){arguments->operands.items[i], 1};
	for (size_t i = 0; i < weights->items.count; i++) {
		const struct pgb_option_item *item = &weights->items.items[i];
		uint64_t weight;
		int code = pgb_parse_unsigned(item->value, &weight, error);

		if (code == 0 && (weight == 0 || weight > UINT32_MAX))
			code = pgb_fail(error, PGB_E_USAGE,
					"--weight %s: a weight is a number from 1 to %" PRIu32,
					item->value, UINT32_MAX);
		if (code == 0 && item->operands_before == count) {
			pgb_fail(error, PGB_E_USAGE, "--weight %s stands behind all inputs",
				 item->value);
			code = pgb_remedy(error,
					  "a weight holds for the inputs after it: "
					  "--weight %s %s",
					  item->value, inputs[count - 1].path);
		}
		if (code)
			return code;
		for (size_t j = item->operands_before; j < count; j++)
			inputs[j].weight = weight;
	}
	return 0;
}
