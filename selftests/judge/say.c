// SPDX-License-Identifier: GPL-2.0
/*
 * Says what came out of a judgement, to people and to programs. Judges nothing.
 */
#include "judge.h"

static u64 made[TDPS_NR_CHECKS];

static void count_check(void *unused, const char *name, u64 value)
{
	enum tdps_check id;

	if (strncmp(name, "check.", 6))
		return;
	id = tdps_check_by_name(name + 6, strlen(name + 6));
	if (id != TDPS_NO_CHECK)
		made[id] = value;
}

static const char *seconds(u64 ns)
{
	static char text[4][32];
	static int next;
	char *s = text[next++ % 4];

	scnprintf(s, sizeof(text[0]), "%llu.%06llu", ns / NSEC_PER_SEC,
		  ns % NSEC_PER_SEC / NSEC_PER_USEC);
	return s;
}

static void say_finding(const struct trace *t, const struct finding *f)
{
	const struct event *ev = &t->event[f->event];

	printf("event %u, line %u, at %s, %s/%d on CPU %u:\n  %s\n", f->event + 1, ev->line,
	       seconds(ev->ns), ev->comm, ev->thread->task.pid, ev->cpu, f->text);
	if (f->recorded)
		puts("  (the run has said so; it cannot be seen in the trace)");
	else
		printf("%s  %s: %s\n", f->before ?: "", ev->name, ev->args);
}

/* "F1 12, F2 34" of those that @pick picks, with a title; nothing if there is none. */
static void say_checks(const char *title, bool (*pick)(enum tdps_check id),
		       void (*put)(enum tdps_check id))
{
	const char *before = title;
	int id;

	for (id = 0; id < TDPS_NR_CHECKS; id++) {
		if (!pick(id))
			continue;
		printf("%s%s", before, tdps_check_name(id));
		put(id);
		before = ", ";
	}
	if (before != title)
		putchar('\n');
}

static bool was_made(enum tdps_check id)
{
	return made[id];
}

static bool had_no_cause(enum tdps_check id)
{
	return !made[id] && !why_not(id);
}

static bool is_partly(enum tdps_check id)
{
	return what_part(id);
}

static bool is_impossible(enum tdps_check id)
{
	return why_not(id);
}

static void put_count(enum tdps_check id)
{
	printf(" %llu", made[id]);
}

static void put_part(enum tdps_check id)
{
	printf(" (%s)", what_part(id));
}

static void put_why(enum tdps_check id)
{
	printf(" (%s)", why_not(id));
}

static void put_nothing(enum tdps_check id)
{
}

static void say_extent(const struct trace *t, const struct judgement *j)
{
	printf("trace: %u events of %u threads, %s to %s, %u judged\n", t->nr, j->threads,
	       seconds(t->event[0].ns), seconds(t->event[t->nr - 1].ns), j->judged);
	if (t->overwritten)
		printf("beginning: %llu events overwritten; %u not judged, before %s, where those of another CPU are missing\n",
		       t->overwritten, j->skipped, seconds(t->begins));
	if (t->nr_lost)
		printf("lost: %llu events in %u places; what was known before each is forgotten\n",
		       t->lost_events, t->nr_lost);
}

static void verdict(const struct judgement *j, char *buf, size_t len)
{
	size_t n = 0;
	u32 id, i;

	for (id = 0; id < TDPS_NR_CHECKS; id++) {
		for (i = 0; i < j->nr && j->finding[i].check != id; i++)
			;
		if (i < j->nr)
			n += scnprintf(buf + n, len - n, "%s%s", n ? " " : "FAILURE: ",
				       tdps_check_name(id));
	}
	if (!n)
		scnprintf(buf, len, "SUCCESS");
}

int say_text(const struct trace *t, const struct judgement *j)
{
	u32 seen[TDPS_NR_CHECKS] = {}, id, i;
	char text[160];

	tdps_visit_stats(count_check, NULL);
	for (i = 0; i < j->nr; i++)
		if (seen[j->finding[i].check]++ < SHOWN_IN_FULL)
			say_finding(t, &j->finding[i]);
	for (id = 0; id < TDPS_NR_CHECKS; id++)
		if (seen[id] > SHOWN_IN_FULL)
			printf("%s: seen %u times in all\n", tdps_check_name(id), seen[id]);
	say_extent(t, j);
	say_checks("checked: ", was_made, put_count);
	say_checks("of these in part: ", is_partly, put_part);
	say_checks("no cause to check: ", had_no_cause, put_nothing);
	say_checks("not checked: ", is_impossible, put_why);
	verdict(j, text, sizeof(text));
	printf("--- tdp-judge: %s\n", text);
	return j->nr ? JUDGE_BAD : JUDGE_GOOD;
}

/* --- JSON --- */

