// SPDX-License-Identifier: GPL-2.0
/*
 * The verdict: violations found, checks made and not made, counters. Prints a
 * violation as one line, and what its thread did before. Judges nothing itself.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "internal.h"
#include "tracepoints.h"

#define SHOWN_IN_FULL	5	/* violations of a kind that are printed */
#define EVENTS_SHOWN	12	/* events of the thread that go with each */
#define OTHERS_SHOWN	8	/* events of others at that place, likewise */
#define LINES		128	/* violations kept for debugfs */

static const char * const names[] = {
	TDPS_CHECK_NAMES(TDPS_NAME_AT, TDPS_NAME_AT)
};

/* Checks that a load need not bring about; without it they are listed as not made. */
static const char * const seldom[TDPS_NR_CHECKS] = {
	[TDPS_S1] = "nothing was split",
	[TDPS_S2] = "nothing was promoted",
	[TDPS_D1] = "nobody told what a guest wrote",
};

bool tdps_verbose;
tdps_violation_fn tdps_violation_to;
tdps_tables_fn tdps_tables;
const struct tdps_calls *tdps_calls;

static atomic64_t violations[TDPS_NR_CHECKS];
static const char *impossible[TDPS_NR_CHECKS];
static unsigned long asked_checks;
static bool asked_for_all;
static bool td_seen;
static atomic_long_t mem_bytes;

/* Lines are claimed by a counter and published by their first character. */
static struct tdps_kept *lines;
static atomic_t next_line;

const char *tdps_check_name(enum tdps_check id)
{
	return id < TDPS_NR_CHECKS ? names[id] : "?";
}

enum tdps_check tdps_check_by_name(const char *name, size_t len)
{
	int id;

	for (id = 0; id < TDPS_NR_CHECKS; id++)
		if (strlen(names[id]) == len && !strncasecmp(names[id], name, len))
			return id;
	return TDPS_NO_CHECK;
}

void tdps_mem_account(size_t bytes)
{
	atomic_long_add(bytes, &mem_bytes);
}

size_t tdps_mem_bytes(void)
{
	return atomic_long_read(&mem_bytes);
}

void tdps_td_seen(void)
{
	if (!READ_ONCE(td_seen))
		WRITE_ONCE(td_seen, true);
}

static u64 unsupported;
static const char *unsupported_why;

void tdps_unsupported(u64 n, const char *why)
{
	WRITE_ONCE(unsupported, n);
	WRITE_ONCE(unsupported_why, why);
}

void tdps_not_possible(enum tdps_check id, const char *why)
{
	if (!impossible[id])
		impossible[id] = why;
	tdps_enabled &= ~BIT(id);
}

void tdps_verdict_asked(unsigned long asked, bool all)
{
	asked_checks = asked;
	asked_for_all = all;
}

/**
 * tdps_who_is_current() - describe the current thread
 * @who: filled in
 *
 * Context: any.
 */
void tdps_who_is_current(struct tdps_who *who)
{
	struct tdps_frame *f = tdps_ctx_frame(tdps_ctx_current());

	who->pid = current->pid;
	who->op = f ? f->op : TDPS_OP_NONE;
	who->calls = tdps_calls_now();
	strscpy_pad(who->comm, current->comm);
}

static const char * const lock_names[] = {
	[TDPS_LOCK_UNKNOWN] = "unknown",
	[TDPS_LOCK_NONE] = "not held",
	[TDPS_LOCK_READ] = "read",
	[TDPS_LOCK_WRITE] = "write",
};

/* A line for itself, behind what it is about. */
static void print_calls(const char *indent, u16 calls)
{
	char line[TDPS_CALLS_LENGTH];

	if (calls && tdps_calls && tdps_calls->str(calls, line, sizeof(line)))
		pr_err("%sin KVM: %s\n", indent, line);
}

