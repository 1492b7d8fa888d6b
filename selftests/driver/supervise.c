// SPDX-License-Identifier: GPL-2.0
/*
 * The supervisor: lets the threads work for as long as asked, sees that calls
 * return (P1), wakes vCPUs that sleep, and gets the threads to stop.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "stress.h"

#define TICK_US		100000
/* While threads are to stop. */
#define SHORT_TICK_US	(TICK_US / 10)
/* A KVM_RUN as long as this is a halted guest or a long wait: wake it. */
#define KICK_US		(2 * TICK_US)

/**
 * struct seen - what the last tick saw of a thread
 * @seq: td_watch.seq
 * @us: for how long the same call has been in flight: ticks, not the clock's time, in
 *	which the supervisor may have had no CPU either
 */
struct seen {
	u32 seq;
	u64 us;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Its arrival is all that matters: calls return with EINTR. */
static void on_kick(int sig)
{
	(void)sig;
}

static void install(int sig, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn };

	sigaction(sig, &sa, NULL);
}

static void print_file(pid_t tid, const char *file)
{
	char path[64], line[256];
	bool empty = true;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, file);
	f = fopen(path, "re");
	if (!f) {
		printf("tdp-stress:   %s: not readable\n", path);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		empty = false;
		printf("tdp-stress:   %s: %.*s\n", file, (int)strcspn(line, "\n"), line);
	}
	if (empty)
		printf("tdp-stress:   %s: empty, it is running\n", file);
	fclose(f);
}

static void sysrq(char key)
{
	FILE *f = fopen("/proc/sysrq-trigger", "we");

	if (!f)
		return;
	fputc(key, f);
	fclose(f);
}

static void report_hang(struct stress *s, const struct worker *w)
{
	int op = w->op;

	s->hung = true;
	stress_fail(s, "P1: w%u:%s: %s has not returned for %llu s", w->id,
		    op < 0 ? "?" : ops[op].name, td_call_name(w->watch.call), s->opt.grace);
	print_file(w->tid, "wchan");
	print_file(w->tid, "stack");
	/* Time on a CPU and waiting for one, in ns: hung, or starved? */
	print_file(w->tid, "schedstat");
	fflush(stdout);
	/* What the CPUs do, and who else is blocked, goes to the kernel log. */
	sysrq('l');
	sysrq('w');
}

/* Look at every thread, @tick_us after the last time; false: one hangs. */
static bool watch(struct stress *s, struct seen *seen, u32 tick_us)
{
	unsigned int i;

	for (i = 0; i < s->nr_workers; i++) {
		struct worker *w = &s->workers[i];
		u32 call = w->watch.call, seq = w->watch.seq;

		if (!w->started || w->finished)
			continue;
		if (call == TD_CALL_NONE || seq != seen[i].seq) {
			seen[i] = (struct seen) { .seq = seq };
			continue;
		}
		seen[i].us += tick_us;
		if (call == TD_CALL_RUN && seen[i].us >= KICK_US)
			pthread_kill(w->thread, SIGUSR1);
		if (seen[i].us > s->opt.grace * 1000000) {
			report_hang(s, w);
			return false;
		}
	}
	return true;
}

static bool all_finished(const struct stress *s, enum worker_role role)
{
	unsigned int i;

	for (i = 0; i < s->nr_workers; i++)
		if (s->workers[i].role == role && s->workers[i].started && !s->workers[i].finished)
			return false;
	return true;
}

/* Wait for threads that have been told to stop, each call within the grace time. */
static void gather(struct stress *s, struct seen *seen, enum worker_role role)
{
	/* Operations of several calls need several graces at worst. */
	u64 until = now_ns() + 4 * s->opt.grace * 1000000000ULL;
	unsigned int i;

	while (!s->hung && !all_finished(s, role)) {
		for (i = 0; i < s->nr_workers && role == WORKER_VCPU; i++)
			if (s->workers[i].started && !s->workers[i].finished)
				pthread_kill(s->workers[i].thread, SIGUSR1);
		sleep_us(SHORT_TICK_US);
		if (now_ns() > until) {
			s->hung = true;
			stress_fail(s, "P1: threads do not stop");
			return;
		}
		watch(s, seen, SHORT_TICK_US);
	}
	for (i = 0; i < s->nr_workers; i++) {
		struct worker *w = &s->workers[i];

		if (w->role != role || !w->started || !w->finished)
			continue;
		pthread_join(w->thread, NULL);
		w->started = false;
	}
}

static bool over(const struct stress *s, u64 now)
{
	if (s->failed || interrupted || now - s->start_ns >= s->opt.duration * 1000000000ULL)
		return true;
	return s->opt.count && all_finished(s, WORKER_FREE);
}

/**
 * supervise() - start the threads, let them work, stop them
 * @s: the run, with its targets; afterwards no thread uses a TD, or s->hung
 */
void supervise(struct stress *s)
{
	u64 interval = s->opt.interval * 1000000000ULL;
	u64 next;
	struct seen *seen;

	install(SIGUSR1, on_kick);
	install(SIGINT, on_interrupt);
	install(SIGTERM, on_interrupt);

	s->start_ns = now_ns();
	next = s->start_ns + interval;
	if (workers_create(s))
		s->failed = true;
	seen = calloc(s->nr_workers + 1, sizeof(*seen));
	if (!seen)
		stress_fail(s, "no memory for the supervisor");

	while (seen && !over(s, now_ns())) {
		sleep_us(TICK_US);
		watch(s, seen, TICK_US);
		if (interval && now_ns() >= next) {
			report_progress(s, false);
			next += interval;
		}
	}
	s->elapsed_ns = now_ns() - s->start_ns;
	report_progress(s, true);
	if (interrupted)
		printf("tdp-stress: interrupted after %.1f s\n", s->elapsed_ns / 1e9);

	s->stop_free = true;
	if (seen)
		gather(s, seen, WORKER_FREE);
	s->stop_vcpus = true;
	if (seen && !s->hung)
		gather(s, seen, WORKER_VCPU);
	free(seen);
}
