// SPDX-License-Identifier: GPL-2.0
/* The command line. Every refusal is one line: option, value, what is right. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "../../tdp_stress/uapi/td_payload.h"

#define KIB	UINT64_C(1024)
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)
#define PAYLOAD_MEM	(2 * GIB)	/* it is 32-bit below its image */
#define WEEK	(7 * 24 * 3600)
#define GRACE	20	/* seconds */

enum opt_kind { NUMBER, SIZE, STRING, FLAG, OPS };

enum opt_id {
	OPT_SEED, OPT_DURATION, OPT_OPS, OPT_VCPUS, OPT_MEM, OPT_TDS, OPT_WORKERS, OPT_COUNT,
	OPT_JSON, OPT_TRACE, OPT_INTERVAL, OPT_GRACE, OPT_NO_MODULES, OPT_PAYLOAD, OPT_PROBE,
	OPT_VERBOSE, OPT_HELP,
	NR_OPTS
};

/**
 * struct opt_def - one option
 * @name: without the dashes
 * @kind: how its value is read
 * @offset: of its field in struct options
 * @min: smallest number
 * @max: largest number
 * @arg: what the value is called
 * @help: one line
 */
struct opt_def {
	const char *name;
	enum opt_kind kind;
	size_t offset;
	u64 min, max;
	const char *arg;
	const char *help;
};

#define FIELD(f)	offsetof(struct options, f)

static const struct opt_def defs[NR_OPTS] = {
	[OPT_SEED] = { "seed", NUMBER, FIELD(seed), 0, UINT64_MAX, "N",
		       "seed of every random choice (1)" },
	[OPT_DURATION] = { "duration", NUMBER, FIELD(duration), 1, WEEK, "S",
			   "seconds of stress (60)" },
	[OPT_OPS] = { "ops", OPS, 0, 0, 0, "LIST",
		      "operations and weights: run=10,punch=5; bench; help" },
	[OPT_VCPUS] = { "vcpus", NUMBER, FIELD(vcpus), 1, 0, "N",
			"vCPUs of each TD, up to the number of CPUs (2, or 1 on one CPU)" },
	[OPT_MEM] = { "mem", SIZE, FIELD(mem), MIB, 64 * GIB, "SIZE",
		      "memory of each TD, with K, M or G (16M)" },
	[OPT_TDS] = { "tds", NUMBER, FIELD(tds), 1, 64, "N", "TDs at once (1)" },
	[OPT_WORKERS] = { "workers", NUMBER, FIELD(workers), 0, 64, "N",
			  "threads besides the vCPUs' (2; bench: 0)" },
	[OPT_COUNT] = { "count", NUMBER, FIELD(count), 1, UINT32_MAX, "N",
			"stop when every worker has done N operations" },
	[OPT_JSON] = { "json", STRING, FIELD(json), 0, 0, "FILE", "write a summary to FILE" },
	[OPT_TRACE] = { "trace-ops", STRING, FIELD(trace), 0, 0, "FILE",
			"write the workers' sequence of operations to FILE" },
	[OPT_INTERVAL] = { "interval", NUMBER, FIELD(interval), 0, 3600, "S",
			   "seconds between progress lines, 0 for none (5)" },
	[OPT_GRACE] = { "grace", NUMBER, FIELD(grace), 1, 3600, "S",
			"seconds after which a call must have returned (20)" },
	[OPT_NO_MODULES] = { "no-modules", FLAG, 0, 0, 0, NULL,
			     "do without the modules' debugfs files" },
	[OPT_PAYLOAD] = { "payload", FLAG, 0, 0, 0, NULL,
			  "TDs have the code that a real TDX module takes" },
	[OPT_PROBE] = { "probe", FLAG, 0, 0, 0, NULL,
			"only say whether TDs can be made here: exit code 0, or 3" },
	[OPT_VERBOSE] = { "verbose", FLAG, 0, 0, 0, NULL, "-v: operations of each thread, too" },
	[OPT_HELP] = { "help", FLAG, 0, 0, 0, NULL, "-h: this text" },
};

