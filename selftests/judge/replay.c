// SPDX-License-Identifier: GPL-2.0
/*
 * Hands the events of a trace to the oracles as the facts that they were: who, when,
 * what. Knows what each event of tdp_stress means; must not know how it was written
 * down, nor judge anything itself.
 */
#include "../../tdp_stress/oracle/internal.h"
#include "judge.h"

#define WATCHDOG_NS	(NSEC_PER_SEC / 2)	/* as often as in the kernel */
#define EVENTS_KEPT	4096			/* by the flight recorder */
#define EVENTS_SHOWN	6			/* of the thread, before a violation */

/* What an event has to have, else the trace is damaged. */
static const struct event *now;

static const char *word(const char *key)
{
	const char *value = field(now, key);

	if (!value)
		die(JUDGE_DAMAGED, "line %u: %s without %s=: cut off, or of another version",
		    now->line, now->name, key);
	return value;
}

static u64 number(const char *key)
{
	const char *value = word(key);
	char *end;
	u64 n = *value == '-' ? (u64)strtoll(value, &end, 0) : strtoull(value, &end, 0);

	if (end == value || *end)
		die(JUDGE_DAMAGED, "line %u: %s: %s=%s: not a number", now->line, now->name, key,
		    value);
	return n;
}

struct name {
	int number;
	const char *name;
};

#define NAME(number, name)	{ number, name },

static const struct name op_names[] = { TDPS_OP_NAMES(NAME, NAME) { -1, NULL } };
static const struct name call_names[] = { TDPS_CALL_NAMES(NAME, NAME) { -1, NULL } };
static const struct name ext_names[] = { TDPS_EXT_NAMES(NAME, NAME) { -1, NULL } };
static const struct name seen_names[] = { TDPS_SEEN_NAMES(NAME, NAME) { -1, NULL } };
static const struct name lock_names[] = { TDPS_LOCK_NAMES(NAME, NAME) { -1, NULL } };
static const struct name map_names[] = { TDPS_MAP_NAMES(NAME, NAME) { -1, NULL } };
static const struct name check_names[] = { TDPS_CHECK_NAMES(NAME, NAME) { -1, NULL } };
static const struct name spte_names[] = { TDPS_SPTE_NAMES(NAME, NAME) { -1, NULL } };
static const struct name root_names[] = { TDPS_ROOT_NAMES(NAME, NAME) { -1, NULL } };

static int one_of(const char *key, const struct name *names)
{
	const char *value = word(key);
	int i;

	for (i = 0; names[i].name; i++)
		if (!strcmp(names[i].name, value))
			return names[i].number;
	die(JUDGE_DAMAGED, "line %u: %s: %s=%s: unknown", now->line, now->name, key, value);
}

/* "present|leaf", or nothing */
static u32 some_of(const char *key, const struct name *names)
{
	const char *value = word(key);
	u32 bits = 0;
	size_t n;
	int i;

	while (*value) {
		n = strcspn(value, "|");
		for (i = 0; names[i].name; i++)
			if (strlen(names[i].name) == n && !strncmp(names[i].name, value, n))
				break;
		if (!names[i].name)
			die(JUDGE_DAMAGED, "line %u: %s: %s=%s: unknown", now->line, now->name,
			    key, value);
		bits |= names[i].number;
		value += n + (value[n] == '|');
	}
	return bits;
}

/* A VM that was excused then is so from now on, seen or not how it came to that. */
static void take_excuse(u64 vm)
{
	if (number("excused"))
		tdps_excuse(vm);
}

static struct tdps_where where(void)
{
	struct tdps_where w = {
		.vm = number("vm"), .gfn = number("gfn"), .level = number("level"),
		.lock = one_of("lock", lock_names),
	};

	take_excuse(w.vm);
	return w;
}

static struct judgement *result;

/* --- operations --- */

static const char *root_name(u32 roots)
{
	return roots == TDPS_ROOTS_MIRROR ? "mirror" : roots == TDPS_ROOTS_DIRECT ? "direct" : "";
}

