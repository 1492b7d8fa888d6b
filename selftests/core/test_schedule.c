// SPDX-License-Identifier: GPL-2.0
/*
 * Schedule points: who waits where, and the names of points=. torture/schedule.c as it
 * is, without what it includes; a clock that goes on only while somebody waits.
 */
#include <limits.h>
#include <stdarg.h>

#include "../../tdp_stress/core/env.h"

#define NSEC_PER_USEC		1000ULL
#define NSEC_PER_MSEC		1000000ULL
#define READ_ONCE(x)		(x)
#define WRITE_ONCE(x, v)	((x) = (v))

typedef struct { int counter; } atomic_t;
#define atomic_set(v, n)	((v)->counter = (n))
#define atomic_dec_return(v)	(--(v)->counter)

#define DECLARE_STATIC_KEY_FALSE(name)	extern bool name
#define DEFINE_STATIC_KEY_FALSE(name)	bool name
#define static_branch_unlikely(key)	(*(key))
#define static_branch_enable(key)	((void)(*(key) = true))
#define static_branch_disable(key)	((void)(*(key) = false))

enum torture_schedule {
	TORTURE_SCHEDULE_NONE,
	TORTURE_SCHEDULE_RANDOM,
	TORTURE_SCHEDULE_PCT,
};

struct torture_worker {
	void *task;
	void *op;
	u32 priority;
	u32 points;
	u32 random;
};

#define NR_WORKERS	2

static struct torture_worker workers[NR_WORKERS];
static u64 now;
static int waits;		/* of all threads, at all points */
static bool masked;		/* interrupts */
static u32 hrtimer_resolution = 1;
static char said[256];

/* A step of a wait. */
static void some_time(void)
{
	now += 100;
	waits++;
}

#define cpu_relax()			some_time()
#define usleep_range(...)		some_time()
#define cond_resched()			some_time()
#define ktime_get_mono_fast_ns()	now
#define irqs_disabled()			masked
#define task_is_running(task)		((task) != NULL)

static struct torture_worker *torture_current(void)
{
	return &workers[0];
}

static void torture_visit(void (*fn)(struct torture_worker *w, void *arg), void *arg)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		fn(&workers[i], arg);
}

static u32 torture_random(struct torture_worker *w, u32 below)
{
	w->random = w->random * 1664525 + 1013904223;
	return (w->random >> 8) % below;
}

static bool torture_one_in(struct torture_worker *w, u32 n)
{
	return !torture_random(w, n);
}

static size_t scnprintf(char *buf, size_t len, const char *fmt, ...)
{
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vsnprintf(buf, len, fmt, args);
	va_end(args);
	return n < len ? n : len - 1;
}

#define pr_err(fmt, ...)	snprintf(said, sizeof(said), pr_fmt(fmt), __VA_ARGS__)

#include "schedule.inc"
#include "kselftest_harness.h"

#define VISITS		400
#define DELAY_US	20

static const char * const names[TDPS_NR_POINTS] = {
	"op", "frozen", "unfreeze", "zap", "free", "change",
};

/* The other worker is at work, and goes first. */
static void start(enum torture_schedule schedule, unsigned long points)
{
	memset(workers, 0, sizeof(workers));
	workers[1].task = workers;
	workers[1].op = workers;
	workers[1].priority = INT_MAX;
	torture_schedule_start(schedule, DELAY_US, points);
}

/* How long the first one waits in VISITS visits of @p. */
static int waits_at_point(enum tdps_point p)
{
	int i;

	waits = 0;
	for (i = 0; i < VISITS; i++)
		tdps_point(p);
	return waits;
}

TEST(all_points_wait)
{
	enum torture_schedule schedule;
	int p;

	for (schedule = TORTURE_SCHEDULE_RANDOM; schedule <= TORTURE_SCHEDULE_PCT; schedule++) {
		start(schedule, TDPS_ALL_POINTS);
		for (p = 0; p < TDPS_NR_POINTS; p++)
			EXPECT_LT(0, waits_at_point(p)) TH_LOG("%d: point %d", schedule, p);
		masked = true;
		EXPECT_EQ(0, waits_at_point(TDPS_POINT_FROZEN));
		masked = false;
		torture_schedule_stop();
		EXPECT_EQ(0, waits_at_point(TDPS_POINT_FROZEN));
	}
}