static void print_help(void)
{
	int i;

	puts("Usage: tdp-stress [OPTION]...\n"
	     "Stress TDs on this machine's KVM: vCPUs run, workers pull at their memory.\n");
	for (i = 0; i < NR_OPTS; i++) {
		char left[32];

		snprintf(left, sizeof(left), "--%s%s%s", defs[i].name, defs[i].arg ? " " : "",
			 defs[i].arg ? defs[i].arg : "");
		printf("  %-17s %s\n", left, defs[i].help);
	}
	puts("\nThe same seed, options and one worker give the same sequence of operations:\n"
	     "compare the ops-digest of two runs with --workers 1 --count N.\n"
	     "\nExit codes: 0 pass, 1 failure found, 2 bad usage, 3 the environment lacks\n"
	     "something.");
}

static void bad(const char *option, const char *value, const char *right)
{
	if (value)
		fprintf(stderr, "tdp-stress: --%s '%s': %s\n", option, value, right);
	else
		fprintf(stderr, "tdp-stress: --%s: %s\n", option, right);
}

static void size_text(u64 v, char *buf, size_t size)
{
	if (v >= GIB && !(v % GIB))
		snprintf(buf, size, "%lluG", v / GIB);
	else
		snprintf(buf, size, "%lluM", v / MIB);
}

/* Digits and nothing else; hexadecimal with 0x. */
static bool number(const char *text, char **end, u64 *value)
{
	int base = !strncmp(text, "0x", 2) ? 16 : 10;

	if (!isdigit((unsigned char)text[0]) || (base == 16 && !isxdigit((unsigned char)text[2])))
		return false;
	errno = 0;
	*value = strtoull(text, end, base);
	return !errno;
}

static bool parse_number(const struct opt_def *d, const char *text, u64 *value)
{
	u64 max = d->max ? d->max : (u64)sysconf(_SC_NPROCESSORS_CONF);
	char right[96];
	char *end;

	if (number(text, &end, value) && !*end && *value >= d->min && *value <= max)
		return true;
	snprintf(right, sizeof(right), "must be a number from %llu to %llu%s",
		 d->min, max, d->max ? "" : " (CPUs of this machine)");
	bad(d->name, text, right);
	return false;
}

static bool parse_size(const struct opt_def *d, const char *text, u64 *value)
{
	static const char units[] = "KMG";
	const char *unit;
	char right[96], min[24], max[24];
	int shift = 0;
	char *end;

	if (number(text, &end, value)) {
		unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
		if (unit) {
			shift = 10 * (unit - units + 1);
			end++;
		}
		if (!*end && *value <= d->max >> shift) {
			*value <<= shift;
			if (*value >= d->min && *value <= d->max && !(*value % (4 * KIB)))
				return true;
		}
	}
	size_text(d->min, min, sizeof(min));
	size_text(d->max, max, sizeof(max));
	snprintf(right, sizeof(right), "must be a multiple of 4K from %s to %s", min, max);
	bad(d->name, text, right);
	return false;
}

static bool parse_value(struct options *opt, const struct opt_def *d, char *text)
{
	void *field = (char *)opt + d->offset;
	char why[128];

	switch (d->kind) {
	case NUMBER:
		return parse_number(d, text, field);
	case SIZE:
		return parse_size(d, text, field);
	case STRING:
		if (*text) {
			*(const char **)field = text;
			return true;
		}
		bad(d->name, text, "must be a file name");
		return false;
	case OPS:
		if (!ops_parse(text, opt->weight, why, sizeof(why))) {
			opt->ops = text;
			return true;
		}
		bad(d->name, text, why);
		return false;
	case FLAG:
		break;
	}
	return true;
}

static bool by_workers(const struct options *opt)
{
	int i;

	for (i = 0; i < NR_OPS; i++)
		if (opt->weight[i] && ops[i].by & OP_BY_WORKER)
			return true;
	return false;
}