static const char *op_begin(struct thread *t)
{
	struct tdps_where w = where();
	u8 op = one_of("op", op_names), roots = some_of("roots", root_names);
	struct tdps_ctx *ctx;

	/* a thread may call itself by what it is about to do */
	name_thread(t, word("comm"));
	tdps_recover_zaps = number("recover_zaps");
	ctx = tdps_op_begin(op, &w, number("end"), roots, number("root"));
	if (t->depth < ARRAY_SIZE(t->open)) {
		t->open[t->depth].ctx = ctx;
		t->open[t->depth].op = op;
		t->open[t->depth].roots = roots;
	}
	t->depth++;
	return root_name(roots);
}

static struct tdps_op_end end_facts(void)
{
	struct tdps_op_end e = {
		.where = where(),
		.verdict = one_of("verdict", map_names),
		.goal_level = number("goal"),
		.flush = number("flush"),
		.leafs_left = number("leafs_left"),
		.left_gfn = number("left_gfn"),
		.roots_left = number("roots_left"),
		.tables_left = number("tables_left"),
		.pages_left = number("pages_left"),
		.bugged = number("bugged"),
	};

	return e;
}

/* Something of it was not seen: it ends, and nothing is made of that. */
static void end_unjudged(struct tdps_ctx *ctx, u8 op)
{
	struct tdps_op_end e = { .where = { .gfn = TDPS_NO_GFN } };

	tdps_live = false;
	tdps_op_end(ctx, op, &e);
	tdps_live = true;
}

static const char *op_end(struct thread *t)
{
	u8 op = one_of("op", op_names);
	struct tdps_op_end e = end_facts();
	u32 i = t->depth, roots;

	while (i && (i > ARRAY_SIZE(t->open) || t->open[i - 1].op != op))
		i--;
	if (!i) {
		result->begun_before++;
		return "";
	}
	while (t->depth > i) {
		t->depth--;
		if (t->depth < ARRAY_SIZE(t->open))
			end_unjudged(t->open[t->depth].ctx, t->open[t->depth].op);
	}
	t->depth--;
	roots = t->open[t->depth].roots;
	tdps_op_end(t->open[t->depth].ctx, op, &e);
	return root_name(roots);
}

/* --- external operations --- */

static const char *ext_begin(struct thread *t)
{
	struct tdps_extop x = {
		.where = where(),
		.kind = one_of("kind", ext_names),
		.old_spte = number("old"),
		.new_spte = number("new"),
		.seen = one_of("seen", seen_names),
		.parent = one_of("parent", seen_names),
		.page = number("page"),
		.root = number("root"),
		.table = number("table"),
		.children = number("children"),
		.detached = number("detached"),
		.linked = number("linked"),
		.ours = number("ours"),
		.bugged = number("bugged"),
	};

	if (t->ext_open) {
		tdps_live = false;
		tdps_extop_end(t->ext_ctx, &t->ext, 0);
		tdps_live = true;
	}
	t->ext = x;
	t->ext_ctx = tdps_extop_begin(&t->ext);
	t->ext_open = true;
	return "mirror";
}

static const char *ext_end(struct thread *t)
{
	if (!t->ext_open) {
		result->begun_before++;
		return "mirror";
	}
	t->ext_open = false;
	t->ext.after = one_of("after", seen_names);
	t->ext.kept = number("kept");
	take_excuse(number("vm"));
	tdps_extop_end(t->ext_ctx, &t->ext, number("ret"));
	return "mirror";
}

/* --- SPTEs --- */

static struct tdps_spte spte(const char *raw, const char *is, const char *pfn)
{
	u32 bits = some_of(is, spte_names);
	struct tdps_spte s = {
		.raw = number(raw),
		.pfn = number(pfn),
		.present = bits & TDPS_SPTE_PRESENT,
		.leaf = bits & TDPS_SPTE_LEAF,
		.frozen = bits & TDPS_SPTE_FROZEN,
		.mmio = bits & TDPS_SPTE_MMIO,
		.dirty = bits & TDPS_SPTE_DIRTY,
	};

	return s;
}

