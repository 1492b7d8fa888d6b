// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of other programs, to be killed: which there are, how one is started, how it
 * and whoever it has started is ended by SIGKILL. Knows the harness's options.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ks.h"

/* A race must not be over before it is killed. */
#define LONG_RACE_MS	"20000"

static char folder[256];

/* The folder of this program and of the others; false: nobody knows. */
static bool find_folder(void)
{
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	char *slash;

	if (n <= 0)
		return false;
	folder[n] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return slash;
}

/* The @at-th column of a line of the harness's -l, without the blanks around it. */
static const char *column(char *line, unsigned int at)
{
	static const size_t begins[] = { 0, 21, 47 };
	char *end = line + strcspn(line, "\n");

	*end = '\0';
	if (end - line <= (ssize_t)begins[at])
		return "";
	line += begins[at];
	line[strcspn(line, " ")] = '\0';
	return line;
}

/* Add the tests of a program, as it lists them itself; how many there are by then. */
static unsigned int add_tests(struct ks_victim *list, unsigned int nr, unsigned int max,
			      const char *program, const char *variants)
{
	char command[sizeof(folder) + KS_PROGRAM + 16], line[160], copy[160];
	struct ks_victim this = { .said = -1 };
	unsigned int first = nr;
	FILE *f;

	snprintf(this.program, KS_PROGRAM, "%s", program);
	snprintf(command, sizeof(command), "%s/%s -l 2>&1", folder, program);
	f = popen(command, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *name;
		size_t n = strlen(this.but);

		if (line[0] == '#' || line[0] == '-')
			continue;
		memcpy(copy, line, sizeof(copy));
		name = column(copy, 1);
		if (*name && strncmp(name, variants, strlen(variants)))
			snprintf(this.but + n, sizeof(this.but) - n, "-V %s ", name);
		name = column(line, 2);
		if (!*name || nr == max)
			continue;
		list[nr] = this;
		snprintf(list[nr++].test, KS_PROGRAM, "%.*s", KS_PROGRAM - 1, name);
	}
	if (f)
		pclose(f);
	for (; first < nr; first++)
		memcpy(list[first].but, this.but, sizeof(this.but));
	return nr;
}

static int by_name(const void *a, const void *b)
{
	const struct ks_victim *one = a, *other = b;

	return strcmp(one->program, other->program) ?: strcmp(one->test, other->test);
}

/**
 * ks_victims() - the tests of all programs in this program's folder
 * @list: filled in, in an order that does not depend on the folder's
 * @max: length of @list
 * @but: programs that are left out, with spaces around each
 * @variants: what the names of the variants begin with that are for this backend
 *
 * Return: how many there are
 */
unsigned int ks_victims(struct ks_victim *list, unsigned int max, const char *but,
			const char *variants)
{
	char name[KS_PROGRAM + 2], path[sizeof(folder) + KS_PROGRAM];
	DIR *dir = find_folder() ? opendir(folder) : NULL;
	unsigned int nr = 0;
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) >= KS_PROGRAM || entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), " %s ", entry->d_name);
		snprintf(path, sizeof(path), "%s/%.*s", folder, KS_PROGRAM - 1, entry->d_name);
		if (!strstr(but, name) && !stat(path, &st) && S_ISREG(st.st_mode) &&
		    !access(path, X_OK))
			nr = add_tests(list, nr, max, entry->d_name, variants);
	}
	if (dir)
		closedir(dir);
	qsort(list, nr, sizeof(*list), by_name);
	return nr;
}

static void become(const struct ks_victim *victim)
{
	char command[sizeof(folder) + sizeof(victim->but) + 2 * KS_PROGRAM + 16];

	snprintf(command, sizeof(command), "exec %s/%s %s-t %s", folder, victim->program,
		 victim->but, victim->test);
	setpgid(0, 0);
	dup2(victim->said, STDOUT_FILENO);
	dup2(victim->said, STDERR_FILENO);
	setenv("TDP_STRESS_RACE_MS", LONG_RACE_MS, 1);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/**
 * ks_victim_start() - start one test
 * @victim: from ks_victims()
 *
 * Return: 0 or -errno
 */
int ks_victim_start(struct ks_victim *victim)
{
	/* who loses its parent becomes a child of this process's */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return -errno;
	victim->said = memfd_create("said", MFD_CLOEXEC);
	if (victim->said < 0)
		return -errno;
	fflush(NULL);
	victim->pid = fork();
	if (!victim->pid)
		become(victim);
	return victim->pid < 0 ? -errno : 0;
}

/* The name and the parent of a process; 0: there is none. */
static pid_t parent_of(pid_t pid, char name[32])
{
	char path[32];
	pid_t parent;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d (%31[^)]) %*c %d", name, &parent) != 2)
		parent = 0;
	if (f)
		fclose(f);
	return parent;
}

/* A child of @of that is no guard; 0: there is none. */
static pid_t child_of(pid_t of)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;
	char name[32];

	while (proc && !found && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && parent_of(pid, name) == of && strcmp(name, KS_GUARD))
			found = pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

/* Kill it; whoever it leaves behind is the caller's child then, and killed as well. */
static void kill_orphans(void)
{
	pid_t pid;

	for (;;) {
		pid = child_of(getpid());
		if (pid)
			kill(pid, SIGKILL);
		/* guards end by themselves */
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

/**
 * ks_victim_kill() - SIGKILL for a test that was started, and for all of its processes
 * @victim: from ks_victim_start()
 * @test_first: the process that the harness runs the test in, then the program; else
 *		the program first, which leaves the test alone
 *
 * Return: -1: it was killed; else it had ended before, with this exit code
 */
int ks_victim_kill(struct ks_victim *victim, bool test_first)
{
	pid_t test = test_first ? child_of(victim->pid) : 0;
	int status;

	if (test > 0)
		kill(test, SIGKILL);
	kill(victim->pid, SIGKILL);
	waitpid(victim->pid, &status, 0);
	kill_orphans();
	victim->pid = 0;
	/* a program whose test is killed says that it has failed, if it comes to that */
	return WIFEXITED(status) && test <= 0 ? WEXITSTATUS(status) : -1;
}

/**
 * ks_victim_last_words() - what it has printed, as far as it fits
 * @victim: that was killed
 * @text: filled in with the end of it
 * @size: bytes of @text
 */
void ks_victim_last_words(const struct ks_victim *victim, char *text, size_t size)
{
	off_t end = lseek(victim->said, 0, SEEK_END);
	ssize_t n = pread(victim->said, text, size - 1, end > (off_t)size - 1 ?
			  end - (off_t)size + 1 : 0);

	text[n > 0 ? n : 0] = '\0';
}

/**
 * ks_victim_forget() - as if it had not been started
 * @victim: that was killed
 */
void ks_victim_forget(struct ks_victim *victim)
{
	close(victim->said);
	victim->said = -1;
}