/* What only shows when all options are known. */
static bool check_together(struct options *opt, bool workers_given, bool count_given)
{
	if (!by_workers(opt)) {
		if (workers_given && opt->workers) {
			bad("workers", NULL, "--ops has no operation for workers; must be 0");
			return false;
		}
		opt->workers = 0;
	}
	if (opt->payload && (opt->vcpus > TD_PAYLOAD_VCPUS || opt->mem > PAYLOAD_MEM)) {
		bad("payload", NULL, "--vcpus must be 32 at most, and --mem 2G");
		return false;
	}
	if (count_given && !opt->workers) {
		bad("count", NULL, "needs at least one worker and an operation for it");
		return false;
	}
	return true;
}

/**
 * options_parse() - understand the command line
 * @opt: filled in
 * @argc: of main()
 * @argv: of main()
 *
 * Return: OPTIONS_RUN; OPTIONS_DONE: all the user wanted to know was printed;
 *	   OPTIONS_BAD: one line on stderr says what is wrong
 */
enum options_result options_parse(struct options *opt, int argc, char **argv)
{
	struct option longopts[NR_OPTS + 1] = { 0 };
	u32 seen = 0;
	int i, c;

	memset(opt, 0, sizeof(*opt));
	*opt = (struct options) {
		.seed = 1, .duration = 60, .tds = 1, .workers = 2, .mem = 16 * MIB,
		.interval = 5, .grace = GRACE, .modules = true,
		.vcpus = sysconf(_SC_NPROCESSORS_CONF) > 1 ? 2 : 1,
	};
	ops_default(opt->weight);

	for (i = 0; i < NR_OPTS; i++)
		longopts[i] = (struct option) {
			defs[i].name, defs[i].arg ? required_argument : no_argument, NULL, 256 + i
		};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hv", longopts, NULL)) != -1) {
		if (c == 'h')
			c = 256 + OPT_HELP;
		if (c == 'v')
			c = 256 + OPT_VERBOSE;
		if (c == ':') {
			fprintf(stderr, "tdp-stress: %s: needs a value; see -h\n",
				argv[optind - 1]);
			return OPTIONS_BAD;
		}
		if (c < 256) {
			fprintf(stderr, "tdp-stress: %s: no such option; see -h\n",
				argv[optind - 1]);
			return OPTIONS_BAD;
		}
		c -= 256;
		seen |= BIT(c);
		if (c == OPT_HELP) {
			print_help();
			return OPTIONS_DONE;
		}
		if (c == OPT_OPS && !strcmp(optarg, "help")) {
			ops_help();
			return OPTIONS_DONE;
		}
		if (!parse_value(opt, &defs[c], optarg))
			return OPTIONS_BAD;
	}
	if (optind < argc) {
		fprintf(stderr, "tdp-stress: '%s': no operands are taken; see -h\n", argv[optind]);
		return OPTIONS_BAD;
	}
	opt->verbose = seen & BIT(OPT_VERBOSE);
	opt->payload = seen & BIT(OPT_PAYLOAD);
	opt->probe = seen & BIT(OPT_PROBE);
	opt->modules = !(seen & BIT(OPT_NO_MODULES));
	if (!check_together(opt, seen & BIT(OPT_WORKERS), seen & BIT(OPT_COUNT)))
		return OPTIONS_BAD;
	return OPTIONS_RUN;
}

/**
 * options_again() - say which command does the same again
 * @opt: of this run
 */
void options_again(const struct options *opt)
{
	printf("tdp-stress: again: tdp-stress --seed %llu --duration %llu --vcpus %llu",
	       opt->seed, opt->duration, opt->vcpus);
	printf(" --mem %lluK --tds %llu --workers %llu", opt->mem / KIB, opt->tds, opt->workers);
	if (opt->ops)
		printf(" --ops %s", opt->ops);
	if (opt->count)
		printf(" --count %llu", opt->count);
	if (opt->grace != GRACE)
		printf(" --grace %llu", opt->grace);
	if (opt->payload)
		fputs(" --payload", stdout);
	puts(opt->modules ? "" : " --no-modules");
}
