/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null_fuse: the limit that FUSE itself sets.  One file: what is written to it is thrown away, what is read from it is
 * a pattern in memory.  Requests are as large and the file is opened as the mount's tapes are (direct_io, 1 MiB),
 * several threads answer, and nothing else is done: no program behind FUSE can be faster here.
 *
 *   null_fuse SIZE MNT [-f and other options of FUSE]      the file is MNT/null, SIZE bytes long for a reader
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_INODE 2
#define REQUEST_MAX (1u << 20)

static uint64_t file_size;
static char *pattern;

static void null_init(void *ctx, struct fuse_conn_info *conn)
{
	conn->max_write = REQUEST_MAX;
	conn->max_read = REQUEST_MAX;
}

static int null_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_nlink = 1;
	if (ino == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0755;
	} else if (ino == FILE_INODE) {
		st->st_mode = S_IFREG | 0644;
		st->st_size = (off_t)file_size;
	} else {
		return ENOENT;
	}
	return 0;
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error = null_stat(ino, &st);

	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, 60);
}

static void null_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set, struct fuse_file_info *fi)
{
	null_getattr(req, ino, fi);
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = FILE_INODE, .attr_timeout = 60, .entry_timeout = 60 };

	if (parent != FUSE_ROOT_ID || strcmp(name, "null")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	null_stat(FILE_INODE, &e.attr);
	fuse_reply_entry(req, &e);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->nonseekable = 1;
	fuse_reply_open(req, fi);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t n, off_t off, struct fuse_file_info *fi)
{
	fuse_reply_write(req, n);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t n, off_t off, struct fuse_file_info *fi)
{
	if ((uint64_t)off >= file_size)
		n = 0;
	else if (n > file_size - (uint64_t)off)
		n = file_size - (uint64_t)off;
	fuse_reply_buf(req, pattern, n < REQUEST_MAX ? n : REQUEST_MAX);
}

static const struct fuse_lowlevel_ops null_ops = {
	.init = null_init,
	.lookup = null_lookup,
	.getattr = null_getattr,
	.setattr = null_setattr,
	.open = null_open,
	.read = null_read,
	.write = null_write,
};

static int null_serve(struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *se = fuse_session_new(args, &null_ops, sizeof(null_ops), NULL);
	int r = 1;

	if (se && !fuse_set_signal_handlers(se)) {
		if (!fuse_session_mount(se, opts->mountpoint)) {
			fuse_daemonize(opts->foreground);
			r = fuse_session_loop_mt(se, config);
			fuse_session_unmount(se);
		}
		fuse_remove_signal_handlers(se);
	}
	if (se)
		fuse_session_destroy(se);
	fuse_loop_cfg_destroy(config);
	return r != 0;
}

int main(int argc, char **argv)
{
	struct fuse_cmdline_opts opts = { 0 };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r, i;

	if (argc < 3) {
		fprintf(stderr, "usage: null_fuse SIZE MNT [options of FUSE]\n");
		return 2;
	}
	file_size = strtoull(argv[1], NULL, 10);
	pattern = malloc(REQUEST_MAX);
	if (!pattern)
		return 1;
	for (size_t k = 0; k < REQUEST_MAX; k++)
		pattern[k] = (char)(k * 2654435761u >> 24);
	for (i = 0; i < argc; i++)
		if (i != 1 && fuse_opt_add_arg(&args, argv[i]))
			return 1;
	if (fuse_opt_add_arg(&args, "-omax_read=1048576") || fuse_parse_cmdline(&args, &opts) || !opts.mountpoint)
		return 2;
	r = null_serve(&args, &opts);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	free(pattern);
	return r;
}
