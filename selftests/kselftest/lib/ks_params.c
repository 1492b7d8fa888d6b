// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters that a test changes for all of the machine, and that are as they
 * were when it has ended, however it ends. Knows files and processes, no parameter.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ks.h"

static bool get(struct ks_param *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, p->old, sizeof(p->old) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0)
		p->old[n] = '\0';
	return n > 0;
}

static bool set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* What comes last goes first. */
static bool restore(const struct ks_params *params)
{
	unsigned int i = params->nr;
	bool ok = true;

	while (i-- > 0)
		ok &= set(params->list[i].path, params->list[i].old);
	return ok;
}

/*
 * Out of reach of what ends the test: SIGKILL, and the harness that kills its process
 * group. The pipe ends with the last process that has its other end.
 */
static void guard(const struct ks_params *params, int pipe)
{
	char byte;

	setsid();
	prctl(PR_SET_NAME, KS_GUARD);
	/* descriptors would keep alive what they belong to */
	dup2(pipe, STDIN_FILENO);
	close_range(STDOUT_FILENO, ~0U, 0);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(restore(params) ? 0 : 1);
}

/**
 * ks_params_set() - change module parameters until the test ends
 * @params: zeroed, but for the list
 * @ks: the test, which has no VM yet: a fork() takes memory away from it
 *
 * Return: NULL, or why it cannot be done; then nothing has changed
 */
const char *ks_params_set(struct ks_params *params, struct ks *ks)
{
	unsigned int i;
	int ends[2];

	for (i = 0; i < params->nr; i++) {
		if (get(&params->list[i]))
			continue;
		snprintf(ks->text, sizeof(ks->text), "cannot read %s", params->list[i].path);
		return ks->text;
	}
	if (pipe2(ends, O_CLOEXEC))
		return "no pipe";
	fflush(NULL);
	params->guard = fork();
	if (!params->guard) {
		close(ends[1]);
		guard(params, ends[0]);
	}
	close(ends[0]);
	params->pipe = ends[1];
	if (params->guard < 0) {
		close(ends[1]);
		return "no process to put parameters back";
	}
	for (i = 0; i < params->nr; i++) {
		if (set(params->list[i].path, params->list[i].value))
			continue;
		ks_params_put_back(params);
		snprintf(ks->text, sizeof(ks->text), "cannot write %s", params->list[i].path);
		return ks->text;
	}
	return NULL;
}

/**
 * ks_params_put_back() - make them what they were
 * @params: from ks_params_set(), whatever that said
 *
 * Return: true if they are
 */
bool ks_params_put_back(struct ks_params *params)
{
	pid_t child = params->guard;
	int status;

	if (child <= 0)
		return true;
	params->guard = 0;
	close(params->pipe);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}
