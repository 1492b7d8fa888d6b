// SPDX-License-Identifier: GPL-2.0
/*
 * The flight recorder: one ring of events per CPU, overwritten for ever, and
 * the way an event is written down for people. Judges nothing.
 */

#include "internal.h"

static_assert(sizeof(struct tdps_event) == 64);

struct ring {
	struct tdps_event *ev;
	u64 next;
};

static DEFINE_PER_CPU(struct ring, rings);
static unsigned int ring_mask;

/* All rings as they were at the first violation; what comes later would overwrite it. */
static struct tdps_event *kept;
static atomic_t keeping;
static size_t nr_kept;

/**
 * tdps_recorder_init() - make the rings
 * @events_per_cpu: a power of two
 *
 * Return: 0 or -ENOMEM.
 */
int tdps_recorder_init(unsigned int events_per_cpu)
{
	int cpu;

	ring_mask = events_per_cpu - 1;
	nr_kept = 0;
	atomic_set(&keeping, 0);
	kept = vcalloc((size_t)num_possible_cpus() * events_per_cpu, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	tdps_mem_account((size_t)num_possible_cpus() * events_per_cpu * sizeof(*kept));
	for_each_possible_cpu(cpu) {
		struct ring *r = per_cpu_ptr(&rings, cpu);

		r->next = 0;
		r->ev = vzalloc_node(events_per_cpu * sizeof(*r->ev), cpu_to_node(cpu));
		if (!r->ev) {
			tdps_recorder_exit();
			return -ENOMEM;
		}
		tdps_mem_account(events_per_cpu * sizeof(*r->ev));
	}
	return 0;
}

void tdps_recorder_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ring *r = per_cpu_ptr(&rings, cpu);

		vfree(r->ev);
		r->ev = NULL;
	}
	vfree(kept);
	kept = NULL;
}

/**
 * tdps_record() - write an event down
 * @type: what
 * @kind: see enum tdps_event_type
 * @w: where, may be NULL
 * @a: see enum tdps_event_type
 * @b: see enum tdps_event_type
 * @ret: return value
 *
 * Context: any but NMI; takes no lock.
 *
 * Return: when that was, monotonic ns.
 */
u64 tdps_record(enum tdps_event_type type, u8 kind, const struct tdps_where *w,
		u64 a, u64 b, int ret)
{
	u64 now = ktime_get_mono_fast_ns(), pos;
	struct tdps_event *ev;
	struct ring *r;

	preempt_disable_notrace();
	tdps_count(event[type]);
	r = this_cpu_ptr(&rings);
	/* an interrupt that records takes the next slot, not this one */
	pos = this_cpu_inc_return(rings.next);
	ev = &r->ev[(pos - 1) & ring_mask];
	WRITE_ONCE(ev->seq, 0);
	barrier();
	ev->ns = now;
	ev->vm = w ? w->vm : 0;
	ev->gfn = w ? w->gfn : TDPS_NO_GFN;
	ev->level = w ? w->level : 0;
	ev->lock = w ? w->lock : TDPS_LOCK_UNKNOWN;
	ev->a = a;
	ev->b = b;
	ev->ret = ret;
	ev->pid = current->pid;
	ev->type = type;
	ev->kind = kind;
	/* pairs with ring_read(): the event is complete */
	smp_store_release(&ev->seq, pos);
	preempt_enable_notrace();
	return now;
}

/* Copy a slot; false if it is empty or being written. */
static bool ring_read(const struct tdps_event *slot, struct tdps_event *ev)
{
	u64 seq;

	/* pairs with tdps_record() */
	seq = smp_load_acquire(&slot->seq);

	if (!seq)
		return false;
	*ev = *slot;
	/* the copy before the second look at the sequence */
	smp_rmb();
	return READ_ONCE(slot->seq) == seq && ev->seq == seq;
}

/* Others' events that may have to do with @w: operations around it, larger entries. */
static bool concerns(const struct tdps_event *ev, const struct tdps_where *w)
{
	u64 first = w->gfn & ~511ULL, last = w->gfn | 511;

	if (!ev->vm || ev->vm != w->vm)
		return false;
	if (ev->type == TDPS_EV_OP_BEGIN)
		return ev->gfn == TDPS_NO_GFN || (ev->gfn <= last && ev->a > first);
	if (ev->gfn == w->gfn)
		return true;
	return ev->level > 1 && ev->gfn >= first && ev->gfn <= last;
}