static const char *spte_changed(struct thread *t)
{
	struct tdps_change c = {
		.where = where(),
		.old_spte = spte("old", "old_is", "old_pfn"),
		.new_spte = spte("new", "new_is", "new_pfn"),
		.alone = number("alone"),
		.unused = number("unused"),
		.children = number("children"),
	};
	const struct tdps_ctx *ctx = tdps_ctx_current();
	bool mirror = ctx && !ctx->win.open && !ctx->win.paired && ctx->win.gfn == c.where.gfn &&
		      ctx->win.level == c.where.level && ctx->win.old_spte == c.old_spte.raw;

	tdps_spte_changed(&c);
	if (mirror || (ctx && split_in_mirror(ctx, &c.where)))
		return "mirror";
	return t->depth && t->depth <= ARRAY_SIZE(t->open) ?
	       root_name(t->open[t->depth - 1].roots) : "";
}

static const char *split(struct thread *t)
{
	struct tdps_split s = {
		.where = where(),
		.merge = number("merge"),
		.mirror = number("mirror"),
		.reachable = number("reachable"),
		.table_level = number("table_level"),
		.huge = number("huge"),
		.wrong = number("wrong"),
		.index = number("index"),
		.child = number("child"),
		.want = number("want"),
		.page = number("page"),
		.ours = number("ours"),
		.ret = number("ret"),
	};

	tdps_split_seen(&s);
	return s.mirror || s.merge ? "mirror" : "direct";
}

static const char *split_failed(struct thread *t)
{
	struct tdps_where w = where();

	tdps_split_failed(&w, number("err"), number("linked"));
	return "mirror";
}

static const char *split_alloc(struct thread *t)
{
	struct tdps_where w = where();

	tdps_split_alloc(&w, number("rcu"));
	return "";
}

/* --- SEAMCALLs, tables, flushes --- */

static const char *seamcall(struct thread *t)
{
	struct tdps_seamcall c = {
		.where = where(),
		.call = one_of("call", call_names),
		.status = number("status"),
		.ext1 = number("ext1"),
		.ext2 = number("ext2"),
		.pa = number("pa"),
		.runnable = number("runnable"),
		.injected = number("injected"),
	};

	/* an external operation may allow what is not allowed otherwise: has one begun? */
	if (!t->settled)
		c.where.lock = TDPS_LOCK_UNKNOWN;
	tdps_kicks_visible = number("kicks_visible");
	tdps_writebacks_visible = number("writebacks_visible");
	tdps_seamcall(&c);
	return c.call <= TDPS_LAST_CALL_MEM ? "mirror" : "";
}

static const char *table_new(struct thread *t)
{
	struct tdps_where w = where();

	tdps_table_new(&w, number("table"));
	return "";
}

static const char *table_zap(struct thread *t)
{
	struct tdps_where w = where();
	bool mirror = number("mirror");

	tdps_table_zap(&w, number("table"), mirror);
	return mirror ? "mirror" : "direct";
}

static const char *table_free(struct thread *t)
{
	tdps_env.gp_passed = number("gp_passed");
	tdps_table_free(number("table"));
	return "";
}

static const char *flush(struct thread *t)
{
	tdps_flush(number("vm"), number("request"));
	return "";
}

static const char *invalidate_end(struct thread *t)
{
	tdps_invalidate_end(number("vm"));
	return "";
}

static const char *kick(struct thread *t)
{
	tdps_kick(number("vm"));
	return "";
}

static const char *yield(struct thread *t)
{
	tdps_yield(number("vm"));
	return "";
}

static const char *bugged(struct thread *t)
{
	u64 vm = number("vm");

	if (number("refused"))
		splat_refused(vm);
	take_excuse(vm);
	tdps_bugged(vm);
	return "";
}

/* --- audits --- */

static const char *audit_root(struct thread *t)
{
	struct tdps_audit a = { .vm = number("vm"), .bugged = number("bugged") };
	struct tdps_audit_root r = {
		.id = number("root"),
		.mirror = number("mirror"),
		.invalid = number("invalid"),
		.count = number("count"),
		.users = number("users"),
	};

	tdps_audit_root(&a, &r);
	return r.mirror ? "mirror" : "direct";
}

