/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/interrupt.h"

#include <stddef.h>

volatile sig_atomic_t pgb_interrupted;

static void note_signal(int number)
{
	(void)number;
	pgb_interrupted = 1;
}

void pgb_interrupt_catch(bool on)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	static struct sigaction before[3];
	struct sigaction action = {.sa_handler = note_signal};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], on ? &action : &before[i], on ? &before[i] : NULL);
}
