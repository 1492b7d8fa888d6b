// SPDX-License-Identifier: GPL-2.0
/*
 * Findings of the emulated module: told to the listener, and the first few of
 * each kind to the kernel log. Does not know what they mean; the core counts
 * them.
 *
 * A finding is made in the #UD trap, with IRQs off and any lock of KVM's held.
 * A console may be slow there and may want locks of its own, so the line is
 * printed from irq_work, as soon as IRQs are on again.
 */
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "stub.h"

#define STUB_FINDING_IDS	16	/* kinds of findings told apart */
#define STUB_FINDING_LINES	10	/* lines printed of each kind */

/**
 * struct stub_finding_line - a finding that waits to be printed
 * @f: what the core said
 * @comm: name of the task at hand
 * @pid: its ID
 * @state: 0 free, 1 filled in (release, then acquire), 2 printed
 */
struct stub_finding_line {
	struct tdxm_finding f;
	char comm[TASK_COMM_LEN];
	pid_t pid;
	int state;
};

/**
 * struct stub_finding_kind - findings of one invariant
 * @id: the invariant, set once (cmpxchg), never freed
 * @seen: how many there were
 * @lines: the first of them
 */
struct stub_finding_kind {
	const char *id;
	atomic_t seen;
	struct stub_finding_line lines[STUB_FINDING_LINES];
};

static struct stub_finding_kind stub_kinds[STUB_FINDING_IDS];

static struct stub_finding_kind *stub_find_kind(const char *id)
{
	int i;

	for (i = 0; i < STUB_FINDING_IDS; i++) {
		struct stub_finding_kind *k = &stub_kinds[i];
		const char *old = READ_ONCE(k->id);

		if (!old)
			old = cmpxchg(&k->id, NULL, id);
		if (!old || !strcmp(old, id))
			return k;
	}
	return NULL;
}

/* What the core does not know of a finding is left out. */
static void stub_print_line(const char *id, const struct stub_finding_line *l)
{
	const struct tdxm_finding *f = &l->f;
	const char *leaf = f->leaf < 0 ? NULL : tdxm_leaf_name(f->leaf);
	char where[160] = "";
	int n = 0;

	if (f->gpa != ~0ULL)
		n += scnprintf(where + n, sizeof(where) - n, " gpa 0x%llx", f->gpa);
	if (f->pa != ~0ULL)
		n += scnprintf(where + n, sizeof(where) - n, " pa 0x%llx", f->pa);
	if (f->level >= 0)
		n += scnprintf(where + n, sizeof(where) - n, " level %d", f->level);
	if (f->state >= 0)
		n += scnprintf(where + n, sizeof(where) - n, " state %s",
			       tdxm_sept_state_name(f->state));
	if (leaf)
		n += scnprintf(where + n, sizeof(where) - n, ", leaf %s", leaf);
	if (f->status)
		n += scnprintf(where + n, sizeof(where) - n, " status 0x%llx", f->status);

	pr_err("%s: %s%s%s, td 0x%llx, by %s/%d\n", id, f->what, n ? "," : "", where, f->tdr,
	       l->comm, l->pid);
}

static void stub_print(struct irq_work *work)
{
	int i, n;

	for (i = 0; i < STUB_FINDING_IDS; i++) {
		struct stub_finding_kind *k = &stub_kinds[i];

		for (n = 0; n < STUB_FINDING_LINES; n++) {
			struct stub_finding_line *l = &k->lines[n];

			/* Pairs with the release in stub_finding(): the line is whole. */
			if (smp_load_acquire(&l->state) != 1)
				continue;
			stub_print_line(k->id, l);
			WRITE_ONCE(l->state, 2);
			if (n == STUB_FINDING_LINES - 1)
				pr_err("%s: these were the first %d, more are counted\n", k->id,
				       STUB_FINDING_LINES);
		}
	}
}

/* One CPU prints at a time: an irq_work runs on one CPU, pending or not. */
static struct irq_work stub_print_work = IRQ_WORK_INIT_HARD(stub_print);

/**
 * stub_finding() - the core has seen a violation (struct tdxm_hooks.finding)
 * @m: the module
 * @f: what it saw
 *
 * Context: any but NMI, IRQs may be off.
 */
void stub_finding(struct tdxm *m, const struct tdxm_finding *f)
{
	struct stub_finding_kind *k = stub_find_kind(f->id);
	int n = k ? atomic_fetch_inc(&k->seen) : STUB_FINDING_LINES;

	if (n >= 0 && n < STUB_FINDING_LINES) {
		struct stub_finding_line *l = &k->lines[n];

		l->f = *f;
		memcpy(l->comm, current->comm, sizeof(l->comm));
		l->comm[sizeof(l->comm) - 1] = '\0';
		l->pid = task_pid_nr(current);
		/* Pairs with the acquire in stub_print(). */
		smp_store_release(&l->state, 1);
		irq_work_queue(&stub_print_work);
	}

	stub_trace_finding(f);
	stub_view_finding(f);
}

/**
 * stub_finding_exit() - print what is left
 *
 * Context: no finding can be made any more. May sleep.
 */
void stub_finding_exit(void)
{
	irq_work_sync(&stub_print_work);
}