static const char *audit_counts(struct thread *t)
{
	struct tdps_audit a = {
		.vm = number("vm"),
		.complete = number("complete"),
		.bugged = number("bugged"),
		.leafs = { number("found_4k"), number("found_2m"), number("found_1g") },
		.tables = number("found_tables"),
	};
	const s64 pages[] = { number("pages_4k"), number("pages_2m"), number("pages_1g") };

	take_excuse(a.vm);
	tdps_audit_counts(&a, pages, number("tables"));
	return "";
}

static const char *audit(struct thread *t)
{
	struct tdps_audit a = { .vm = number("vm"), .sptes = number("sptes") };

	tdps_audit_end(&a, number("ns"));
	return "";
}

static const char *excuse(struct thread *t)
{
	tdps_excuse(number("vm"));
	return "";
}

/* --- violations --- */

static struct finding *add(enum tdps_check check, const char *text)
{
	struct finding *f;

	result->finding = grow(result->finding, result->nr, sizeof(*f));
	f = &result->finding[result->nr++];
	*f = (struct finding) { .check = check, .text = strdup(text) };
	if (!f->text)
		die(JUDGE_USAGE, "not enough memory for this trace");
	return f;
}

static u32 at_event;

/* What the thread of a violation did before, in the flight recorder's words. */
static char *in_words(pid_t pid)
{
	struct tdps_event ev[EVENTS_SHOWN];
	int i, n = tdps_recorder_last(pid, NULL, ev, EVENTS_SHOWN);
	char *text = calloc(1, EVENTS_SHOWN * 256), line[192];
	size_t len = 0;

	if (!text)
		die(JUDGE_USAGE, "not enough memory for this trace");
	for (i = 0; i < n; i++) {
		tdps_event_str(&ev[i], line, sizeof(line));
		len += scnprintf(text + len, EVENTS_SHOWN * 256 - len, "    %llu us before: %s\n",
				 (tdps_env.ns - ev[i].ns) / NSEC_PER_USEC, line);
	}
	return text;
}

static void on_violation(enum tdps_check id, const char *line)
{
	static u32 seen[TDPS_NR_CHECKS];
	const char *by = strrchr(line, '/');	/* ", by comm/pid (mmu_lock ...)" */
	struct finding *f = add(id, line);

	f->event = at_event;
	if (seen[id]++ < SHOWN_IN_FULL && by)
		f->before = in_words(atoi(by + 1));
}

/* What is said of a violation without the name of the thread, which changes. */
static size_t what(const char *text)
{
	const char *by, *next = text, *end = NULL;

	while ((by = strstr(next, ", by "))) {
		end = by;
		next = by + 1;
	}
	return end ? end - text : strlen(text);
}

/*
 * What the oracles of the run have said: right after the event that it was about, so
 * that it was said here a moment ago if it could be.
 */
static const char *violation(struct thread *t)
{
	int check = one_of("check", check_names);
	const char *text = word("text");
	size_t len = what(text);
	struct finding *f;
	u32 i;

	for (i = 0; i < result->nr; i++) {
		f = &result->finding[i];
		if (!f->recorded && !f->confirmed && f->check == check &&
		    what(f->text) == len && !memcmp(f->text, text, len)) {
			f->confirmed = true;
			return "";
		}
	}
	f = add(check, text);
	f->event = at_event;
	f->recorded = true;
	return "";
}

/* --- all of them --- */

static const struct {
	const char *name;
	const char *(*fn)(struct thread *t);
	bool settles;	/* from then on it is known what the thread is in the middle of */
} kinds[] = {
	{ "tdps_op_begin", op_begin, true },
	{ "tdps_op_end", op_end, true },
	{ "tdps_ext_begin", ext_begin, true },
	{ "tdps_ext_end", ext_end, true },
	{ "tdps_spte", spte_changed, true },
	{ "tdps_split", split },
	{ "tdps_split_failed", split_failed },
	{ "tdps_split_alloc", split_alloc },
	{ "tdps_seamcall", seamcall },
	{ "tdps_table_new", table_new },
	{ "tdps_table_zap", table_zap },
	{ "tdps_table_free", table_free },
	{ "tdps_flush", flush },
	{ "tdps_invalidate_end", invalidate_end },
	{ "tdps_kick", kick },
	{ "tdps_yield", yield },
	{ "tdps_bugged", bugged },
	{ "tdps_audit_root", audit_root },
	{ "tdps_audit_counts", audit_counts },
	{ "tdps_audit", audit },
	{ "tdps_excuse", excuse },
	{ "tdps_violation", violation },
};

