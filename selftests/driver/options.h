/* SPDX-License-Identifier: GPL-2.0 */
/* The command line: what may be asked for and in which range. */
#ifndef DRIVER_OPTIONS_H
#define DRIVER_OPTIONS_H

#include "../lib/types.h"

#include "ops.h"

enum exit_code { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_ENVIRONMENT = 3 };

/**
 * struct options - what the user wants
 * @seed: of every random choice
 * @duration: seconds of stress
 * @vcpus: vCPUs of each TD
 * @mem: bytes of each TD's memory
 * @tds: TDs that live for the whole run
 * @workers: threads besides the vCPUs' own
 * @count: operations after which each worker stops; 0: until @duration is over
 * @interval: seconds between progress lines; 0: none
 * @grace: seconds after which a call that has not returned is a failure
 * @json: file for the summary, or NULL
 * @trace: file for the sequence of operations, or NULL
 * @modules: read the two modules' debugfs files
 * @probe: only look whether there can be TDs
 * @payload: TDs run the code that real hardware takes
 * @verbose: operations of each thread, too
 * @weight: of each operation
 * @ops: the list they are from, or NULL: by default
 */
struct options {
	u64 seed;
	u64 duration;
	u64 vcpus;
	u64 mem;
	u64 tds;
	u64 workers;
	u64 count;
	u64 interval;
	u64 grace;
	const char *json;
	const char *trace;
	bool modules;
	bool payload;
	bool probe;
	bool verbose;
	u32 weight[NR_OPS];
	const char *ops;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_BAD };

enum options_result options_parse(struct options *opt, int argc, char **argv);
void options_again(const struct options *opt);

#endif