static void put_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void put_pair(const char *before, const char *key, const char *value)
{
	printf("%s\"%s\": ", before, key);
	put_string(value);
}

static void put_who(const struct event *ev)
{
	printf(", \"time\": %s, \"cpu\": %u, \"pid\": %d", seconds(ev->ns), ev->cpu,
	       ev->thread->task.pid);
	put_pair(", ", "thread", ev->comm);
}

/* The fields of an event, as they are: numbers in hexadecimal are strings. */
static void put_fields(const struct event *ev)
{
	const char *s = ev->args, *before = "", *end;
	char key[32], value[512];

	for (; *s; s = end + strspn(end, " ")) {
		size_t n = strcspn(s, "= ");

		if (s[n] != '=') {
			end = s + n;
			continue;
		}
		scnprintf(key, sizeof(key), "%.*s", (int)n, s);
		s += n + 1;
		end = s + (goes_to_the_end(key) ? strlen(s) : strcspn(s, " "));
		scnprintf(value, sizeof(value), "%.*s", (int)(end - s), s);
		put_pair(before, key, value);
		before = ", ";
	}
}

static void put_event(const char *before, const struct event *ev, u32 i)
{
	static const char * const systems[] = { "tdps_", "tdx_" };
	const char *kind = ev->name;
	size_t n;

	for (n = 0; n < ARRAY_SIZE(systems); n++)
		if (!strncmp(kind, systems[n], strlen(systems[n])))
			break;
	printf("%s\n  {\"event\": %u, \"line\": %u", before, i + 1, ev->line);
	put_who(ev);
	put_pair(", ", "kind", kind);
	if (*ev->root)
		put_pair(", ", "root", ev->root);
	if (ev->skipped)
		printf(", \"judged\": false");
	if (n < ARRAY_SIZE(systems)) {
		printf(", \"fields\": {");
		put_fields(ev);
		putchar('}');
	} else {
		put_pair(", ", "text", ev->args);
	}
	putchar('}');
}

static void put_findings(const struct trace *t, const struct judgement *j)
{
	const struct finding *f;
	u32 i;

	printf(" \"violations\": [");
	for (i = 0; i < j->nr; i++) {
		f = &j->finding[i];
		printf("%s\n  {\"event\": %u", i ? "," : "", f->event + 1);
		put_who(&t->event[f->event]);
		put_pair(", ", "check", tdps_check_name(f->check));
		put_pair(", ", "text", f->text);
		put_pair(", ", "said_by",
			 f->recorded ? "run" : f->confirmed ? "judge and run" : "judge");
		putchar('}');
	}
	printf("],\n");
}

static void put_map(const char *name, bool (*pick)(enum tdps_check id),
		    const char *(*text)(enum tdps_check id))
{
	const char *before = "";
	int id;

	printf(" \"%s\": {", name);
	for (id = 0; id < TDPS_NR_CHECKS; id++) {
		if (!pick(id))
			continue;
		if (text)
			put_pair(before, tdps_check_name(id), text(id));
		else
			printf("%s\"%s\": %llu", before, tdps_check_name(id), made[id]);
		before = ", ";
	}
	printf("},\n");
}

static const char *no_cause(enum tdps_check id)
{
	return why_not(id) ?: "nothing in the trace gives cause";
}

static bool was_not_made(enum tdps_check id)
{
	return !made[id];
}

int say_json(const struct trace *t, const struct judgement *j, u32 last)
{
	int code = j->nr ? JUDGE_BAD : JUDGE_GOOD;
	const char *before = "";
	char text[160];
	u32 i, f = 0;

	tdps_visit_stats(count_check, NULL);
	verdict(j, text, sizeof(text));
	printf("{\n \"format\": 1,\n");
	put_pair(" ", "verdict", text);
	printf(",\n \"exit_code\": %d,\n", code);
	printf(" \"trace\": {\"events\": %u, \"judged\": %u, \"skipped\": %u, \"overwritten\": %llu, \"lost\": %llu, \"lost_places\": %u, \"threads\": %u, \"first\": %s, \"last\": %s, \"begins\": %s},\n",
	       t->nr, j->judged, j->skipped, t->overwritten, t->lost_events, t->nr_lost,
	       j->threads, seconds(t->event[0].ns), seconds(t->event[t->nr - 1].ns),
	       seconds(t->begins));
	put_findings(t, j);
	put_map("checked", was_made, NULL);
	put_map("in_part", is_partly, what_part);
	put_map("not_checked", was_not_made, no_cause);
	printf(" \"events\": [");
	for (i = 0; i < t->nr; i++) {
		while (f < j->nr && j->finding[f].event < i)
			f++;
		if (t->nr - i > last && (f == j->nr || j->finding[f].event != i))
			continue;
		put_event(before, &t->event[i], i);
		before = ",";
	}
	printf("]\n}\n");
	return code;
}
