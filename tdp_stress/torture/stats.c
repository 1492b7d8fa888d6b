// SPDX-License-Identifier: GPL-2.0
/*
 * What has been done: the table of operations for users, a line now and then, and
 * the yields of KVM's walks, which nobody else counts.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/math64.h>
#include <linux/string.h>

#include "../kvm/probe.h"
#include "../oracle/oracle.h"
#include "worker.h"

/* --- yields --- */

/*
 * KVM's walks yield through these two, which say whether they did. KVM's own
 * function is static and may be inlined.
 */
static const char * const yield_symbols[] = {
	"__cond_resched_rwlock_read", "__cond_resched_rwlock_write",
};

static void yield_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	struct torture_worker *w;

	if (!(int)tdps_ret(regs))
		return;
	w = torture_current();
	if (w && w->op)
		atomic64_inc(&w->op->yields);
}

static struct fprobe yield_probe = { .exit_handler = yield_exit };
static bool counts_yields;

int torture_stats_start(void)
{
	const char *symbols[ARRAY_SIZE(yield_symbols)];	/* will be sorted */
	int err;

	memcpy(symbols, yield_symbols, sizeof(symbols));
	tdps_probe_room(&yield_probe);
	err = register_fprobe_syms(&yield_probe, symbols, ARRAY_SIZE(symbols));

	counts_yields = !err;
	if (err)
		pr_info("yields are not counted: no probe on %s (%d)\n", yield_symbols[0], err);
	return 0;
}

void torture_stats_stop(void)
{
	if (counts_yields)
		unregister_fprobe(&yield_probe);
	counts_yields = false;
}

/* --- for users --- */

static u64 read(const atomic64_t *n)
{
	return atomic64_read(n);
}

void torture_ops_show(struct seq_file *m)
{
	int i;

	seq_puts(m, "# name root level calls ok retry yield other weight\n");
	for (i = 0; i < torture_nr_ops; i++) {
		const struct torture_op *op = &torture_ops[i];

		seq_printf(m, "%s %s %s %llu %llu %llu %llu %llu %u\n", op->name, op->root, op->level,
			   read(&op->calls), read(&op->result[TDPS_DID]),
			   read(&op->result[TDPS_RETRY]), read(&op->yields),
			   read(&op->result[TDPS_NOTHING]) + read(&op->result[TDPS_REFUSED]),
			   op->weight);
	}
	for (i = 0; i < torture_nr_ops; i++)
		if (torture_ops[i].not_run)
			seq_printf(m, "# not run: %s %s %s: %s\n", torture_ops[i].name,
				   torture_ops[i].root, torture_ops[i].level,
				   torture_ops[i].not_run);
}

struct totals {
	u64 calls;
	u64 result[TDPS_NR_RESULTS];
	u64 yields;
};

static void add_up(struct totals *t)
{
	int i, r;

	*t = (struct totals) {};
	for (i = 0; i < torture_nr_ops; i++) {
		t->calls += read(&torture_ops[i].calls);
		t->yields += read(&torture_ops[i].yields);
		for (r = 0; r < TDPS_NR_RESULTS; r++)
			t->result[r] += read(&torture_ops[i].result[r]);
	}
}

void torture_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	struct totals t;

	add_up(&t);
	fn(ctx, "ops.calls", t.calls);
	fn(ctx, "ops.ok", t.result[TDPS_DID]);
	fn(ctx, "ops.retry", t.result[TDPS_RETRY]);
	fn(ctx, "ops.nothing", t.result[TDPS_NOTHING]);
	fn(ctx, "ops.refused", t.result[TDPS_REFUSED]);
	fn(ctx, "ops.yield", t.yields);
	fn(ctx, "vm.rebuilt", torture_rebuilt());
	fn(ctx, "nx.miscounted", tdps_entry_nx_miscounted());
	torture_guest_stats(fn, ctx);
}

static void add_meeting(void *ctx, const char *name, u64 value)
{
	u64 *met = ctx;

	if (!strncmp(name, "meet.", 5))
		*met += value;
}

/**
 * torture_stats_line() - say how it goes
 * @seconds: since the start
 */
void torture_stats_line(u64 seconds)
{
	struct totals t;
	char verdict[96];
	u64 met = 0;

	add_up(&t);
	tdps_visit_stats(add_meeting, &met);
	tdps_verdict(verdict, sizeof(verdict));
	pr_info("%llu s: %llu operations (%llu/s), %llu ok, %llu retries, %llu yields, %llu meetings, %llu VMs made anew; so far %s\n",
		seconds, t.calls, div64_u64(t.calls, max(seconds, 1ull)), t.result[TDPS_DID],
		t.result[TDPS_RETRY], t.yields, met, torture_rebuilt(), verdict);
}