TEST(no_others_wait)
{
	enum torture_schedule schedule;
	int p, listed;

	for (schedule = TORTURE_SCHEDULE_RANDOM; schedule <= TORTURE_SCHEDULE_PCT; schedule++)
		for (listed = 0; listed < TDPS_NR_POINTS; listed++) {
			start(schedule, BIT(listed));
			for (p = 0; p < TDPS_NR_POINTS; p++)
				EXPECT_EQ(p == listed, waits_at_point(p) > 0)
					TH_LOG("%d: point %d, listed %d", schedule, p, listed);
		}
}

TEST(a_wait_ends)
{
	int i;

	start(TORTURE_SCHEDULE_PCT, TDPS_ALL_POINTS);
	for (i = 0; i < VISITS; i++) {
		u64 before = now;

		tdps_point(TDPS_POINT_ZAP);
		EXPECT_GE(DELAY_US * NSEC_PER_USEC + 100, now - before);
	}
}

/* What a seed does next does not depend on where threads wait. */
TEST(the_random_stream_is_the_same)
{
	enum torture_schedule schedule;
	u32 all;
	int p;

	for (schedule = TORTURE_SCHEDULE_RANDOM; schedule <= TORTURE_SCHEDULE_PCT; schedule++) {
		start(schedule, TDPS_ALL_POINTS);
		for (p = 0; p < TDPS_NR_POINTS; p++)
			waits_at_point(p);
		all = workers[0].random;
		EXPECT_NE(0, all);
		start(schedule, BIT(TDPS_POINT_FREE));
		for (p = 0; p < TDPS_NR_POINTS; p++)
			waits_at_point(p);
		EXPECT_EQ(all, workers[0].random);
	}
}

TEST(points_by_name)
{
	unsigned long points = 0;
	char text[64];
	int p;

	for (p = 0; p < TDPS_NR_POINTS; p++) {
		ASSERT_EQ(0, tdps_parse_points(names[p], &points));
		EXPECT_EQ(BIT(p), points);
		EXPECT_EQ(strlen(names[p]), tdps_points_str(points, text, sizeof(text)));
		EXPECT_STREQ(names[p], text);
	}
	ASSERT_EQ(0, tdps_parse_points("zap,op,zap\n", &points));
	EXPECT_EQ(BIT(TDPS_POINT_ZAP) | BIT(TDPS_POINT_OP), points);
	tdps_points_str(points, text, sizeof(text));
	EXPECT_STREQ("op,zap", text);
	ASSERT_EQ(0, tdps_parse_points("all", &points));
	EXPECT_EQ(TDPS_ALL_POINTS, points);
	tdps_points_str(points, text, sizeof(text));
	EXPECT_STREQ("all", text);
}

TEST(names_that_are_none)
{
	static const char * const bad[] = {
		"", "frozenn", "froze", "op,", ",op", "op,,zap", "FROZEN", "none", "op zap",
		"all,x",
	};
	unsigned long points;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		points = BIT(TDPS_POINT_ZAP);
		*said = 0;
		EXPECT_EQ(-EINVAL, tdps_parse_points(bad[i], &points)) TH_LOG("'%s'", bad[i]);
		EXPECT_EQ(BIT(TDPS_POINT_ZAP), points);
		EXPECT_EQ(said + strlen(said) - 1, strchr(said, '\n')) TH_LOG("%s", said);
	}
	tdps_parse_points("op,frosen", &points);
	EXPECT_NE(NULL, strstr(said, "tdp_stress: points=op,frosen: 'frosen' is no "));
	EXPECT_NE(NULL, strstr(said, " op,frozen,unfreeze,zap,free,change\n"));
}

TEST_HARNESS_MAIN
