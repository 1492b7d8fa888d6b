// SPDX-License-Identifier: GPL-2.0
/* What counts as a failure once the threads have stopped. */
#include <string.h>

#include "verdict.h"

/* Shorter runs say nothing about a single vCPU, or about anything. */
#define EACH_VCPU_NS	10000000000ULL
#define ANY_VCPU_NS	2000000000ULL
/* RCU and deferred work may hold a VM for a moment after its last descriptor. */
#define IDLE_NS		10000000000ULL

/**
 * verdict_progress() - did the guests get anywhere?
 * @s: the run; its threads have stopped
 */
void verdict_progress(struct stress *s)
{
	u64 sum = 0, own;
	unsigned int i;

	if (!s->opt.weight[OP_RUN] || s->elapsed_ns < ANY_VCPU_NS)
		return;
	for (i = s->opt.workers; i < s->nr_workers; i++) {
		const struct worker *w = &s->workers[i];

		own = w->exits[TD_EXIT_PROGRESS];
		sum += own;
		if (!own && s->elapsed_ns >= EACH_VCPU_NS)
			stress_fail(s, "P1: TD %u vCPU %u made no progress in %.1f s",
				    w->target->index, w->vcpu->index, s->elapsed_ns / 1e9);
	}
	if (!sum)
		stress_fail(s, "P1: no vCPU made progress in %.1f s", s->elapsed_ns / 1e9);
}

/**
 * verdict_idle() - is everything given back, soon after the last TD is gone?
 * @s: the run; its TDs are torn down
 */
void verdict_idle(struct stress *s)
{
	u64 until = now_ns() + IDLE_NS;
	char why[128] = "";

	while (!modules_idle(&s->modules, why, sizeof(why))) {
		if (now_ns() > until) {
			stress_fail(s, "after teardown %s", why);
			return;
		}
		sleep_us(50000);
	}
}

/**
 * verdict_modules() - what the two modules saw
 * @s: the run; counters are read again
 */
void verdict_modules(struct stress *s)
{
	struct modules *m = &s->modules;
	struct module_violation v = {};
	char line[192];

	modules_read(m);
	while (modules_next_violation(m, &v))
		stress_fail(s, "%s: %llu of %s, see dmesg", module_name(v.id), v.nr, v.name);
	if (modules_verdict(m, line, sizeof(line)) && !strncmp(line, "FAILURE", 7))
		stress_fail(s, "%s: %s", module_name(MODULE_STRESS), line);
}
