// SPDX-License-Identifier: GPL-2.0
/*
 * fail-nth, the settings of failslab and fail_page_alloc that it needs, and /dev/kmsg.
 * Knows their files; what an allocation that fails means is the tests' business.
 *
 * The settings are the whole machine's. A process of its own puts them back when the
 * test has closed its end of a pipe, or was killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ks_fault.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define HEAP		BIT(20)	/* more than a test takes from malloc() at once */
#define STACK		BIT(18)
#define VALUE		24		/* bytes of one */
#define RECORD		2048		/* of /dev/kmsg */

/* Every allocation may fail that says it may, and the log has no room for each. */
static const struct {
	const char *name;
	const char *value;	/* NULL: it is only put back */
} settings[] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/cache-filter", "N" },
	{ "failslab/verbose", "0" },
	{ "failslab/times", NULL },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_page_alloc/times", NULL },
};

static char before[ARRAY_SIZE(settings)][VALUE];

static int open_setting(const char *name, int mode)
{
	char path[96];

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	return open(path, mode | O_CLOEXEC);
}

static bool set(const char *name, const char *value)
{
	int fd = open_setting(name, O_WRONLY);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool get(const char *name, char *value)
{
	int fd = open_setting(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, value, VALUE - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return true;
}

static bool put_back(void)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		ok &= set(settings[i].name, before[i]);
	return ok;
}

/* Waits for the end of its parent, or of the test; keeps nothing else open. */
static void guard(int fd)
{
	char byte;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	dup2(fd, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, ~0U, 0);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	while (read(STDERR_FILENO + 1, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(!put_back());
}

static const char *start_guard(struct ks_fault *f)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return "no pipe";
	f->guard = fork();
	if (!f->guard) {
		close(fds[1]);
		guard(fds[0]);
	}
	close(fds[0]);
	f->guard_fd = fds[1];
	if (f->guard > 0)
		return NULL;
	f->guard = 0;
	close(fds[1]);
	return "no process";
}

static void touch_stack(void)
{
	char stack[STACK];

	memset(stack, 1, sizeof(stack));
	/* no compiler leaves that out now */
	__asm__ volatile("" : : "r"(stack) : "memory");
}

/*
 * The thread's own memory is there before anything fails: a page fault of user space
 * that gets no page is repeated, with a word in the log.
 */
static bool settle(void)
{
	void *heap;

	mallopt(M_MMAP_THRESHOLD, 2 * HEAP);
	mallopt(M_TRIM_THRESHOLD, 64 * HEAP);
	heap = malloc(HEAP);
	if (!heap)
		return false;
	memset(heap, 1, HEAP);
	free(heap);
	touch_stack();
	return !mlockall(MCL_CURRENT);
}

/**
 * ks_fault_open() - can the calling thread's allocations be made to fail?
 * @ks: the test
 * @f: filled in; ks_fault_close() it whatever is returned
 *
 * Nothing is changed before ks_fault_begin().
 *
 * Return: NULL, or why not
 */
const char *ks_fault_open(struct ks *ks, struct ks_fault *f)
{
	char path[64];
	size_t i;

	*f = (struct ks_fault) { .nth_fd = -1, .guard_fd = -1 };
	f->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	f->nth_fd = open(path, O_RDWR | O_CLOEXEC);
	if (f->nth_fd < 0)
		return "no fault injection in this kernel (CONFIG_FAULT_INJECTION): no fail-nth";
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (get(settings[i].name, before[i]))
			continue;
		snprintf(ks->text, sizeof(ks->text),
			 "no " DEBUGFS "%s (CONFIG_FAULT_INJECTION_DEBUG_FS and others)",
			 settings[i].name);
		return ks->text;
	}
	return NULL;
}

/**
 * ks_fault_begin() - set what fail-nth needs, until ks_fault_close()
 * @ks: the test
 * @f: from ks_fault_open(), which said NULL
 *
 * Return: NULL, or what is wrong
 */
const char *ks_fault_begin(struct ks *ks, struct ks_fault *f)
{
	const char *wrong = start_guard(f);
	size_t i;

	for (i = 0; !wrong && i < ARRAY_SIZE(settings); i++) {
		if (!settings[i].value || set(settings[i].name, settings[i].value))
			continue;
		snprintf(ks->text, sizeof(ks->text), "cannot write " DEBUGFS "%s",
			 settings[i].name);
		wrong = ks->text;
	}
	/* after fork(), which makes all pages of both copies of each other */
	if (!wrong && !settle())
		wrong = "mlockall() failed";
	return wrong;
}

const char *ks_fault_close(struct ks *ks, struct ks_fault *f)
{
	int status = 0;

	if (f->nth_fd >= 0)
		close(f->nth_fd);
	if (f->kmsg_fd >= 0)
		close(f->kmsg_fd);
	f->nth_fd = -1;
	f->kmsg_fd = -1;
	if (!f->guard)
		return NULL;
	munlockall();
	close(f->guard_fd);
	if (waitpid(f->guard, &status, 0) != f->guard || status)
		return "the settings of fault injection were not put back";
	f->guard = 0;
	return NULL;
}

/* The @n-th allocation of this thread from now fails; 0 or -errno. */
int ks_fault_arm(struct ks_fault *f, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	return pwrite(f->nth_fd, text, len, 0) == len ? 0 : -errno;
}

/* None fails any more. Returns 1: one has; 0: there were fewer; -errno. */
int ks_fault_disarm(struct ks_fault *f)
{
	char text[16] = "";
	ssize_t n = pread(f->nth_fd, text, sizeof(text) - 1, 0);
	int err = n < 0 ? -errno : 0;

	if (pwrite(f->nth_fd, "0", 1, 0) != 1)
		return -errno;
	return err ?: text[0] == '0';
}

/* Each failure from now is told in the kernel log, with the way to it. */
void ks_fault_loud(bool loud)
{
	set("failslab/verbose", loud ? "2" : "0");
	set("fail_page_alloc/verbose", loud ? "2" : "0");
}

/* --- the kernel log --- */

/* What is read from now on comes after this. */
void ks_log_mark(struct ks_fault *f)
{
	lseek(f->kmsg_fd, 0, SEEK_END);
}

/* The next line; NULL: none yet. */
static char *next_line(struct ks_fault *f, char *record, size_t size)
{
	ssize_t n;
	char *text;

	do {
		n = read(f->kmsg_fd, record, size - 1);
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n <= 0)
		return NULL;
	record[n] = '\0';
	text = strchr(record, ';');
	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Has the kernel complained since the mark? Its first line, then. */
bool ks_log_splat(struct ks_fault *f, char *line, size_t size)
{
	static const char * const splats[] = {
		"WARNING: ", "BUG: ", "kernel BUG at ", "INFO: ", "Oops: ", "UBSAN: ",
		"Huh VM_FAULT_OOM leaked out",
	};
	char record[RECORD], *text;
	size_t i;

	while ((text = next_line(f, record, sizeof(record)))) {
		for (i = 0; i < ARRAY_SIZE(splats); i++) {
			if (!strstr(text, splats[i]))
				continue;
			snprintf(line, size, "%s", text);
			return true;
		}
	}
	return false;
}

/* All that it has said since the mark, as TAP comments. */
void ks_log_print(struct ks_fault *f)
{
	char record[RECORD], *text;

	while ((text = next_line(f, record, sizeof(record))))
		printf("#   %s\n", text);
	fflush(stdout);
}
