// SPDX-License-Identifier: GPL-2.0
/*
 * A stress run as a kernel that is nothing else: waits until the tester is done, and
 * tells the host. There is no user space; what scripts/qemu/guest/external.sh does
 * in a virtual machine is done here, in the same format (scripts/qemu/channel.py), to
 * a file of the host's: tdp_stress_results=FILE on the command line. Judges nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/console.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kmsg_dump.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <os.h>

#include "../../../tdp_stress/kvm/user.h"
#include "../../../tdp_stress/oracle/oracle.h"
#include "../../../tdp_stress/stress/stress.h"

#define STDOUT		1	/* of the host's process */
#define ALIVE_MS	3000	/* between two signs of life */
#define GRACE_S		120	/* for the run's end, beyond its duration */
#define FILE_SIZE	(8 << 20)

static char *path = "";
core_param(tdp_stress_results, path, charp, 0444);

/* A verdict that is out will not get better. */
static bool stop_early;
core_param(tdp_stress_stop_early, stop_early, bool, 0444);

static int fd = -1;

/* In one piece: others may write at the same time, and the file is appended to. */
static void put(const char *text, size_t len)
{
	if (fd >= 0)
		os_write_file(fd, text, len);
}

static __printf(1, 2) void send(const char *fmt, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	put(line, n);
}

/* --- files --- */

#define HEAD	64	/* room for the line before a file */

static void send_buffer(const char *name, char *room, size_t len)
{
	char head[HEAD];
	int n = scnprintf(head, sizeof(head), "@file %s %zu\n", name, len);
	char *start = room + HEAD - n;

	memcpy(start, head, n);
	room[HEAD + len] = '\n';
	put(start, n + len + 1);
}

static void send_file(const char *name, void (*show)(struct seq_file *m))
{
	char *room = vmalloc(HEAD + FILE_SIZE + 1);
	struct seq_file m = { .buf = room + HEAD, .size = FILE_SIZE };

	if (!room)
		return;
	show(&m);
	send_buffer(name, room, m.count);
	vfree(room);
}

static void show_verdict(struct seq_file *m)
{
	char text[256];

	tdps_verdict(text, sizeof(text));
	seq_printf(m, "%s\n", text);
}

static void show_stat(void *m, const char *name, u64 value)
{
	seq_printf(m, "%s %llu\n", name, value);
}

static void show_stats(struct seq_file *m)
{
	stress_visit_stats(show_stat, m);
}

static void show_state(struct seq_file *m)
{
	char text[32];

	torture_state(text, sizeof(text));
	seq_printf(m, "%s\n", text);
}

static void show_not_checked(struct seq_file *m)
{
	char text[256];

	tdps_not_checked(text, sizeof(text));
	seq_puts(m, text);
}

static void show_log(struct seq_file *m)
{
	struct kmsg_dump_iter iter;
	size_t len;

	kmsg_dump_rewind(&iter);
	while (m->count + 1024 < m->size &&
	       kmsg_dump_get_line(&iter, true, m->buf + m->count, 1024, &len))
		m->count += len;
}

/* --- on the way --- */

/* What tdp_stress says; its last word is the host's to say. */
static bool is_news(const char *text)
{
	static const char * const others[] = {
		" ", "---", "not checked", "parameters", "tdp_stress run",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(text, others[i], strlen(others[i])))
			return false;
	return true;
}

static void on_console(struct console *con, const char *text, unsigned int len)
{
	const char *at = strnstr(text, "tdp_stress: ", len);

	os_write_file(STDOUT, text, len);
	if (!at)
		return;
	at += strlen("tdp_stress: ");
	if (is_news(at))
		send("@text %.*s", (int)(text + len - at), at);
}

/* UML's own two leave a gap between them, in which a kernel may die. */
static struct console report_console = {
	.name = "tdps",
	.write = on_console,
	.flags = CON_PRINTBUFFER,
	.index = -1,
};

static void sign_of_life(struct work_struct *work)
{
	send("@alive %llu\n", ktime_get_seconds());
	queue_delayed_work(system_dfl_wq, to_delayed_work(work), msecs_to_jiffies(ALIVE_MS));
}

static DECLARE_DELAYED_WORK(alive_work, sign_of_life);

static int __init report_open(void)
{
	register_console(&report_console);
	if (!*path)
		return 0;
	fd = os_open_file(path, of_append(of_create(of_write(OPENFLAGS()))), 0644);
	if (fd < 0) {
		pr_err("cannot write %s on the host (%d)\n", path, fd);
		return fd;
	}
	send("@boot %llu\n", ktime_get_seconds());
	queue_delayed_work(system_dfl_wq, &alive_work, 0);
	/* dmesg.py: from here on every warning counts */
	pr_info("tdp_stress run: begin\n");
	return 0;
}
subsys_initcall(report_open);

/* The host is told instead. */
int stress_debugfs_init(void)
{
	return 0;
}

/* There is no user space here. */
int stress_device_init(void)
{
	return 0;
}

void stress_device_exit(void)
{
}

void tdps_user_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
}

void stress_debugfs_exit(void)
{
}

/* --- the end --- */

static bool is_state(const char *state)
{
	char text[32];

	torture_state(text, sizeof(text));
	return !strncmp(text, state, strlen(state));
}

/* The kernel's word for a value that a parameter did not take; the line before says why. */
static bool refused(char *why, size_t size)
{
	struct kmsg_dump_iter iter;
	char line[512], last[512] = "";
	bool found = false;
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, "for parameter `tdp_stress.")) {
			strscpy(why, strstr(last, "tdp_stress: ") ?: line, size);
			found = true;
		}
		strscpy(last, line);
	}
	strreplace(why, '\n', ' ');
	return found;
}

static bool caught(void)
{
	char verdict[64];

	if (!stop_early)
		return false;
	tdps_verdict(verdict, sizeof(verdict));
	return !strncmp(verdict, "FAILURE", 7);
}

static int wait_until_done(void)
{
	unsigned int left = (stress_params.duration + GRACE_S) * 5;

	while (!is_state("done") && !caught()) {
		if (!left--)
			return 124;
		msleep(200);
	}
	return 0;
}

static void collect(void)
{
	int code = wait_until_done();

	send("@torture %d\n", code);
	stress_audit_now();
	send_file("stress.verdict", show_verdict);
	send_file("stress.violations", tdps_violations_show);
	send_file("stress.stats", show_stats);
	send_file("stress.ops", torture_ops_show);
	send_file("stress.state", show_state);
	send_file("stress.not_checked", show_not_checked);
	send_file("stress.flight", tdps_recorder_show);
	send_file("stress.flight.first", tdps_recorder_show_kept);
}

static int __init report(void)
{
	char why[512] = "";

	if (refused(why, sizeof(why)))
		send("@fail load tdp_stress: Invalid argument: %s\n", why);
	else if (is_state("watching"))
		send("@fail load tdp_stress: see the log\n");
	else
		send("@cpu uml\n");
	if (!*why && !is_state("watching"))
		collect();
	send_file("dmesg", show_log);
	cancel_delayed_work_sync(&alive_work);
	send("@end %llu\n", ktime_get_seconds());
	kernel_power_off();
	return 0;
}
late_initcall_sync(report);