static void print_events(pid_t pid, const struct tdps_where *others_at, int max)
{
	struct tdps_event ev[EVENTS_SHOWN];
	u64 now = ktime_get_mono_fast_ns();
	int i, n = tdps_recorder_last(pid, others_at, ev, max);
	char line[160], by[24] = "";

	for (i = 0; i < n; i++) {
		u64 us = (now - min(ev[i].ns, now)) / NSEC_PER_USEC;

		tdps_event_str(&ev[i], line, sizeof(line));
		if (others_at)
			scnprintf(by, sizeof(by), " by pid %u", ev[i].pid);
		pr_err("  %llu us ago%s: %s\n", us, by, line);
		print_calls("    ", tdps_event_calls(&ev[i]));
	}
}

static __printf(6, 0)
void put_into_words(char *line, size_t size, enum tdps_check id, const struct tdps_where *w,
		    const struct tdps_who *who, const char *fmt, va_list args)
{
	size_t n = scnprintf(line, size, "%s: ", names[id]);

	n += vscnprintf(line + n, size - n, fmt, args);
	if (who->op != TDPS_OP_NONE)
		n += scnprintf(line + n, size - n, ", in %s", tdps_op_name(who->op));
	if (w->gfn != TDPS_NO_GFN)
		n += scnprintf(line + n, size - n, ", gfn 0x%llx", w->gfn);
	if (w->gfn != TDPS_NO_GFN && w->level)
		n += scnprintf(line + n, size - n, " level %d", w->level);
	scnprintf(line + n, size - n, ", by %s/%d (mmu_lock %s)", who->comm, who->pid,
		  lock_names[w->lock]);
}

/* It follows from a failure on purpose. */
static bool is_no_violation(enum tdps_check id, const struct tdps_where *w)
{
	if (!tdps_excused(id, w))
		return false;
	tdps_count(excused);
	return true;
}

static __printf(4, 0)
void report(enum tdps_check id, const struct tdps_where *w, const struct tdps_who *who,
	    const char *fmt, va_list args)
{
	char line[sizeof(lines->line)];
	int slot;
	u64 n;

	n = atomic64_inc_return(&violations[id]);
	tdps_record(TDPS_EV_VIOLATION, id, w, 0, 0, 0);
	put_into_words(line, sizeof(line), id, w, who, fmt, args);
	tdps_trace(violation, id, w, who->pid, line);
	if (!tdps_violation_to && n > SHOWN_IN_FULL && !READ_ONCE(tdps_verbose)) {
		/* 10, 100, 1000, ...: still going on */
		u64 p = 10;

		while (p < n)
			p *= 10;
		if (p == n)
			pr_err("%s: seen %llu times by now\n", names[id], n);
		return;
	}
	if (tdps_violation_to) {
		tdps_violation_to(id, line);
		return;
	}
	tdps_recorder_keep();
	pr_err("%s\n", line);
	slot = atomic_fetch_inc(&next_line);
	if (slot < LINES) {
		struct tdps_kept *k = &lines[slot];

		k->id = id;
		k->gfn = w->gfn;
		k->level = w->level;
		strscpy(k->line + 1, line + 1, sizeof(k->line) - 1);
		/* pairs with line_of(): all the rest is there */
		smp_store_release(&k->line[0], line[0]);
	}
	print_calls("  ", who->calls);
	print_events(who->pid, NULL, EVENTS_SHOWN);
	/* a race has two sides */
	if (w->gfn != TDPS_NO_GFN)
		print_events(who->pid, w, OTHERS_SHOWN);
	/* where it is seen by another thread, the VM may be gone */
	if (n == 1 && tdps_tables && w->gfn != TDPS_NO_GFN && in_task() &&
	    who->pid == current->pid)
		tdps_tables(w);
}

/**
 * tdps_violation() - an invariant is broken, by the current thread
 * @id: which
 * @w: where
 * @fmt: what, one clause
 *
 * Context: any where printk() may be called.
 */
void tdps_violation(enum tdps_check id, const struct tdps_where *w, const char *fmt, ...)
{
	struct tdps_who who;
	va_list args;

	if (is_no_violation(id, w))
		return;
	tdps_who_is_current(&who);
	va_start(args, fmt);
	report(id, w, &who, fmt, args);
	va_end(args);
}

/**
 * tdps_violation_anyway() - ... that no failure on purpose excuses
 * @id: which
 * @w: where
 * @fmt: what, one clause
 *
 * Context: as tdps_violation().
 */
