// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel itself complains about while a case runs: read from its log, where
 * every splat arrives in whatever context it happened. Warnings that a case expects
 * are KUnit's to suppress; where KUnit cannot, they are counted in the log.
 */
#include <linux/ctype.h>
#include <linux/kmsg_dump.h>
#include <linux/string.h>

#include "internal.h"

/* Only the beginning of a line counts: KUnit's own messages may quote anything. */
static const char * const marks[] = {
	"WARNING: ", "BUG: ", "[ BUG: ", "kernel BUG at ", "KFENCE: ", "UBSAN: ",
	"INFO: task ", "INFO: rcu", "rcu: INFO: ", "INFO: trying to register non-static key",
	"watchdog: BUG: ", "list_add corruption", "list_del corruption", "Oops: ",
	"general protection fault", "Invalid SPTE change", "Unexpected SPTE change",
	"pagealloc: memory corruption", "refcount_t: ",
};

static struct kmsg_dump_iter at;
static char line[256];

/* Without "[    1.234567]" and "[    T12]". */
static const char *skip_prefix(const char *text)
{
	const char *p, *end;

	while (*text == '[') {
		p = skip_spaces(text + 1);
		if (*p == 'T' || *p == 'C')
			p++;
		end = strchr(p, ']');
		if (!isdigit(*p) || !end)
			break;
		text = skip_spaces(end + 1);
	}
	return text;
}

static bool begins_with_one_of(const char *text, const char * const *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (str_has_prefix(text, list[i]))
			return true;
	return false;
}

/* The next line of the log that is a splat's first, or NULL: no more lines. */
static const char *next_splat(void)
{
	const char *text;
	size_t len;

	while (kmsg_dump_get_line(&at, false, line, sizeof(line) - 1, &len)) {
		line[min(len, sizeof(line) - 1)] = '\0';
		strim(line);
		text = skip_prefix(line);
		/* dl_server_timer() of the scheduler, see scripts/qemu/known-messages */
		if (str_has_prefix(text, "WARNING: kernel/time/hrtimer.c:") &&
		    strstr(text, " at hrtimer_forward+"))
			continue;
		if (begins_with_one_of(text, marks, ARRAY_SIZE(marks)))
			return text;
	}
	return NULL;
}

/* --- warnings that are expected --- */

static struct {
	bool active;
	int count;
	struct bed *b;
	const char *other;	/* a splat that was not expected, seen meanwhile or before */
#ifdef kunit_warning_suppress
	struct kunit_suppressed_warning *handle;
#endif
} expected;

#ifdef kunit_warning_suppress
static void suppress(void)
{
	expected.handle = kunit_start_suppress_warning(expected.b->test);
}

static void unsuppress(void)
{
	expected.count = kunit_suppressed_warning_count(expected.handle);
	kunit_end_suppress_warning(expected.b->test, expected.handle);
}

static bool is_expected(const char *text)
{
	/* KVM's words after the warning that was suppressed */
	return expected.count && str_has_prefix(text, "Unexpected SPTE change");
}
#else
/* The runner, who reads the log, too, wants to know. */
static void suppress(void)
{
	kunit_info(expected.b->test, "expected warnings: begin");
}

static void unsuppress(void)
{
	kunit_info(expected.b->test, "expected warnings: end");
}

/* "WARNING: file:line at function" is a WARN(); lockdep and RCU name no place there. */
static bool is_expected(const char *text)
{
	if (str_has_prefix(text, "WARNING: ") && strstr(text, " at ") && strchr(text, ':'))
		expected.count++;
	else if (!expected.count || !str_has_prefix(text, "Unexpected SPTE change"))
		return false;
	return true;
}
#endif

static void note_other(struct bed *b, const char *text)
{
	if (!expected.other)
		expected.other = bed_say(b, "%s", text);
}

/**
 * bed_expect_warn() - warnings of this thread are expected from now on
 * @b: bed
 *
 * Context: process; may sleep. Not nested.
 */
void bed_expect_warn(struct bed *b)
{
	const char *text = bed_splat(b);

	if (text)
		note_other(b, text);
	expected.b = b;
	expected.count = 0;
	expected.active = true;
	suppress();
}

/**
 * bed_warns() - warnings are not expected any more
 * @b: bed
 *
 * Context: process; may sleep; the thread that expected them.
 *
 * Return: how many there were.
 */
int bed_warns(struct bed *b)
{
	const char *text;

	if (!expected.active)
		return 0;
	unsuppress();
	while ((text = next_splat()))
		if (!is_expected(text))
			note_other(b, text);
	expected.active = false;
	return expected.count;
}

/* --- the case's life --- */

/* What was said before is not the case's. */
void bed_splat_begin(void)
{
	while (next_splat())
		;
	expected.active = false;
	expected.other = NULL;
}

void bed_splat_init(void)
{
	kmsg_dump_rewind(&at);
	bed_splat_begin();
}

/**
 * bed_splat() - what has the kernel complained about?
 * @b: bed
 *
 * Context: process; may sleep.
 *
 * Return: the first line since the case began, or since the last call, that begins an
 * unexpected splat; NULL: none.
 */
const char *bed_splat(struct bed *b)
{
	const char *text, *first = expected.other;

	expected.other = NULL;
	while ((text = next_splat()))
		first = first ?: bed_say(b, "%s", text);
	return first;
}
