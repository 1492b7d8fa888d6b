// SPDX-License-Identifier: GPL-2.0
/* What the user sees: progress lines, tables, JSON. Judges nothing. */
#include <stdlib.h>
#include <string.h>

#include "stress.h"

/* Sums over all threads. */
struct op_sum {
	u64 calls, ok, retry, skip, ns;
	u64 errs[MAX_ERRNO];
};

static void sum_op(const struct stress *s, int op, struct op_sum *sum)
{
	unsigned int i;
	int e;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < s->nr_workers; i++) {
		const struct op_stats *st = &s->workers[i].stats[op];

		sum->calls += st->calls;
		sum->ok += st->ok;
		sum->retry += st->retry;
		sum->skip += st->skip;
		sum->ns += st->ns;
		for (e = 0; e < MAX_ERRNO; e++)
			sum->errs[e] += st->errs[e];
	}
}

static u64 sum_cycled(const struct stress *s)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < s->nr_workers; i++)
		sum += s->workers[i].cycled;
	return sum;
}

static double seconds(const struct stress *s)
{
	return s->elapsed_ns / 1e9;
}

/* Private pages mapped and unmapped again, as the TDX module saw it if it can be asked. */
static u64 cycles(const struct stress *s, const char **source)
{
	struct module_sums sums;

	modules_sum(&s->modules, &sums);
	*source = "pages the driver prefaulted";
	if (!sums.have[MODULE_STUB])
		return sum_cycled(s);
	*source = "TDH.MEM.PAGE.AUG, TDH.MEM.PAGE.REMOVE";
	return sums.aug < sums.removed ? sums.aug : sums.removed;
}

static void print_or_na(const char *name, bool have, u64 value)
{
	if (have)
		printf(" %s %llu", name, value);
	else
		printf(" %s n/a", name);
}

/**
 * report_progress() - one line: what was done since the last one
 * @s: the run
 * @last: the stress is over; counters are read, the line is printed only if
 *	  progress lines are wanted
 */
void report_progress(struct stress *s, bool last)
{
	static u64 before[NR_OPS], before_ns;
	u64 now = now_ns(), ns = now - (before_ns ? before_ns : s->start_ns);
	struct module_sums sums;
	struct op_sum sum;
	int op;

	modules_read(&s->modules);
	/* A last line right behind another one has nothing to say. */
	if (!s->opt.interval || (last && ns < 500000000))
		return;
	modules_sum(&s->modules, &sums);
	printf("[%4.0fs]", (now - s->start_ns) / 1e9);
	for (op = 0; op < NR_OPS; op++) {
		sum_op(s, op, &sum);
		if (s->opt.weight[op])
			printf(" %s %.0f", ops[op].name, (sum.calls - before[op]) * 1e9 / ns);
		before[op] = sum.calls;
	}
	printf(" /s |");
	print_or_na("busy", sums.have[MODULE_STUB], sums.busy);
	print_or_na("frozen", sums.have[MODULE_STRESS], sums.frozen);
	print_or_na("audits", sums.have[MODULE_STRESS], sums.audits);
	print_or_na("violations", sums.have[MODULE_STUB] || sums.have[MODULE_STRESS],
		    sums.violations);
	putchar('\n');
	fflush(stdout);
	before_ns = now;
}

static void print_errnos(const struct op_sum *sum)
{
	int e;

	for (e = 0; e < MAX_ERRNO; e++)
		if (sum->errs[e])
			printf(" %s %llu", td_errno_name(e), sum->errs[e]);
}

static double mean_us(const struct op_sum *sum)
{
	return sum->calls ? sum->ns / 1e3 / sum->calls : 0;
}

static void print_ops(const struct stress *s)
{
	struct op_sum sum;
	int op;

	printf("%-12s %10s %10s %10s %8s %9s %9s  %s\n", "operation", "calls", "ok", "retry",
	       "skipped", "calls/s", "mean us", "errno");
	for (op = 0; op < NR_OPS; op++) {
		sum_op(s, op, &sum);
		if (!s->opt.weight[op] && !sum.calls)
			continue;
		printf("%-12s %10llu %10llu %10llu %8llu %9.0f %9.0f ", ops[op].name, sum.calls,
		       sum.ok, sum.retry, sum.skip, sum.calls / seconds(s), mean_us(&sum));
		print_errnos(&sum);
		putchar('\n');
	}
}

static u64 sum_exits(const struct stress *s, int exit)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < s->nr_workers; i++)
		sum += s->workers[i].exits[exit];
	return sum;
}

static void print_exits(const struct stress *s)
{
	int e;

	if (!s->opt.weight[OP_RUN])
		return;
	printf("exits:");
	for (e = 0; e < TD_NR_EXITS; e++)
		printf(" %s %llu", td_exit_name(e), sum_exits(s, e));
	putchar('\n');
}

/* One line per invariant: how often it was checked, by tdp_stress.ko. */
static void print_checks(const struct stress *s)
{
	const struct modules *m = &s->modules;
	const struct counters *c = &m->now[MODULE_STRESS];
	char name[COUNTER_NAME];
	size_t i;

	if (!modules_have(m, MODULE_STRESS)) {
		printf("checks: n/a (%s)\n", m->enabled ?
		       "tdp_stress.ko is not loaded, or debugfs not mounted" : "--no-modules");
		return;
	}
	printf("%-8s %12s %11s\n", "check", "checked", "violations");
	for (i = 0; i < c->nr; i++) {
		if (strncmp(c->list[i].name, "check.", 6))
			continue;
		snprintf(name, sizeof(name), "violation.%s", c->list[i].name + 6);
		printf("%-8s %12llu %11llu\n", c->list[i].name + 6,
		       modules_delta(m, MODULE_STRESS, c->list[i].name),
		       modules_delta(m, MODULE_STRESS, name) +
		       modules_delta(m, MODULE_STUB, name));
	}
}