int tdps_recorder_last(pid_t pid, const struct tdps_where *others_at, struct tdps_event *out,
		       int max)
{
	struct tdps_event ev;
	int cpu, i, n = 0;
	unsigned int slot;

	for_each_possible_cpu(cpu) {
		const struct ring *r = per_cpu_ptr(&rings, cpu);

		for (slot = 0; slot <= ring_mask; slot++) {
			if (((pid_t)READ_ONCE(r->ev[slot].pid) != pid) != !!others_at)
				continue;
			if (!ring_read(&r->ev[slot], &ev) || ev.type == TDPS_EV_VIOLATION)
				continue;
			if (others_at && !concerns(&ev, others_at))
				continue;
			/* insertion into a short array, newest last */
			if (n == max && ev.ns <= out[0].ns)
				continue;
			if (n == max)
				memmove(&out[0], &out[1], --n * sizeof(*out));
			for (i = n; i && out[i - 1].ns > ev.ns; i--)
				out[i] = out[i - 1];
			out[i] = ev;
			n++;
		}
	}
	return n;
}

static int by_time(const void *a, const void *b)
{
	const struct tdps_event *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static size_t read_rings(struct tdps_event *to)
{
	unsigned int slot;
	size_t n = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = per_cpu_ptr(&rings, cpu);

		for (slot = 0; slot <= ring_mask; slot++)
			if (ring_read(&r->ev[slot], &to[n]))
				n++;
	}
	return n;
}

/**
 * tdps_recorder_keep() - keep all that is in the rings, once
 *
 * Context: any.
 */
void tdps_recorder_keep(void)
{
	if (kept && !atomic_read(&keeping) && !atomic_fetch_inc(&keeping))
		/* pairs with tdps_recorder_show_kept() */
		smp_store_release(&nr_kept, read_rings(kept));
}

/**
 * tdps_event_calls() - where in KVM an event was
 * @ev: the event
 *
 * Return: a number of struct tdps_calls, 0: that was not kept.
 */
u16 tdps_event_calls(const struct tdps_event *ev)
{
	if (ev->type == TDPS_EV_SEAMCALL)
		return ev->b;
	return ev->type == TDPS_EV_EXT_END ? ev->a : 0;
}

/* "# calls TIME pid PID FUNCTIONS", ahead of the event of that time and thread. */
static void show_calls(struct seq_file *m, const struct tdps_event *ev)
{
	u16 calls = tdps_event_calls(ev);
	char line[TDPS_CALLS_LENGTH];

	if (calls && tdps_calls && tdps_calls->str(calls, line, sizeof(line)))
		seq_printf(m, "# calls %llu.%06llu pid %u %s\n", ev->ns / NSEC_PER_SEC,
			   ev->ns % NSEC_PER_SEC / NSEC_PER_USEC, ev->pid, line);
}

static void show(struct seq_file *m, struct tdps_event *all, size_t n)
{
	char line[192];
	size_t i;

	sort(all, n, sizeof(*all), by_time, NULL);
	for (i = 0; i < n; i++) {
		show_calls(m, &all[i]);
		tdps_event_str(&all[i], line, sizeof(line));
		seq_printf(m, "%llu.%06llu pid %u %s\n", all[i].ns / NSEC_PER_SEC,
			   all[i].ns % NSEC_PER_SEC / NSEC_PER_USEC, all[i].pid, line);
	}
}

static struct tdps_event *room(struct seq_file *m)
{
	struct tdps_event *all = vmalloc_array((size_t)num_possible_cpus() * (ring_mask + 1),
					       sizeof(*all));

	if (!all)
		seq_puts(m, "not enough memory to sort the events\n");
	return all;
}

/**
 * tdps_recorder_show() - print the rings, oldest event first
 * @m: where to
 *
 * Context: may sleep.
 */
void tdps_recorder_show(struct seq_file *m)
{
	struct tdps_event *all = room(m);

	if (!all)
		return;
	show(m, all, read_rings(all));
	vfree(all);
}

static void show_name(struct tdps_ctx *ctx, void *arg)
{
	struct seq_file *m = arg;

	seq_printf(m, "# pid %u %s\n", ctx->pid, ctx->comm);
}

/**
 * tdps_recorder_show_kept() - print the rings as they were at the first violation
 * @m: where to; nothing is printed if there was none
 *
 * Before the events, the names of the threads as they are now.
 *
 * Context: may sleep.
 */