/* What only the live kernel can answer. */
static const struct {
	enum tdps_check id;
	const char *why;
} impossible[] = {
	{ TDPS_X1, "needs a walk of both tables" },
	{ TDPS_H1, "needs a walk of the tables" },
	{ TDPS_H2, "needs a walk of the tables" },
	{ TDPS_D1, "needs the guest, which tells what it writes" },
}, partly[] = {
	{ TDPS_F1, "how long an SPTE was FROZEN; not whether one is at rest" },
	{ TDPS_X4, "locks and retries; not what the kernel says of sleeping" },
	{ TDPS_R1, "grace periods; not what the kernel says of RCU" },
	{ TDPS_L1, "KVM's flushes; not the TLB of the emulated guest" },
	{ TDPS_SPLAT, "whether KVM has given a VM up; not the console" },
};

const char *why_not(enum tdps_check id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(impossible); i++)
		if (impossible[i].id == id)
			return impossible[i].why;
	return NULL;
}

const char *what_part(enum tdps_check id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(partly); i++)
		if (partly[i].id == id)
			return partly[i].why;
	return NULL;
}

static void open_oracle(void)
{
	size_t i;

	/* counts of what was judged so far are to stay, and the mark for "no room" */
	if (tdps_ctx_init() || external_init() || rcu_init_table() || dirty_init())
		die(JUDGE_USAGE, "not enough memory for the oracles");
	for (i = 0; i < ARRAY_SIZE(impossible); i++)
		tdps_not_possible(impossible[i].id, impossible[i].why);
}

/* Events are missing: nothing that was known is sure any more. */
static void forget(struct trace *t)
{
	u32 i;

	dirty_exit();
	rcu_exit_table();
	external_exit();
	tdps_ctx_exit();
	zap_forget();
	open_oracle();
	for (i = 0; i < t->nr; i++) {
		t->event[i].thread->depth = 0;
		t->event[i].thread->ext_open = false;
		t->event[i].thread->settled = false;
	}
}

static void one_event(struct event *ev, u64 *watched)
{
	struct thread *t = ev->thread;
	size_t i;

	now = ev;
	ev->comm = t->comm;
	tdps_env.ns = ev->ns;
	tdps_env.task = &t->task;
	tdps_env.in_task = ev->task;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, ev->name))
			break;
	if (i == ARRAY_SIZE(kinds))
		return;
	/* a violation that was said stays true, whatever is known of what led to it */
	if (ev->skipped && kinds[i].fn != violation) {
		result->skipped++;
		return;
	}
	ev->root = kinds[i].fn(t);
	ev->comm = t->comm;
	t->settled |= kinds[i].settles;
	result->judged++;
	if (ev->ns - *watched >= WATCHDOG_NS) {
		*watched = ev->ns;
		tdps_watchdog();
	}
}

/**
 * judge() - have the oracles judge a trace
 * @t: the trace
 * @limits: see struct tdps_limits
 * @j: filled in
 */
void judge(struct trace *t, const struct tdps_limits *limits, struct judgement *j)
{
	u64 watched = t->event[0].ns;
	u32 i, lost = 0;

	result = j;
	if (tdps_recorder_init(EVENTS_KEPT) || tdps_verdict_init())
		die(JUDGE_USAGE, "not enough memory for the oracles");
	tdps_limits = *limits;
	tdps_enabled = TDPS_ALL_CHECKS;
	tdps_violation_to = on_violation;
	tdps_verdict_asked(TDPS_ALL_CHECKS, true);
	open_oracle();
	tdps_live = true;
	for (i = 0; i < t->nr; i++) {
		at_event = i;
		for (; lost < t->nr_lost && t->lost[lost].before <= i; lost++)
			forget(t);
		one_event(&t->event[i], &watched);
	}
	tdps_watchdog();
	j->threads = threads_seen();
}