/* -v: who did what, to see a thread that starved. */
static void print_workers(const struct stress *s)
{
	unsigned int i;
	int op;

	for (i = 0; i < s->nr_workers; i++) {
		const struct worker *w = &s->workers[i];

		printf("w%u (%s):", w->id, w->role == WORKER_VCPU ? "vCPU" : "free");
		for (op = 0; op < NR_OPS; op++)
			if (w->stats[op].calls)
				printf(" %s %llu", ops[op].name, (u64)w->stats[op].calls);
		putchar('\n');
	}
}

/**
 * report_summary() - the tables
 * @s: the run, over
 */
void report_summary(struct stress *s)
{
	const char *source;
	u64 nr_ops, digest = workers_digest(s, &nr_ops);
	u64 n = cycles(s, &source);

	print_ops(s);
	if (s->opt.verbose)
		print_workers(s);
	print_exits(s);
	print_checks(s);
	printf("private map+unmap cycles: %llu, %.0f/s (%s)\n", n, n / seconds(s), source);
	if (s->opt.workers)
		printf("ops-digest %016llx over %llu operations of %llu worker(s)\n", digest,
		       nr_ops, s->opt.workers);
}

/* --- JSON --- */

static void json_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(f, "\\u%04x", *text);
		else
			fputc(*text, f);
	}
	fputc('"', f);
}

static void json_parameters(FILE *f, const struct options *opt)
{
	const struct {
		const char *name;
		u64 value;
	} params[] = {
		{ "seed", opt->seed }, { "duration", opt->duration }, { "vcpus", opt->vcpus },
		{ "mem", opt->mem }, { "tds", opt->tds }, { "workers", opt->workers },
		{ "count", opt->count }, { "grace", opt->grace },
	};
	unsigned int i;

	fputs("  \"parameters\": {\n    ", f);
	for (i = 0; i < ARRAY_SIZE(params); i++)
		fprintf(f, "\"%s\": %llu, ", params[i].name, params[i].value);
	fputs("\n    \"ops\": {", f);
	for (i = 0; i < NR_OPS; i++)
		fprintf(f, "%s\"%s\": %u", i ? ", " : "", ops[i].name, opt->weight[i]);
	fputs("}\n  },\n", f);
}

static void json_op(FILE *f, const struct stress *s, int op, const char *sep)
{
	const char *esep = "";
	struct op_sum sum;
	int e;

	sum_op(s, op, &sum);
	fprintf(f, "%s\n    \"%s\": {", sep, ops[op].name);
	fprintf(f, "\"calls\": %llu, \"ok\": %llu, \"retry\": %llu, \"skipped\": %llu, ",
		sum.calls, sum.ok, sum.retry, sum.skip);
	fprintf(f, "\"rate\": %.1f, \"mean_us\": %.1f, \"errno\": {", sum.calls / seconds(s),
		mean_us(&sum));
	for (e = 0; e < MAX_ERRNO; e++) {
		if (!sum.errs[e])
			continue;
		fprintf(f, "%s\"%s\": %llu", esep, td_errno_name(e), sum.errs[e]);
		esep = ", ";
	}
	fputs("}}", f);
}

static void json_ops(FILE *f, const struct stress *s)
{
	const char *sep = "";
	int op;

	fputs("  \"ops\": {", f);
	for (op = 0; op < NR_OPS; op++) {
		if (!s->opt.weight[op])
			continue;
		json_op(f, s, op, sep);
		sep = ",";
	}
	fputs("\n  },\n  \"exits\": {", f);
	for (op = 0; op < TD_NR_EXITS; op++)
		fprintf(f, "%s\"%s\": %llu", op ? ", " : "", td_exit_name(op),
			sum_exits(s, op));
	fputs("},\n", f);
}

/* As they are now: those who compare runs can subtract. null: not there. */
static void json_modules(FILE *f, const struct modules *m)
{
	size_t i;
	int id;

	for (id = 0; id < NR_MODULES; id++) {
		const struct counters *c = &m->now[id];

		fprintf(f, "  \"%s\": ", module_name(id));
		if (!c->nr)
			fputs("null", f);
		for (i = 0; i < c->nr; i++) {
			fputs(i ? ",\n    " : "{\n    ", f);
			json_string(f, c->list[i].name);
			fprintf(f, ": %llu", c->list[i].value);
		}
		fputs(c->nr ? "\n  },\n" : ",\n", f);
	}
}

/**
 * report_json() - write the summary
 * @s: the run, over
 * @verdict: the final line without the program's name
 *
 * Return: 0, or -1 if the file could not be written
 */
int report_json(struct stress *s, const char *verdict)
{
	FILE *f = fopen(s->opt.json, "we");
	const char *source;
	u64 nr_ops, digest;
	u64 n;
	bool bad;

	if (!f)
		return -1;
	digest = workers_digest(s, &nr_ops);
	n = cycles(s, &source);
	fputs("{\n  \"verdict\": ", f);
	json_string(f, verdict);
	fputs(",\n", f);
	json_parameters(f, &s->opt);
	fprintf(f, "  \"elapsed\": %.3f,\n  \"ops_digest\": \"%016llx\",\n", seconds(s), digest);
	fprintf(f, "  \"ops_total\": %llu,\n  \"cycles\": %llu,\n", nr_ops, n);
	fprintf(f, "  \"cycles_per_second\": %.1f,\n", n / seconds(s));
	json_ops(f, s);
	json_modules(f, &s->modules);
	fputs("  \"version\": 1\n}\n", f);
	bad = ferror(f);
	return fclose(f) || bad ? -1 : 0;
}
