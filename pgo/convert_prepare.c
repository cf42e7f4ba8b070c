/* SPDX-License-Identifier: MIT */
/*
 * What of a binary does not depend on what is read (its functions, who jumps into whose middle) is
 * found in a thread of its own while the recording is read. It has the image for itself until it
 * is waited for. What fails there is tried again where its result is needed, and fails there.
 */
#include <signal.h>

#include "pgo/convert_private.h"

static void *prepare(void *argument)
{
	struct pgb_convert_target *target = argument;

	if (pgb_elf_image_discover(target->image, NULL) == 0)
		(void)pgb_cfgs_new(&target->prepared, target->image, NULL);
	return NULL;
}

void pgb_convert_prepare(struct pgb_conversion *conversion)
{
	sigset_t all, before;

	/* Signals are for the thread that the program began with. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < conversion->job->binary_count; i++) {
		struct pgb_convert_target *target = &conversion->targets[i];

		if (!target->preparing && target->prepared == NULL)
			target->preparing =
				pthread_create(&target->thread, NULL, prepare, target) == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pgb_convert_prepare_wait(struct pgb_conversion *conversion)
{
	for (size_t i = 0; i < conversion->job->binary_count; i++) {
		struct pgb_convert_target *target = &conversion->targets[i];

		if (target->preparing)
			pthread_join(target->thread, NULL);
		target->preparing = false;
	}
}