void tdps_violation_anyway(enum tdps_check id, const struct tdps_where *w, const char *fmt, ...)
{
	struct tdps_who who;
	va_list args;

	tdps_who_is_current(&who);
	va_start(args, fmt);
	report(id, w, &who, fmt, args);
	va_end(args);
}

/**
 * tdps_violation_by() - an invariant is broken, by another thread
 * @id: which
 * @w: where
 * @who: by whom
 * @fmt: what, one clause
 *
 * Context: any where printk() may be called.
 */
void tdps_violation_by(enum tdps_check id, const struct tdps_where *w,
		       const struct tdps_who *who, const char *fmt, ...)
{
	va_list args;

	if (is_no_violation(id, w))
		return;
	va_start(args, fmt);
	report(id, w, who, fmt, args);
	va_end(args);
}

/*
 * Violations on their way from a context where nothing may be printed (the
 * console's own, the trap of the emulated module) to deferred_work. Slots are
 * taken with a counter and never waited for.
 */
#define DEFERRED	16

enum { FREE, TAKEN, READY };

static struct deferred {
	int state;
	enum tdps_check id;
	struct tdps_where where;
	struct tdps_who who;
	char text[160];
} deferred[DEFERRED];

static atomic_t next_deferred;

static void report_deferred(struct irq_work *unused)
{
	int i;

	for (i = 0; i < DEFERRED; i++) {
		struct deferred *d = &deferred[i];

		/* pairs with tdps_violation_deferred() */
		if (smp_load_acquire(&d->state) != READY)
			continue;
		tdps_violation_by(d->id, &d->where, &d->who, "%s", d->text);
		/* read before it is given up */
		smp_store_release(&d->state, FREE);
	}
}

static DEFINE_IRQ_WORK(deferred_work, report_deferred);

void tdps_violation_deferred(enum tdps_check id, const struct tdps_where *w, const char *text)
{
	struct deferred *d = &deferred[(u32)atomic_fetch_inc(&next_deferred) % DEFERRED];

	/* so many at once: the first ones tell the story, this one is counted */
	if (cmpxchg(&d->state, FREE, TAKEN) != FREE) {
		if (!tdps_excused(id, w))
			atomic64_inc(&violations[id]);
		return;
	}
	d->id = id;
	d->where = *w;
	tdps_who_is_current(&d->who);
	strscpy(d->text, text);
	/* pairs with report_deferred(): all of it is written */
	smp_store_release(&d->state, READY);
	irq_work_queue(&deferred_work);
}

/* Nothing was seen yet, whatever was seen in an earlier life. */
static void forget(void)
{
	int i;

	for (i = 0; i < TDPS_NR_CHECKS; i++) {
		atomic64_set(&violations[i], 0);
		impossible[i] = NULL;
	}
	for_each_possible_cpu(i)
		memset(per_cpu_ptr(&tdps_counters, i), 0, sizeof(struct tdps_counters));
	atomic_set(&next_line, 0);
	td_seen = false;
	unsupported = 0;
	tdps_excuse_init();
}

