/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tdp-judge: what its files tell each other. read.c knows the text of a trace,
 * replay.c what its events mean to the oracles, say.c what people and programs read.
 */
#ifndef TDP_STRESS_SELFTESTS_JUDGE_H
#define TDP_STRESS_SELFTESTS_JUDGE_H

#include "../../tdp_stress/oracle/oracle.h"

/* exit codes; Documentation/tracing.rst */
enum {
	JUDGE_GOOD = 0,
	JUDGE_BAD = 1,
	JUDGE_USAGE = 2,	/* options, or a file that cannot be read */
	JUDGE_NOTHING = 3,	/* no event of tdp_stress's in it */
	JUDGE_DAMAGED = 6,	/* it is no trace, or an event is not what it should be */
};

#define MAX_CPUS	1024
#define SHOWN_IN_FULL	5	/* violations of a kind, as in the kernel's log */
#define U32_MAX		(~0U)

/**
 * struct event - one event of a trace
 * @line: number of its line in the file, from 1
 * @ns: its time, ns
 * @cpu: where
 * @task: true unless it came from an interrupt
 * @skipped: not judged: what came before it was overwritten on another CPU
 * @thread: by whom
 * @comm: what the thread called itself then, as far as known
 * @name: "tdps_op_begin", without its system; points into @text
 * @args: "op=map vm=0x1 ..."; points into @text
 * @root: "mirror", "direct" or "", once it was judged
 * @text: the line
 */
struct event {
	unsigned int line;
	u64 ns;
	unsigned int cpu;
	bool task;
	bool skipped;
	struct thread *thread;
	const char *comm;
	char *name;
	char *args;
	const char *root;
	char *text;
};

/**
 * struct lost - events that are missing in the middle
 * @before: number of the event that comes next
 * @cpu: where
 * @count: how many; 0: not known
 */
struct lost {
	u32 before;
	unsigned int cpu;
	u64 count;
};

/**
 * struct trace - all of a trace
 * @event: its events; the number that people see is the index plus one
 * @nr: how many
 * @lost: where there are none
 * @nr_lost: how many such places
 * @lost_events: how many events, as far as known
 * @overwritten: events that the ring has forgotten before the first one; 0: none
 * @begins: judged from this time on, ns
 */
struct trace {
	struct event *event;
	u32 nr;
	struct lost *lost;
	u32 nr_lost;
	u64 lost_events;
	u64 overwritten;
	u64 begins;
};

/**
 * struct finding - a violation
 * @event: index of the event at which it was seen
 * @check: which
 * @recorded: it was said by the oracles of the run, not here
 * @confirmed: said here and by the run
 * @text: as in the log
 * @before: lines, what its thread did before; NULL: not asked for
 */
struct finding {
	u32 event;
	enum tdps_check check;
	bool recorded;
	bool confirmed;
	char *text;
	char *before;
};

/**
 * struct judgement - what came out
 * @finding: violations, those of the run too
 * @nr: how many
 * @judged: events that the oracles were told
 * @skipped: events not judged as the beginning is cut off
 * @begun_before: ends of what had begun before the trace
 * @threads: threads seen
 */
struct judgement {
	struct finding *finding;
	u32 nr;
	u32 judged;
	u32 skipped;
	u32 begun_before;
	u32 threads;
};

struct thread;

/* read.c */
__printf(2, 3) _Noreturn void die(int code, const char *fmt, ...);
void *grow(void *array, u32 nr, size_t size);
void name_thread(struct thread *t, const char *comm);
void read_trace(FILE *f, const char *name, struct trace *t);
/* The value of @key of @ev; NULL: there is none. Points into a buffer of its own. */
const char *field(const struct event *ev, const char *key);
bool goes_to_the_end(const char *key);
u32 threads_seen(void);

/* replay.c */
void judge(struct trace *t, const struct tdps_limits *limits, struct judgement *j);
const char *why_not(enum tdps_check id);
const char *what_part(enum tdps_check id);

/* say.c */
int say_text(const struct trace *t, const struct judgement *j);
/* @last: only so many events, and those with a violation. */
int say_json(const struct trace *t, const struct judgement *j, u32 last);

/**
 * struct thread - a thread of the trace, and what it is in the middle of
 * @task: as the oracles see it
 * @comm: its name; a copy for each that it has had
 * @open: operations that were seen to begin
 * @depth: how many
 * @ext: the external operation that was seen to begin
 * @ext_ctx: of it
 * @ext_open: there is one
 * @settled: it is known whether there is one: not from the first event on
 */
struct thread {
	struct task_struct task;
	const char *comm;
	struct {
		struct tdps_ctx *ctx;
		u8 op;
		u8 roots;
	} open[16];
	u32 depth;
	struct tdps_extop ext;
	struct tdps_ctx *ext_ctx;
	bool ext_open;
	bool settled;
};

#endif
