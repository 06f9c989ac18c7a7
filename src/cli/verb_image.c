/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import and export.  The file is opened here, with the rights of whoever types; the daemon gets the descriptor.  An
 * export to a file is made beside it and takes its name when it is whole and on disk.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* On standard error: standard output may be the image. */
static void tell(const char *what, const json_t *ok)
{
	char size[16];

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "%s %s: %s in %lld records, %lld tape files\n", what,
		json_string_value(json_object_get(ok, "volume")),
		format_size((uint64_t)json_integer_value(json_object_get(ok, "size_bytes")), size),
		(long long)json_integer_value(json_object_get(ok, "records")),
		(long long)json_integer_value(json_object_get(ok, "files")));
}

int verb_import(const struct args *a)
{
	const char *file = a->operand[0];
	bool from_stdin = !strcmp(file, "-");
	CLEANUP(fd_closep) int fd = from_stdin ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	json_t *ok = NULL;
	int r;

	if (fd < 0)
		return err_explain(-errno, "%s: %s", from_stdin ? "standard input" : file, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_explain(-EISDIR, "%s is a folder", file);
	r = progress_ask(a, "importing",
		     json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:b}", "verb", "import", "volume", a->operand[1], "pool",
			       a->value[OPT_POOL], "format", a->value[OPT_FORMAT], "file", from_stdin ? NULL : file,
			       "overwrite", args_has(a, OPT_OVERWRITE)),
		     fd, &ok);
	if (!r)
		tell("imported", ok);
	json_decref(ok);
	return r;
}

/* ---- export -------------------------------------------------------------------------------------------- */

/* Where the image goes until it is whole. */
struct output {
	const char *file;
	char part[PATH_MAX];	/* "": straight to the descriptor */
	int fd;
};

static int output_open(const struct args *a, const char *file, struct output *out)
{
	struct stat st;
	int r;

	*out = (struct output){ .file = file, .fd = -1 };
	if (!strcmp(file, "-")) {
		if (isatty(STDOUT_FILENO))
			return err_explain(-EINVAL, "export: a tape image is nothing for a terminal");
		out->fd = dup(STDOUT_FILENO);
		return out->fd < 0 ? err_origin(-errno) : 0;
	}
	if (stat(file, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return err_explain(-EISDIR, "%s is a folder", file);
		if (S_ISREG(st.st_mode) && !args_has(a, OPT_OVERWRITE))
			return err_explain(-EEXIST, "%s exists; --overwrite replaces it", file);
		if (!S_ISREG(st.st_mode)) {
			out->fd = open(file, O_WRONLY | O_CLOEXEC);
			return out->fd < 0 ? err_explain(-errno, "%s: %s", file, strerror(errno)) : 0;
		}
	}
	r = io_path(out->part, sizeof(out->part), "%s.%ld.part", file, (long)getpid());
	if (r)
		return r;
	out->fd = open(out->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out->fd < 0)
		return err_explain(-errno, "%s: %s", out->part, strerror(errno));
	return 0;
}

static int output_finish(struct output *out)
{
	if (!out->part[0])
		return 0;
	if (fsync(out->fd) < 0 || rename(out->part, out->file) < 0)
		return err_explain(-errno, "%s: %s", out->file, strerror(errno));
	out->part[0] = '\0';
	return 0;
}

static const char *part_to_remove;

/* Interrupted: what we began is of no use to anybody. */
static void remove_part(int sig)
{
	unlink(part_to_remove);
	signal(sig, SIG_DFL);
	raise(sig);
}

int verb_export(const struct args *a)
{
	struct output out;
	json_t *ok = NULL;
	int r;

	r = output_open(a, a->operand[1], &out);
	if (!r && out.part[0]) {
		part_to_remove = out.part;
		signal(SIGINT, remove_part);
		signal(SIGTERM, remove_part);
		signal(SIGHUP, remove_part);
	}
	if (!r)
		r = progress_ask(a, "exporting",
			     json_pack("{s:s, s:s, s:s?, s:s}", "verb", "export", "volume", a->operand[0], "format",
				       a->value[OPT_FORMAT], "file", out.file),
			     out.fd, &ok);
	if (r == -EPIPE && !strcmp(out.file, "-")) {
		/* Whoever read us has enough: end as everything in a pipeline does. */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (!r)
		r = output_finish(&out);
	if (!r)
		tell("exported", ok);
	if (out.part[0])
		unlink(out.part);
	fd_closep(&out.fd);
	json_decref(ok);
	return r;
}
