// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the text of a trace: tracefs's "trace", "trace-cmd report", "perf script".
 * Knows their lines and what they say of missing events; must not know what an event
 * of tdp_stress means.
 */
#include <ctype.h>
#include <stdarg.h>

#include "judge.h"

#define HASH_BITS	10

struct known {
	struct known *next;
	struct thread thread;
};

static struct known *known[1 << HASH_BITS];
static u32 nr_threads;

/* What is said of each CPU's ring: events overwritten, time of the oldest that is left. */
static struct {
	u64 first;		/* U64_MAX: none seen */
	u64 overrun;
	bool said;
} cpus[MAX_CPUS];

/* Of the header of tracefs's text; 0: it is not there. */
static u64 in_buffer, written;

void die(int code, const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("tdp-judge: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(code);
}

void *grow(void *array, u32 nr, size_t size)
{
	/* by doubling: whenever the number is a power of two */
	if (nr & (nr - 1))
		return array;
	array = realloc(array, (nr ? 2 * (size_t)nr : 1) * size);
	if (!array)
		die(JUDGE_USAGE, "not enough memory for this trace");
	return array;
}

u32 threads_seen(void)
{
	return nr_threads;
}

/* From now on it is called so. */
void name_thread(struct thread *t, const char *comm)
{
	if (t->comm && !strcmp(t->comm, comm))
		return;
	strscpy(t->task.comm, comm);
	t->comm = strdup(t->task.comm);
	if (!t->comm)
		die(JUDGE_USAGE, "not enough memory for this trace");
}

static struct thread *thread_of(pid_t pid, const char *comm, size_t len)
{
	struct known **at = &known[hash_64(pid, HASH_BITS)], *k;
	char name[TASK_COMM_LEN];

	for (k = *at; k; k = k->next)
		if (k->thread.task.pid == pid)
			break;
	if (!k) {
		k = calloc(1, sizeof(*k));
		if (!k)
			die(JUDGE_USAGE, "not enough memory for this trace");
		k->thread.task.pid = pid;
		k->next = *at;
		*at = k;
		nr_threads++;
		scnprintf(name, sizeof(name), "%.*s", (int)len, comm);
		name_thread(&k->thread, name);
	}
	return &k->thread;
}

/* "123" at the end of [@s, @end); where it begins, or NULL. */
static const char *number_before(const char *s, const char *end)
{
	const char *p = end;

	while (p > s && isdigit((unsigned char)p[-1]))
		p--;
	return p < end ? p : NULL;
}

/* What comes before "[cpu]": the name, perhaps with '-' or blanks in it, and the pid. */
static bool parse_thread(struct event *ev, const char *s, const char *end)
{
	const char *pid;

	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	/* the thread group, with tracefs's option record-tgid */
	if (end > s && end[-1] == ')') {
		while (end > s && *end != '(')
			end--;
		while (end > s && isspace((unsigned char)end[-1]))
			end--;
	}
	pid = number_before(s, end);
	if (!pid || pid == s || (pid[-1] != '-' && !isspace((unsigned char)pid[-1])))
		return false;
	end = pid - 1;
	while (s < end && isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	ev->thread = thread_of(strtol(pid, NULL, 10), s, end - s);
	return true;
}

/* "123.456789:" at @s; what comes after it, or NULL. */
static char *parse_time(char *s, u64 *ns)
{
	u64 unit = NSEC_PER_SEC / 10;
	char *p;

	*ns = strtoull(s, &p, 10) * NSEC_PER_SEC;
	if (p == s || *p != '.')
		return NULL;
	for (p++; isdigit((unsigned char)*p); p++, unit /= 10)
		*ns += (*p - '0') * unit;
	return *p == ':' ? p + 1 : NULL;
}

/* "[001] d..1. 123.456789: name: args" at @s. */
static bool parse_rest(struct event *ev, char *s)
{
	char *p, *end;

	ev->cpu = strtoul(s + 1, &p, 10);
	if (p == s + 1 || *p != ']' || ev->cpu >= MAX_CPUS)
		return false;
	p += strspn(p + 1, " \t") + 1;
	ev->task = true;
	if (!isdigit((unsigned char)*p) || !parse_time(p, &ev->ns)) {
		/* irqs-off, need-resched, hardirq or softirq, preempt depth */
		size_t n = strcspn(p, " \t");

		if (n > 2 && strchr("hHsZz", p[2]))
			ev->task = false;
		p += n;
		p += strspn(p, " \t");
	}
	p = parse_time(p, &ev->ns);
	if (!p)
		return false;
	p += strspn(p, " \t");
	end = strstr(p, ": ");
	if (!end)
		end = strchr(p, ':');
	if (!end)
		return false;
	*end = '\0';
	/* perf names the system, too */
	ev->name = strrchr(p, ':') ? strrchr(p, ':') + 1 : p;
	ev->args = end + 1 + strspn(end + 1, " \t");
	return true;
}

/* An event? The name of a thread may have brackets in it. */
static bool parse_event(struct event *ev, char *line)
{
	char *s = line;

	while ((s = strchr(s, '['))) {
		if (isdigit((unsigned char)s[1])) {
			char *copy = strdup(s);
			struct event try = *ev;

			if (!copy)
				die(JUDGE_USAGE, "not enough memory for this trace");
			if (parse_rest(&try, copy) && parse_thread(&try, line, s)) {
				*ev = try;
				ev->text = copy;
				return true;
			}
			free(copy);
		}
		s++;
	}
	return false;
}

/* perf script --show-lost-events: comm 7 [000] 1.000001: PERF_RECORD_LOST lost 12 */
static bool parse_lost_of_perf(const char *line, unsigned int *cpu, unsigned long long *count)
{
	const char *at = strstr(line, ": PERF_RECORD_LOST"), *s = line;

	if (!at || sscanf(at, ": PERF_RECORD_LOST%*[A-Z_ ] lost %llu", count) != 1)
		return false;
	/* the name of a thread may have brackets in it: the last before the time counts */
	while ((s = strchr(s, '[')) && s < at)
		*cpu = strtoul(++s, NULL, 10);
	return true;
}

/* tracefs: CPU:0 [LOST 12 EVENTS]; trace-cmd: CPU:0 [12 EVENTS DROPPED] */
static bool parse_lost(struct trace *t, const char *line)
{
	unsigned long long count = 0;
	unsigned int cpu = MAX_CPUS;
	const char *s = line + strspn(line, " \t");

	if (sscanf(s, "CPU:%u [LOST %llu EVENTS]", &cpu, &count) == 2 ||
	    sscanf(s, "CPU:%u [%llu EVENTS DROPPED]", &cpu, &count) == 2 ||
	    (sscanf(s, "CPU:%u", &cpu) == 1 &&
	     (strstr(s, "[LOST EVENTS]") || strstr(s, "[EVENTS DROPPED]"))) ||
	    parse_lost_of_perf(s, &cpu, &count)) {
		t->lost = grow(t->lost, t->nr_lost, sizeof(*t->lost));
		t->lost[t->nr_lost++] = (struct lost) {
			.before = t->nr, .cpu = cpu, .count = count,
		};
		t->lost_events += count;
		return true;
	}
	return false;
}

static void parse_comment(const char *line)
{
	unsigned long long a, b;
	unsigned int cpu;
	const char *at;

	at = strstr(line, "entries-in-buffer/entries-written:");
	if (at && sscanf(at, "entries-in-buffer/entries-written: %llu/%llu", &a, &b) == 2) {
		in_buffer = a;
		written = b;
	}
	/* a run that keeps its trace says so much of each CPU's ring */
	at = strstr(line, "tdp_stress: cpu ");
	if (at && sscanf(at, "tdp_stress: cpu %u overrun %llu", &cpu, &a) == 2 && cpu < MAX_CPUS) {
		cpus[cpu].overrun = a;
		cpus[cpu].said = true;
	}
}

/*
 * Rings of several CPUs do not begin at the same time: judge from where all of them
 * are there.
 */
static void find_beginning(struct trace *t)
{
	bool said = false;
	unsigned int i;

	for (i = 0; i < MAX_CPUS; i++)
		said |= cpus[i].said;
	for (i = 0; i < MAX_CPUS; i++) {
		if (said && cpus[i].overrun) {
			t->overwritten += cpus[i].overrun;
			/* none of it is left: nothing is known before the end */
			t->begins = max(t->begins, cpus[i].first);
		} else if (!said && written > in_buffer && cpus[i].first != U64_MAX) {
			t->begins = max(t->begins, cpus[i].first);
		}
	}
	if (!said && written > in_buffer)
		t->overwritten = written - in_buffer;
	for (i = 0; i < t->nr; i++)
		t->event[i].skipped = t->event[i].ns < t->begins;
}

static void check_order(const struct trace *t, const char *name)
{
	u32 i;

	for (i = 1; i < t->nr; i++)
		if (t->event[i].ns < t->event[i - 1].ns)
			die(JUDGE_DAMAGED,
			    "%s:%u: this event is older than the one before it: sort them, and trace with a clock that all CPUs share (trace_clock mono)",
			    name, t->event[i].line);
}

/**
 * read_trace() - read all of it
 * @f: from where
 * @name: for messages
 * @t: filled in
 *
 * Does not return if it is no trace.
 */
void read_trace(FILE *f, const char *name, struct trace *t)
{
	unsigned int number = 0, others = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	u32 i;

	for (i = 0; i < MAX_CPUS; i++)
		cpus[i].first = U64_MAX;
	while ((len = getline(&line, &size, f)) >= 0) {
		struct event ev = { .line = ++number, .root = "" };

		if (len && line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (memchr(line, '\0', len - !!len))
			die(JUDGE_DAMAGED, "%s:%u: not text: give it the output of trace-cmd report, or of tracefs's trace",
			    name, number);
		if (line[strspn(line, " \t")] == '#') {
			parse_comment(line);
		} else if (parse_event(&ev, line)) {
			t->event = grow(t->event, t->nr, sizeof(ev));
			t->event[t->nr++] = ev;
			cpus[ev.cpu].first = min(cpus[ev.cpu].first, ev.ns);
		} else if (!parse_lost(t, line)) {
			others++;
		}
	}
	if (ferror(f))
		die(JUDGE_USAGE, "%s: cannot be read", name);
	free(line);
	if (!t->nr)
		die(others ? JUDGE_DAMAGED : JUDGE_NOTHING,
		    others ? "%s: no line of it is an event of a trace" : "%s: there is no event in it",
		    name);
	check_order(t, name);
	find_beginning(t);
}

/* The last field of an event may have blanks in it. */
bool goes_to_the_end(const char *key)
{
	return !strcmp(key, "text") || !strcmp(key, "comm");
}

const char *field(const struct event *ev, const char *key)
{
	static char value[512];
	size_t n = strlen(key), len;
	const char *s = ev->args;

	while ((s = strstr(s, key))) {
		if ((s == ev->args || s[-1] == ' ') && s[n] == '=') {
			s += n + 1;
			len = goes_to_the_end(key) ? strlen(s) : strcspn(s, " ");
			scnprintf(value, sizeof(value), "%.*s", (int)len, s);
			return value;
		}
		s += n;
	}
	return NULL;
}
