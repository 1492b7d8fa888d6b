// SPDX-License-Identifier: GPL-2.0
/*
 * fail-nth, the settings of failslab and fail_page_alloc that it needs, and /dev/kmsg.
 * Knows their files; what an allocation that fails means is the tests' business.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ks_fault.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define FAILSLAB	DEBUGFS "failslab/"
#define FAIL_PAGE	DEBUGFS "fail_page_alloc/"
#define VERBOSE		"/sys/module/tdp_stress/parameters/verbose"
#define HEAP		BIT(20)	/* more than a test takes from malloc() at once */
#define STACK		BIT(18)
#define RECORD		2048	/* of /dev/kmsg */

/* Every allocation may fail that says it may, and the log has no room for each. */
static struct ks_param settings[] = {
	{ .path = FAILSLAB "ignore-gfp-wait", .value = "N" },
	{ .path = FAILSLAB "cache-filter", .value = "N" },
	{ .path = FAILSLAB "verbose", .value = "0" },
	{ .path = FAILSLAB "times", .value = "-1" },
	{ .path = FAIL_PAGE "ignore-gfp-wait", .value = "N" },
	{ .path = FAIL_PAGE "ignore-gfp-highmem", .value = "N" },
	{ .path = FAIL_PAGE "min-order", .value = "0" },
	{ .path = FAIL_PAGE "verbose", .value = "0" },
	{ .path = FAIL_PAGE "times", .value = "-1" },
};

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		printf("# cannot write %s\n", path);
	if (fd >= 0)
		close(fd);
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
 * @f: filled in; ks_fault_close() it whatever is returned
 *
 * Nothing is changed before ks_fault_begin().
 *
 * Return: NULL, or why not
 */
const char *ks_fault_open(struct ks_fault *f)
{
	char path[64];
	size_t i;

	*f = (struct ks_fault) { .params = { .list = settings, .nr = ARRAY_SIZE(settings) } };
	f->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	f->nth_fd = open(path, O_RDWR | O_CLOEXEC);
	if (f->nth_fd < 0)
		return "no fault injection in this kernel: no fail-nth (CONFIG_FAULT_INJECTION)";
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (access(settings[i].path, R_OK | W_OK))
			return "CONFIG_FAILSLAB, FAIL_PAGE_ALLOC or FAULT_INJECTION_DEBUG_FS lacks";
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
	const char *wrong = ks_params_set(&f->params, ks);

	/* after the fork() in there, which makes all pages of both copies of each other */
	return wrong ?: settle() ? NULL : "mlockall() failed";
}

const char *ks_fault_close(struct ks_fault *f)
{
	if (f->nth_fd >= 0)
		close(f->nth_fd);
	if (f->kmsg_fd >= 0)
		close(f->kmsg_fd);
	f->nth_fd = -1;
	f->kmsg_fd = -1;
	return ks_params_put_back(&f->params) ? NULL :
	       "the settings of fault injection were not put back";
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
	set(VERBOSE, loud ? "Y" : "N");
	/* where there is no fault injection none is told */
	if (access(FAILSLAB "verbose", W_OK))
		return;
	set(FAILSLAB "verbose", loud ? "2" : "0");
	set(FAIL_PAGE "verbose", loud ? "2" : "0");
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
