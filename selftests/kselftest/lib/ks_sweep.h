/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sweep: a scenario is done again and again, and each time another of the things
 * that it needs fails, until there are no more.
 */
#ifndef KSELFTEST_KS_SWEEP_H
#define KSELFTEST_KS_SWEEP_H

#include <stdio.h>

#include "ks_fault.h"

struct sweep;

/**
 * struct scenario - a change of a VM
 * @name: of it
 * @setup: makes the VM it is done to; -errno, or 1: cannot be done here (s->skip)
 * @run: does it, or goes on where it stopped when something failed
 * @check: is it done? With @failed, as far as it need not be complete
 * @undo: back to what @setup made; NULL: the VM is destroyed instead
 */
struct scenario {
	const char *name;
	int (*setup)(struct sweep *s);
	int (*run)(struct sweep *s);
	const char *(*check)(struct sweep *s, bool failed);
	int (*undo)(struct sweep *s);
};

/**
 * struct sweep - one scenario, and all that can fail in it
 * @ks: the test
 * @vm: its VM
 * @fault: fault injection
 * @sc: the scenario
 * @ready: the VM is there, as @sc->setup made it
 * @stage: how far @sc->run has come
 * @finalized: the VM can run
 * @skip: why it cannot be done here
 * @text: where sentences are put together
 */
struct sweep {
	struct ks *ks;
	struct td *vm;
	struct ks_fault *fault;
	const struct scenario *sc;
	bool ready;
	unsigned int stage;
	bool finalized;
	const char *skip;
	char text[512];
};

const char *sweep_say(struct sweep *s, const char *fmt, ...);
const char *ks_sweep_allocations(struct sweep *s);
const char *ks_sweep_calls(struct sweep *s);

#endif