int tdps_verdict_init(void)
{
	forget();
	lines = vcalloc(LINES, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	tdps_mem_account(LINES * sizeof(*lines) + sizeof(tdps_counters) * num_possible_cpus());
	return 0;
}

void tdps_verdict_exit(void)
{
	irq_work_sync(&deferred_work);
	vfree(lines);
	lines = NULL;
}

/* NULL: it is not there, or not yet. */
static const struct tdps_kept *line_of(u32 n)
{
	/* pairs with report() */
	return n < LINES && smp_load_acquire(&lines[n].line[0]) ? &lines[n] : NULL;
}

void tdps_violations_show(struct seq_file *m)
{
	const struct tdps_kept *k;
	u32 i;

	for (i = 0; (k = line_of(i)); i++)
		seq_printf(m, "%s\n", k->line);
}

bool tdps_violation_kept(u32 n, struct tdps_kept *kept)
{
	const struct tdps_kept *k;

	irq_work_sync(&deferred_work);
	k = line_of(n);
	if (k)
		*kept = *k;
	return k;
}

u64 tdps_violations_total(void)
{
	u64 total = 0;
	int id;

	irq_work_sync(&deferred_work);
	for (id = 0; id < TDPS_NR_CHECKS; id++)
		total += atomic64_read(&violations[id]);
	return total;
}

/* A counter of struct tdps_counters, summed; maxima are their maximum. */
static u64 sum(size_t offset, bool max)
{
	u64 total = 0, v;
	int cpu;

	for_each_possible_cpu(cpu) {
		v = READ_ONCE(*(u64 *)((char *)per_cpu_ptr(&tdps_counters, cpu) + offset));
		total = max ? max(total, v) : total + v;
	}
	return total;
}

#define SUM(field)	sum(offsetof(struct tdps_counters, field), false)
#define MAXIMUM(field)	sum(offsetof(struct tdps_counters, field), true)

u64 tdps_violations_excused(void)
{
	return SUM(excused);
}

static u64 checks_made(enum tdps_check id)
{
	return sum(offsetof(struct tdps_counters, check) + id * sizeof(u64), false);
}

/**
 * tdps_verdict() - is KVM good?
 * @buf: "SUCCESS", "FAILURE: <ids>" or "UNSUPPORTED: why", without newline
 * @len: its size
 *
 * Success takes a TD that was seen and every check asked for made at least
 * once; of "all", those that are possible here and that the load gave cause for.
 * Violations on their way are waited for.
 *
 * Context: may sleep.
 */
void tdps_verdict(char *buf, size_t len)
{
	size_t n = 0;
	int id;

	irq_work_sync(&deferred_work);

	for (id = 0; id < TDPS_NR_CHECKS; id++)
		if (atomic64_read(&violations[id]))
			n += scnprintf(buf + n, len - n, "%s%s", n ? " " : "FAILURE: ", names[id]);
	if (n)
		return;
	if (!asked_checks) {
		scnprintf(buf, len, "UNSUPPORTED: no oracle was asked for");
		return;
	}
	if (!td_seen) {
		scnprintf(buf, len, "UNSUPPORTED: no TD was seen");
		return;
	}
	for (id = 0; id < TDPS_NR_CHECKS; id++) {
		if (!(asked_checks & BIT(id)) || checks_made(id) ||
		    ((impossible[id] || seldom[id]) && asked_for_all))
			continue;
		n += scnprintf(buf + n, len - n, "%s%s", n ? " " : "UNSUPPORTED: never checked: ",
			       names[id]);
		if (impossible[id])
			n += scnprintf(buf + n, len - n, " (%s)", impossible[id]);
	}
	if (n)
		return;
	if (READ_ONCE(unsupported)) {
		scnprintf(buf, len, "UNSUPPORTED: %s (%llu times)", READ_ONCE(unsupported_why),
			  READ_ONCE(unsupported));
		return;
	}
	scnprintf(buf, len, "SUCCESS");
}

void tdps_not_checked(char *buf, size_t len)
{
	const char *why;
	size_t n = 0;
	int id;

	*buf = '\0';
	for (id = 0; id < TDPS_NR_CHECKS; id++) {
		why = impossible[id];
		if (!why && asked_for_all && !checks_made(id))
			why = seldom[id];
		if ((asked_checks & BIT(id)) && why)
			n += scnprintf(buf + n, len - n, "%s%s (%s)", n ? ", " : "", names[id],
				       why);
	}
}

static const char * const event_names[] = {
	[TDPS_EV_NONE] = NULL,
	[TDPS_EV_OP_BEGIN] = "op_begin",
	[TDPS_EV_OP_END] = "op_end",
	[TDPS_EV_EXT_BEGIN] = "extop_begin",
	[TDPS_EV_EXT_END] = "extop_end",
	[TDPS_EV_SEAMCALL] = "seamcall",
	[TDPS_EV_SPTE] = "spte_changed",
	[TDPS_EV_TABLE_NEW] = "table_new",
	[TDPS_EV_TABLE_ZAP] = "table_zap",
	[TDPS_EV_TABLE_FREE] = "table_free",
	[TDPS_EV_FLUSH] = "flush",
	[TDPS_EV_KICK] = "kick",
	[TDPS_EV_AUDIT] = "audit",
	[TDPS_EV_VIOLATION] = "violation",
};

/* Those of a frozen window always, the others if there were any. */
static void visit_meetings(tdps_stat_fn fn, void *ctx)
{
	char name[32];
	int w, op;
	u64 n;

	for (w = 0; w < TDPS_NR_MEET_WINDOWS; w++) {
		for (op = 0; op < TDPS_NR_MEET_OPS; op++) {
			n = sum(offsetof(struct tdps_counters, meet) +
				(w * TDPS_NR_MEET_OPS + op) * sizeof(u64), false);
			scnprintf(name, sizeof(name), "meet.%s.%s", tdps_meet_windows[w],
				  tdps_meet_ops[op]);
			if (n || w == TDPS_MEET_FROZEN)
				fn(ctx, name, n);
		}
	}
}

/* "frozen.below_ns.1024 7": seven took 512 to 1023 ns; only where there is one. */
static void visit_histogram(tdps_stat_fn fn, void *ctx, const char *what, size_t offset)
{
	char name[40];
	u64 n;
	int i;

	for (i = 0; i < TDPS_BUCKETS; i++) {
		n = sum(offset + i * sizeof(u64), false);
		scnprintf(name, sizeof(name), "%s.below_ns.%llu", what, 1ULL << i);
		if (n)
			fn(ctx, name, n);
	}
}

#define HISTOGRAM(what, field) \
	visit_histogram(fn, ctx, what, offsetof(struct tdps_counters, field))

/**
 * tdps_visit_stats() - all counters as "name value" pairs, in a stable order
 * @fn: called for each
 * @ctx: handed to @fn
 */
void tdps_visit_stats(tdps_stat_fn fn, void *ctx)
{
	char name[32];
	int i;

	for (i = TDPS_EV_OP_BEGIN; i < TDPS_NR_EVENTS; i++) {
		scnprintf(name, sizeof(name), "event.%s", event_names[i]);
		fn(ctx, name, sum(offsetof(struct tdps_counters, event) + i * sizeof(u64), false));
	}
	for (i = 0; i < TDPS_NR_CHECKS; i++) {
		scnprintf(name, sizeof(name), "check.%s", names[i]);
		fn(ctx, name, checks_made(i));
	}
	for (i = 0; i < TDPS_NR_CHECKS; i++) {
		scnprintf(name, sizeof(name), "violation.%s", names[i]);
		fn(ctx, name, atomic64_read(&violations[i]));
	}
	fn(ctx, "frozen.count", SUM(frozen_count));
	fn(ctx, "frozen.ns", SUM(frozen_ns));
	fn(ctx, "frozen.max_ns", MAXIMUM(frozen_max_ns));
	HISTOGRAM("frozen", frozen_hist);
	fn(ctx, "extop.ok", SUM(ext_ok));
	fn(ctx, "extop.busy", SUM(ext_busy));
	fn(ctx, "extop.error", SUM(ext_error));
	fn(ctx, "lock.write_max_ns", MAXIMUM(write_max_ns));
	fn(ctx, "lock.read_max_ns", MAXIMUM(read_max_ns));
	HISTOGRAM("lock.write", write_hist);
	HISTOGRAM("lock.read", read_hist);
	fn(ctx, "audit.count", SUM(audit_count));
	fn(ctx, "audit.max_ns", MAXIMUM(audit_max_ns));
	fn(ctx, "audit.sptes", SUM(audit_sptes));
	fn(ctx, "retry.count", SUM(retry_count));
	fn(ctx, "retry.max", MAXIMUM(retry_max));
	visit_meetings(fn, ctx);
	fn(ctx, "split.ok", SUM(split_ok));
	fn(ctx, "split.failed", SUM(split_failed));
	fn(ctx, "refused", SUM(refused));
	fn(ctx, "refused.splats", SUM(refused_splat));
	fn(ctx, "promoted", SUM(promoted));
	fn(ctx, "excused", SUM(excused));
	fn(ctx, "missed", SUM(missed));
	fn(ctx, "mem.bytes", tdps_mem_bytes());
}
