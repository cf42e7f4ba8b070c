/* SPDX-License-Identifier: MIT */
#include "tests/lab/machine.h"

#include <stdlib.h>

#include "pgobolt/base/hash.h"

#define PREDICTOR_SLOTS (1u << 16)

/* Two-bit counters for conditional branches, the last target for indirect ones. */
struct lab_predictor {
	struct {
		uint64_t from;
		uint64_t target;
		uint8_t counter; /* 0..3: taken from 2 on */
	} slots[PREDICTOR_SLOTS];
};

void lab_machine_init(struct lab_machine *machine, struct lab_trace *trace, enum lab_kernel kernel)
{
	*machine = (struct lab_machine){.trace = trace, .kernel = kernel};
	machine->predictor = pgb_calloc(1, sizeof(*machine->predictor));
}

void lab_machine_release(struct lab_machine *machine)
{
	free(machine->predictor);
	machine->predictor = NULL;
}

static bool mispredict(struct lab_predictor *predictor, const struct lab_branch *branch)
{
	size_t at = pgb_hash_u64(branch->from) % PREDICTOR_SLOTS;
	bool wrong = false;

	if (predictor->slots[at].from != branch->from) {
		predictor->slots[at].from = branch->from;
		predictor->slots[at].target = 0;
		predictor->slots[at].counter = 1;
	}
	if (branch->kind == PGB_INSN_CONDITIONAL) {
		uint8_t *counter = &predictor->slots[at].counter;

		wrong = (*counter >= 2) != branch->taken;
		if (branch->taken && *counter < 3)
			(*counter)++;
		if (!branch->taken && *counter > 0)
			(*counter)--;
	} else if (branch->kind == PGB_INSN_JUMP_INDIRECT ||
		   branch->kind == PGB_INSN_CALL_INDIRECT) {
		wrong = predictor->slots[at].target != branch->to;
		predictor->slots[at].target = branch->to;
	}
	return wrong;
}

/* User to kernel is given out, kernel back to user is kept; or only the latter, or neither. */
static bool enter_kernel(struct lab_machine *machine, uint64_t from, uint64_t to,
			 struct lab_branch *branch)
{
	struct lab_branch entry = {.from = from,
				   .to = LAB_KERNEL_ENTRY,
				   .kind = PGB_INSN_SYSCALL,
				   .taken = true,
				   .kernel = true,
				   .instructions = machine->instructions};
	struct lab_branch back = entry;

	back.from = LAB_KERNEL_EXIT;
	back.to = to;
	back.kind = PGB_INSN_RETURN;
	switch (machine->kernel) {
	case LAB_KERNEL_NONE:
		return false;
	case LAB_KERNEL_RETURNS:
		*branch = back;
		return true;
	case LAB_KERNEL_HIDDEN:
		entry.to = back.from = 0;
		break;
	case LAB_KERNEL_BOTH:
		break;
	}
	machine->due = back;
	machine->is_due = true;
	*branch = entry;
	return true;
}

static void fill_branch(struct lab_machine *machine, struct lab_branch *branch)
{
	const struct lab_step *step = &machine->step;

	*branch = (struct lab_branch){
		.from = step->block->outside ? LAB_OUTSIDE_ADDRESS : step->block->last,
		.to = step->next->outside ? LAB_OUTSIDE_ADDRESS : step->next->start,
		.kind = step->block->outside ? PGB_INSN_JUMP_INDIRECT : step->block->insn.kind,
		.length_bytes = (uint8_t)(step->block->end - step->block->last),
		.taken = step->way == LAB_TAKEN,
		.target_before = machine->last_target,
		.instructions = machine->instructions,
	};
	branch->mispredicted = mispredict(machine->predictor, branch);
	if (branch->taken)
		machine->last_target = branch->to;
}

int lab_machine_step(struct lab_machine *machine, struct lab_branch *branch, bool *has_branch)
{
	const struct lab_step *step = &machine->step;
	int code = lab_trace_next(machine->trace, &machine->step);

	if (code <= 0)
		return code;
	machine->instructions += step->block->instructions;
	*has_branch = step->way == LAB_TAKEN || step->way == LAB_NOT_TAKEN;
	if (*has_branch)
		fill_branch(machine, branch);
	else if (step->way == LAB_INTERRUPTED || step->block->insn.kind == PGB_INSN_SYSCALL)
		machine->last_target = step->next->start;
	return 1;
}

int lab_machine_next(struct lab_machine *machine, struct lab_branch *branch)
{
	const struct lab_step *step = &machine->step;
	bool has_branch = false;

	if (machine->is_due) {
		machine->is_due = false;
		*branch = machine->due;
		return 1;
	}
	while (!has_branch) {
		int code = lab_machine_step(machine, branch, &has_branch);

		if (code <= 0)
			return code;
		if (!has_branch &&
		    (step->way == LAB_INTERRUPTED || step->block->insn.kind == PGB_INSN_SYSCALL))
			has_branch =
				enter_kernel(machine, step->block->last, step->next->start, branch);
	}
	return 1;
}
