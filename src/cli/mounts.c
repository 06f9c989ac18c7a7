/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which stores are mounted, and where: the lines of /proc/self/mountinfo whose type is fuse.vtape.  Their source is the
 * store's folder (vtaped(8)).  What is mounted later on the same folder covers what was there, and comes later here.
 */
#include "cli/cli.h"

#include <errno.h>

/* "\040" and the like, as the kernel writes blanks. */
static int unescape(const char *s, char out[PATH_MAX])
{
	size_t n = 0;

	while (*s) {
		bool octal = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
			     s[3] <= '7';
		if (n + 1 >= PATH_MAX)
			return -ENAMETOOLONG;
		out[n++] = octal ? (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')) : *s;
		s += octal ? 4 : 1;
	}
	out[n] = '\0';
	return 0;
}

/* ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS [TAGS ...] - TYPE SOURCE SUPER: false if it is none of ours. */
static bool parse_line(char *line, struct mount *m)
{
	char *word, *rest = line, *point = NULL;
	int i;

	for (i = 0; i < 5 && (word = strsep(&rest, " ")); i++)
		point = word;
	if (i < 5)
		return false;
	while ((word = strsep(&rest, " ")) && strcmp(word, "-") != 0)
		;
	word = strsep(&rest, " ");
	if (!word || strcmp(word, "fuse.vtape") != 0)
		return false;
	word = strsep(&rest, " ");
	return word && unescape(point, m->mountpoint) == 0 && unescape(word, m->store) == 0;
}

int mounts_each(int (*each)(void *ctx, const struct mount *m), void *ctx)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP(freep) char *line = NULL;
	struct mount m;
	size_t cap = 0;
	int r = 0;

	if (!f)
		return err_origin(-errno);
	while (!r && getline(&line, &cap, f) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (parse_line(line, &m))
			r = each(ctx, &m);
	}
	fclose(f);
	return r;
}

bool path_is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	while (n > 1 && folder[n - 1] == '/')
		n--;
	if (n == 1 && folder[0] == '/')
		return path[0] == '/';
	return !strncmp(path, folder, n) && (path[n] == '/' || path[n] == '\0');
}
