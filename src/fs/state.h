/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: the mount as all its files see it, and what an open file is.  No FUSE type but the session's name:
 * fs_session.c and fs_request*.c alone speak to the kernel.  Results of everything here are 0 or the -errno that the
 * program gets.
 */
#ifndef FS_STATE_H
#define FS_STATE_H

#include <stdatomic.h>
#include <sys/stat.h>
#include <vtape/contents.h>
#include <vtape/fs.h>
#include <vtape/library.h>

#include "fs/node.h"
#include "fs/slow.h"
#include "fs/st.h"

struct fuse_session;
struct fs_serving;
struct file;

struct file_ops {
	int (*read)(struct file *f, void *buf, size_t n, uint64_t off, size_t *got);
	int (*write)(struct file *f, const void *buf, size_t n, uint64_t off, size_t *done);
	int (*flush)(struct file *f);			/* a close(2), perhaps not the last */
	int (*sync)(struct file *f);			/* fsync(2) */
	int (*truncate)(struct file *f, uint64_t size);	/* ftruncate(2); NULL: does nothing */
	int (*op)(struct file *f, int op, int count, bool root);	/* MTIOC*; NULL: -ENOTTY */
	int (*get)(struct file *f, struct mtget *out);
	int (*pos)(struct file *f, struct mtpos *out);
	/* Size and blocks that only this open file knows yet; NULL: none. */
	void (*attr)(struct file *f, struct stat *out);
	void (*release)(struct file *f);		/* the last one is gone; frees what the door has */
};

/*
 * An open file.  RELEASE comes some time after close(2) returned, so the next open may find this one still there:
 * `closing` says that its last request was a close, and who wants the same thing waits for its release instead of
 * being told EBUSY.
 */
struct file {
	struct file *next;		/* fs->files; guarded by fs->lock */
	const struct file_ops *ops;
	struct fs *fs;
	struct node node;
	bool write;
	struct library_writer writer;	/* if @write: who */
	bool sequential;		/* ESPIPE for lseek */
	bool lasting;			/* its bytes never change, so the kernel may keep them */
	bool slow;			/* a read may take long: it is a job, one at a time */
	struct slow_job *job;		/* of a slow one, the read that is being done: -EINTR if it is given up; NULL:
					 * nobody can give it up */
	atomic_bool closing;
	atomic_bool mtime_set;		/* the user set the time after the last write */
};

struct image;

/* An archive that was found on its tape a moment ago. */
struct archive_seen {
	uint64_t volume, file, generation, until_ns;
	uint32_t content;
};
#define ARCHIVES_SEEN 32u

/* Locks: @lock is taken last, nothing is called while it is held. */
struct fs {
	struct library *lib;		/* borrowed */
	struct catalog *cat;		/* borrowed */
	struct contents *contents;	/* borrowed; NULL: no archives are shown */
	bool archives_hidden;		/* they have their names, but listings leave them out */
	struct fuse_session *se;
	struct fs_serving *serving;	/* fs_session.c's */
	struct slow *slow;		/* reads of files that are .slow */
	char *mountpoint;
	uint32_t uid, gid;
	uint64_t mounted_ns;
	struct st *st[LIBRARY_DRIVES_MAX];	/* modes outlast a close */

	pthread_mutex_t lock;		/* what follows */
	pthread_cond_t released;
	struct file *files;
	struct image *images;
	struct archive_seen seen[ARCHIVES_SEEN];
	unsigned seen_next;		/* the oldest */
};

/* ---- fs_file.c ---- */

enum file_flags {
	FILE_READ = 1, FILE_WRITE = 2, FILE_APPEND = 4, FILE_TRUNC = 8, FILE_NONBLOCK = 16,
	FILE_CREATED = 32,	/* this open made it */
};

/* Opens @n, which exists.  *out is returned: file_release(). */
int file_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);
/* Makes @name in @dir, or opens what is there unless @excl, and opens it. */
struct tree_who;
int file_create(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, unsigned flags,
		bool excl, struct file **out);
/* Waits for files that are closing and in the way of a new one (or, @n.kind NODE_TAPE and @write, of a change of the
 * volume as a whole). */
void file_await(struct fs *fs, const struct node *n, bool write);
int file_flush(struct file *f);
void file_release(struct file *f);
void file_release_all(struct fs *fs);
/* Whose it is: said once it is open, before anything is written through it. */
void file_said_by(struct file *f, uint32_t uid, int pid);		/* fs_writer.c */
/* The user set the time of a volume, or of a tape file, that may be open for writing. */
void file_mtime_set(struct fs *fs, const struct node *n);
/* What open files know of @n. */
void file_attr(struct fs *fs, const struct node *n, struct stat *out);
bool file_is_open(struct fs *fs, const struct node *n);
/* The outcome @r of a change of @volume through @f.  -EACCES, which is a tape's refusal, becomes -EPERM if it is for a
 * retention lock; then, and if the disk is full, the event is told. */
int file_refused(const struct file *f, uint64_t volume, int r);

/* ---- the doors: each opens one kind of node ---- */

int tape_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);		/* fs_volume.c */
int drive_node_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);	/* fs_drive.c */
int tapefile_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);	/* fs_tapefile.c */
int tapefile_create(struct fs *fs, uint64_t volume, const char *name, const struct tree_who *who, struct file **out);
int image_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);		/* fs_image.c */
int member_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out);	/* fs_member.c */

#endif