void tdps_recorder_show_kept(struct seq_file *m)
{
	/* pairs with tdps_recorder_keep() */
	size_t n = smp_load_acquire(&nr_kept);
	struct tdps_event *all = n ? room(m) : NULL;

	if (!all)
		return;
	tdps_ctx_visit_all(show_name, m);
	memcpy(all, kept, n * sizeof(*all));
	show(m, all, n);
	vfree(all);
}

static const char * const ext_names[] = {
	TDPS_EXT_PHRASES(TDPS_NAME_AT, TDPS_NAME_AT)
};

static const char * const op_names[TDPS_NR_OPS] = {
	TDPS_OP_NAMES(TDPS_NAME_AT, TDPS_NAME_AT)
};

const char *tdps_op_name(u8 op)
{
	return op < TDPS_NR_OPS ? op_names[op] : "?";
}

static const char * const call_names[TDPS_NR_CALLS] = {
	TDPS_CALL_NAMES(TDPS_NAME_AT, TDPS_NAME_AT)
};

const char *tdps_call_name(enum tdps_call call)
{
	return call < TDPS_NR_CALLS ? call_names[call] : "?";
}

static const char * const lock_marks[] = {
	[TDPS_LOCK_UNKNOWN] = "",
	[TDPS_LOCK_NONE] = " unlocked",
	[TDPS_LOCK_READ] = " read",
	[TDPS_LOCK_WRITE] = " write",
};

/**
 * tdps_event_str() - put an event into words
 * @ev: the event
 * @buf: where to
 * @len: its size
 */
void tdps_event_str(const struct tdps_event *ev, char *buf, size_t len)
{
	const char *lock = ev->lock < ARRAY_SIZE(lock_marks) ? lock_marks[ev->lock] : "";
	const char *ext = ev->kind < ARRAY_SIZE(ext_names) ? ext_names[ev->kind] : "?";
	char at[48] = "";

	if (ev->gfn != TDPS_NO_GFN && ev->level)
		scnprintf(at, sizeof(at), " gfn 0x%llx level %d", ev->gfn, ev->level);
	else if (ev->gfn != TDPS_NO_GFN)
		scnprintf(at, sizeof(at), " gfn 0x%llx", ev->gfn);

	switch (ev->type) {
	case TDPS_EV_OP_BEGIN:
		scnprintf(buf, len, "%s begins%s (end 0x%llx)%s", tdps_op_name(ev->kind), at,
			  ev->a, lock);
		break;
	case TDPS_EV_OP_END:
		scnprintf(buf, len, "%s ends%s: %d after %llu us%s", tdps_op_name(ev->kind), at,
			  ev->ret, ev->b / NSEC_PER_USEC, lock);
		break;
	case TDPS_EV_EXT_BEGIN:
		scnprintf(buf, len, "external %s begins%s 0x%llx -> 0x%llx%s", ext, at, ev->a,
			  ev->b, lock);
		break;
	case TDPS_EV_EXT_END:
		scnprintf(buf, len, "external %s ends%s: %d after %llu us%s", ext, at, ev->ret,
			  ev->b / NSEC_PER_USEC, lock);
		break;
	case TDPS_EV_SEAMCALL:
		scnprintf(buf, len, "%s%s: 0x%llx%s", tdps_call_name(ev->kind), at, ev->a, lock);
		break;
	case TDPS_EV_SPTE:
		scnprintf(buf, len, "SPTE%s 0x%llx -> 0x%llx", at, ev->a, ev->b);
		break;
	case TDPS_EV_TABLE_NEW:
		scnprintf(buf, len, "table made%s, %llx", at, ev->a);
		break;
	case TDPS_EV_TABLE_ZAP:
		scnprintf(buf, len, "table zapped%s, %llx", at, ev->a);
		break;
	case TDPS_EV_TABLE_FREE:
		scnprintf(buf, len, "table freed, %llx", ev->a);
		break;
	case TDPS_EV_FLUSH:
		scnprintf(buf, len, "TLB flush");
		break;
	case TDPS_EV_KICK:
		scnprintf(buf, len, "vCPUs kicked out");
		break;
	case TDPS_EV_AUDIT:
		scnprintf(buf, len, "audit of %llu SPTEs, %llu us", ev->a, ev->b / NSEC_PER_USEC);
		break;
	case TDPS_EV_VIOLATION:
		scnprintf(buf, len, "violation %s%s", tdps_check_name(ev->kind), at);
		break;
	default:
		scnprintf(buf, len, "event %u%s", ev->type, at);
	}
}
