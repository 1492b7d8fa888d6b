// SPDX-License-Identifier: GPL-2.0
/*
 * tdp-judge: judges a recorded trace by the oracles of tdp_stress.ko. Knows the
 * command line.
 */
#include <errno.h>
#include <getopt.h>

#include "judge.h"

static const char help[] =
"usage: tdp-judge [OPTION]... [FILE]\n"
"Judge a trace of tdp_stress:* by the oracles that are in tdp_stress.ko. FILE is\n"
"text: trace.txt of a run (make run TRACE=8), tracefs's trace, or the output of\n"
"trace-cmd report or perf script; without it, or -, standard input.\n"
"\n"
"  -j, --json              verdict, violations and all events as JSON, for programs\n"
"  -l, --last=N            JSON: only the last N events, and those with a violation  [all]\n"
"  -p, --progress-ms=N     an operation that takes longer violates P1  [10000]\n"
"  -f, --frozen-max-ms=N   an SPTE that is FROZEN for longer violates F1  [10000]\n"
"  -r, --retry-max=N       so many retries in a row, for --progress-ms, violate P1\n"
"                          [1000]\n"
"  -h, --help              this text\n"
"\n"
"The limits are those of tdp_stress.ko, see modinfo.\n"
"\n"
"Exit code: 0 nothing is wrong; 1 a violation; 2 bad usage, or FILE cannot be read;\n"
"3 there is no event of tdp_stress in it; 6 it is no trace, or damaged\n";

static u64 limit(const char *name, const char *text, u64 low, u64 high)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n < low || n > high)
		die(JUDGE_USAGE, "--%s=%s: must be a number from %llu to %llu", name, text, low,
		    high);
	return n;
}

static u32 ours(const struct trace *t)
{
	u32 i, n = 0;

	for (i = 0; i < t->nr; i++)
		n += !strncmp(t->event[i].name, "tdps_", 5);
	return n;
}

/**
 * struct asked - the command line
 * @limits: of what takes long
 * @last: how many events, for @json
 * @json: for programs
 */
struct asked {
	struct tdps_limits limits;
	u32 last;
	bool json;
};

static void parse(int argc, char **argv, struct asked *a)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "last", required_argument, NULL, 'l' },
		{ "progress-ms", required_argument, NULL, 'p' },
		{ "frozen-max-ms", required_argument, NULL, 'f' },
		{ "retry-max", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	struct tdps_limits *l = &a->limits;
	int c;

	while ((c = getopt_long(argc, argv, "jl:p:f:r:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			a->json = true;
			break;
		case 'l':
			a->last = limit("last", optarg, 1, U32_MAX);
			break;
		case 'p':
			l->progress_ns = limit("progress-ms", optarg, 10, 600000) * NSEC_PER_MSEC;
			break;
		case 'f':
			l->frozen_max_ns = limit("frozen-max-ms", optarg, 10, 600000) *
					   NSEC_PER_MSEC;
			break;
		case 'r':
			l->retry_max = limit("retry-max", optarg, 10, 1000000);
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			die(JUDGE_USAGE, "tdp-judge -h tells what there is");
		}
	}
	if (argc - optind > 1)
		die(JUDGE_USAGE, "%s: one trace at a time", argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct asked asked = {
		.limits = {
			.progress_ns = 10 * NSEC_PER_SEC,
			.frozen_max_ns = 10 * NSEC_PER_SEC,
			.retry_max = 1000,
		},
		.last = U32_MAX,
	};
	struct judgement j = {};
	struct trace t = {};
	const char *name;
	FILE *f = stdin;
	int ret;

	parse(argc, argv, &asked);
	name = optind < argc ? argv[optind] : "-";
	if (strcmp(name, "-"))
		f = fopen(name, "r");
	else
		name = "standard input";
	if (!f)
		die(JUDGE_USAGE, "%s: %s", name, strerror(errno));
	read_trace(f, name, &t);
	if (!ours(&t))
		die(JUDGE_NOTHING,
		    "%s: %u events, none of tdp_stress: enable tdp_stress:* when you trace", name,
		    t.nr);
	judge(&t, &asked.limits, &j);
	ret = asked.json ? say_json(&t, &j, asked.last) : say_text(&t, &j);
	if (fflush(stdout) || ferror(stdout))
		die(JUDGE_USAGE, "standard output: cannot be written");
	return ret;
}
