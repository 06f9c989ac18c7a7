/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree: what is where in the mount, what stat says of it, and what may be changed.  Free of FUSE; results are 0 or
 * the -errno that the program gets.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include <sys/statvfs.h>

#include "fs/state.h"

#define TREE_NAME_MAX 255
/* st_blksize of what is read and written in records: cp and cat take it as the size of their buffer, so it is the
 * longest power of two that is a record through the mount. */
#define TREE_BLKSIZE (512u << 10)
#define TREE_BLKSIZE_NONE 4096	/* of the rest */

/* ---- fs_tree.c ---- */

int tree_lookup(struct fs *fs, const struct node *dir, const char *name, struct node *out);
int tree_attr(struct fs *fs, const struct node *n, struct stat *out);

/* A walk through a folder.  A cookie counts entries; going on from where the walk stopped costs nothing, going
 * elsewhere walks there from the beginning. */
struct tree_walk {
	struct fs *fs;
	struct node dir;
	uint64_t cookie;		/* of the next entry */
	char after[BARCODE_MAX + 1];	/* name of the last volume or pool given */
};
/* Gives entries from @cookie on, until @emit says false (that entry comes again).  @attr: what tree_attr() says of it,
 * where that costs nothing, else NULL; then it is a folder or a regular file.  @next: cookie of the entry after it. */
typedef bool (*tree_emit)(void *ctx, const char *name, const struct node *n, const struct stat *attr, uint64_t next);
int tree_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx);

/* ---- fs_change.c ---- */

struct tree_who { uint32_t mode, uid, gid; };
int tree_mkdir(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, struct node *out);
int tree_rmdir(struct fs *fs, const struct node *dir, const char *name);
int tree_unlink(struct fs *fs, const struct node *dir, const char *name);
int tree_rename(struct fs *fs, const struct node *dir, const char *name, const struct node *to_dir, const char *to_name,
		bool noreplace);
/* Makes the thing that an open with O_CREAT creates. */
int tree_create(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, struct node *out);
enum { TREE_MODE = 1, TREE_UID = 2, TREE_GID = 4, TREE_MTIME = 8 };
int tree_setattr(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm);
int tree_statfs(struct fs *fs, struct statvfs *out);
/* The pool of a node below it, by name. */
int tree_pool(struct fs *fs, uint32_t id, struct catalog_pool *out);
/* -ESTALE if it is gone. */
int tree_volume(struct fs *fs, uint64_t id, struct catalog_volume *out);
/* As library_stat(). Of a tape whose own row is damaged or gone nothing is known: zeros, and @v says STATE_ERROR, so
 * that the folder it is in can be listed. */
int tree_volume_stat(struct fs *fs, struct catalog_volume *v, struct volume_stat *out);
uint64_t tree_stat_time(const struct catalog_volume *v, const struct volume_stat *st);

/* ---- fs_tapefile.c: names and sizes of the files of a tape ---- */

int tapefile_lookup(struct fs *fs, uint64_t volume, const char *name, struct node *out);
int tapefile_attr(struct fs *fs, const struct node *n, struct stat *out);
int tapefile_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx);
int tapefile_rename(struct fs *fs, uint64_t volume, const char *name, const char *to, bool noreplace);
int tapefile_setattr(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm);

/* ---- fs_archive.c: the archives in tape files, as trees ---- */

/* "0001.d" in a volume's folder. */
int archive_find(struct fs *fs, uint64_t volume, const char *name, struct node *out);
/* @attr may be NULL. */
int archive_lookup(struct fs *fs, const struct node *dir, const char *name, struct node *out, struct stat *attr);
int archive_attr(struct fs *fs, const struct node *n, struct stat *out);
int archive_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx);
/* The target of a symbolic link, NUL behind. */
int archive_readlink(struct fs *fs, const struct node *n, struct buf *out);
/* Is it an archive that is shown? */
bool archive_is_shown(const struct contents_file *f);

/* ---- fs_image_name.c, fs_image.c: images as names and sizes ---- */

int image_lookup(struct fs *fs, uint32_t pool, const char *name, struct node *out);
int image_size(struct fs *fs, const struct catalog_volume *v, const struct volume_stat *st, uint64_t *out);
/* The name that volume @v has in images/; false: it is not shown. */
bool image_name(struct fs *fs, const struct catalog_volume *v, char out[TREE_NAME_MAX + 1]);
int image_create(struct fs *fs, uint32_t pool, const char *name, const struct tree_who *who, struct node *out);
int image_rename(struct fs *fs, const struct node *n, const struct node *to_dir, const char *to_name, bool noreplace);
void image_sweep(struct fs *fs);	/* at mount */
int image_truncate(struct fs *fs, const struct node *n, uint64_t size);

/* ---- fs_xattr.c ---- */

/* The value of user.vtape.@name; -ENODATA. */
int xattr_get(struct fs *fs, const struct node *n, const char *name, struct buf *out);
int xattr_list(struct fs *fs, const struct node *n, struct buf *out);
int xattr_set(struct fs *fs, const struct node *n, const char *name, const void *value, size_t len);

#endif
