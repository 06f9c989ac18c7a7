/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_member: a member of an archive as an open file.  It has no claim on the volume, so it is in nobody's way, and
 * reads are -ESTALE once the tape was written over.  A member that ends before its size says so is -EIO there: who
 * copies it must not take what there is for all of it.  For the same reason the end of a file that tar -M has begun on
 * the tape before cannot be opened.
 *
 * What is unpacked on the way to a member's bytes may be all of the archive, so such a file is slow (state.h).
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/state.h"

struct member {
	struct file file;
	uint64_t size;
	pthread_mutex_t lock;		/* a contents_reader serves one thread at a time */
	struct contents_reader *reader;
};

static bool member_stop(void *ctx)
{
	struct member *m = ctx;

	return m->file.job && slow_given_up(m->file.job);
}

static int member_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	struct member *m = (struct member *)f;
	uint64_t left = off < m->size ? m->size - off : 0;
	size_t done = 0, some = 1;
	int r = 0;

	*got = 0;
	if (n > left)
		n = (size_t)left;
	LOCK_SCOPE(&m->lock);
	while (!r && done < n && some) {
		r = fs_errno(contents_reader_read(m->reader, off + done, (uint8_t *)buf + done, n - done, &some));
		done += r ? 0 : some;
	}
	if (!r && done < n)
		r = err_explain(-EIO, "member %u of an archive ends before its %llu bytes", f->node.member,
				(unsigned long long)m->size);
	if (!r)
		*got = n;
	return r;
}

static int member_flush(struct file *f)
{
	return 0;
}

static void member_release(struct file *f)
{
	struct member *m = (struct member *)f;

	m->reader = contents_reader_free(m->reader);
	pthread_mutex_destroy(&m->lock);
}

static const struct file_ops member_ops = {
	.read = member_read, .flush = member_flush, .release = member_release,
};

static int none_is_stale(int r)
{
	return r == CONTENTS_E_NONE ? -ESTALE : fs_errno(r);
}

static int member_begin(struct fs *fs, const struct node *n, struct contents_member *about,
			struct contents_reader **out)
{
	struct contents_file f;
	int r = none_is_stale(contents_file_of(fs->contents, n->content, &f));

	if (!r)
		r = none_is_stale(contents_member(fs->contents, n->content, n->member, about));
	if (r)
		return r;
	/* Devices, sockets and such never come here: the kernel opens them itself. */
	if (about->type != '-' && about->type != 'h')
		return -EINVAL;
	if (about->type == 'h' && !about->size)
		return err_explain(-EIO, "member %u is another name of '%s', which is not in the archive", n->member,
				   about->link.len ? (const char *)about->link.data : "");
	if (about->before)
		return err_explain(-EIO,
				   "the first %llu bytes of '%s' are on the tape before; `vtape restore` joins what is "
				   "on several tapes",
				   (unsigned long long)about->before, about->name);
	return fs_errno(contents_reader_new(fs->contents, &f, about, out));
}

int member_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	CLEANUP(contents_member_fini) struct contents_member about = { 0 };
	struct contents_reader *reader = NULL;
	struct member *m;
	int r;

	if (flags & FILE_WRITE)
		return -EROFS;
	if (!fs->contents)
		return -ESTALE;
	r = member_begin(fs, n, &about, &reader);
	if (r)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m) {
		contents_reader_free(reader);
		return err_origin(-ENOMEM);
	}
	m->file = (struct file){ .ops = &member_ops, .fs = fs, .node = *n, .lasting = true,
				 .slow = !contents_reader_there(reader) };
	m->size = about.size;
	m->reader = reader;
	contents_reader_stop(reader, member_stop, m);
	pthread_mutex_init(&m->lock, NULL);
	*out = &m->file;
	return 0;
}
