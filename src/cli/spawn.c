/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs: finding vtaped, running one and waiting for it. */
#include "cli/cli.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

/* Seen from the folder of vtape itself, then where it is usually installed.  The second is the build tree. */
static const char *const beside[] = { "vtaped", "../daemon/vtaped", "../sbin/vtaped" };
static const char *const usual[] = { "/usr/local/sbin/vtaped", "/usr/sbin/vtaped" };

int vtaped_find(char path[PATH_MAX])
{
	const char *told = getenv("VTAPED");
	char self[PATH_MAX];
	ssize_t n;

	if (told && *told) {
		if (!is_program(told))
			return err_explain(-ENOENT, "VTAPED=%s: %s", told, strerror(errno));
		return io_path(path, PATH_MAX, "%s", told);
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < ARRAY_LEN(beside); i++) {
		*slash = '\0';
		if (io_path(path, PATH_MAX, "%s/%s", self, beside[i]) == 0 && is_program(path))
			return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (is_program(usual[i]))
			return io_path(path, PATH_MAX, "%s", usual[i]);
	return err_explain(-ENOENT,
			   "the daemon's program vtaped is not installed where it is looked for; $VTAPED can name it");
}

int spawn_wait(const char *const argv[])
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_explain(-errno, "cannot start %s: %s", argv[0], strerror(errno));
	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		fprintf(stderr, "vtape: cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_origin(-errno);
	if (WIFSIGNALED(status))
		return err_explain(-EIO, "%s was ended by signal %d", argv[0], WTERMSIG(status));
	return WEXITSTATUS(status);
}
