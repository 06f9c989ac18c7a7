/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_change: what mkdir, rm, mv, chmod and so on do to pools and volumes.  The rules (protection, WORM, who is using
 * it) are the library's; here is only which call of it a file operation means.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

static struct catalog_perm perm_of(const struct tree_who *who)
{
	uint64_t now = clock_now_ns();

	return (struct catalog_perm){ who->mode & 07777, who->uid, who->gid, now, now };
}

static int create_volume(struct fs *fs, uint32_t pool, const char *name, const struct tree_who *who, uint64_t *id)
{
	struct catalog_perm perm = perm_of(who);
	struct catalog_volume v;
	struct catalog_pool p;
	int r = tree_pool(fs, pool, &p);

	if (!r && strlen(name) > BARCODE_MAX)
		r = -ENAMETOOLONG;
	if (!r)
		r = fs_errno(library_volume_create(fs->lib, p.name, name, &perm, false, &v));
	if (!r)
		*id = v.id;
	return r;
}

/* Below a door it makes a pool; in files/POOL, where a volume is a folder, a volume. */
int tree_mkdir(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, struct node *out)
{
	struct tree_who volume_who = { who->mode & 0666, who->uid, who->gid };
	struct catalog_perm perm = perm_of(who);
	struct catalog_pool p;
	uint64_t id = 0;
	int r;

	if (node_is_archived(dir))
		return -EROFS;
	if (dir->kind == NODE_DOOR && dir->door != DOOR_DRIVES) {
		if (strlen(name) > BARCODE_MAX)
			return -ENAMETOOLONG;
		r = fs_errno(library_pool_create(fs->lib, name, &perm, &p));
		if (!r)
			*out = (struct node){ .kind = NODE_POOL, .door = dir->door, .pool = p.id };
		return r;
	}
	if (dir->kind != NODE_POOL || dir->door != DOOR_FILES)
		return -EPERM;
	r = create_volume(fs, dir->pool, name, &volume_who, &id);
	if (!r)
		*out = (struct node){ .kind = NODE_VOLUME, .volume = id };
	return r;
}

static int delete_volume(struct fs *fs, uint64_t id)
{
	file_await(fs, &(struct node){ .kind = NODE_TAPE, .volume = id }, true);
	return fs_errno(library_volume_delete(fs->lib, id));
}

/* What is in an archive only goes with its tape. */
static int lookup_to_remove(struct fs *fs, const struct node *dir, const char *name, struct node *out)
{
	int r = tree_lookup(fs, dir, name, out);

	return r || !node_is_archived(out) ? r : -EROFS;
}

int tree_rmdir(struct fs *fs, const struct node *dir, const char *name)
{
	struct volume_stat st;
	struct node n;
	int r = lookup_to_remove(fs, dir, name, &n);

	if (r)
		return r;
	if (n.kind == NODE_POOL)
		return fs_errno(library_pool_destroy(fs->lib, name, false));
	if (n.kind != NODE_VOLUME)
		return node_is_dir(&n) ? -EPERM : -ENOTDIR;
	r = fs_errno(library_stat(fs->lib, n.volume, &st));
	if (!r && st.end.objects)
		r = -ENOTEMPTY;
	return r ? r : delete_volume(fs, n.volume);
}

int tree_unlink(struct fs *fs, const struct node *dir, const char *name)
{
	struct node n;
	int r = lookup_to_remove(fs, dir, name, &n);

	if (r)
		return r;
	if (node_is_dir(&n))
		return -EISDIR;
	/* A tape only shrinks from its end, and what is on it was meant to stay: one tape file cannot be removed. */
	if (n.kind == NODE_FILE || n.kind == NODE_DRIVE)
		return -EPERM;
	return delete_volume(fs, n.volume);
}

static int rename_pool(struct fs *fs, const char *name, const char *to_name, bool noreplace)
{
	struct catalog_pool p;
	int r;

	if (!strcmp(name, to_name))
		return 0;
	if (!catalog_pool_get(fs->cat, to_name, &p)) {
		if (noreplace)
			return -EEXIST;
		r = fs_errno(library_pool_destroy(fs->lib, to_name, false));
		if (r)
			return r;
	}
	return fs_errno(library_pool_rename(fs->lib, name, to_name));
}

/* mv A B over an existing B is rename(2): B's content is A's, and A is gone. */
static int rename_volume(struct fs *fs, const struct node *n, const struct node *to_dir, const char *to_name,
			 bool noreplace)
{
	struct catalog_pool p;
	struct node there;
	int r;

	if (to_dir->kind != NODE_POOL)
		return -EPERM;
	r = tree_pool(fs, to_dir->pool, &p);
	if (r)
		return r;
	r = tree_lookup(fs, to_dir, to_name, &there);
	if (r == -ENOENT)
		return fs_errno(library_volume_move(fs->lib, n->volume, p.name, to_name));
	if (r || there.volume == n->volume)
		return r;
	if (noreplace)
		return -EEXIST;
	if (n->kind == NODE_VOLUME)
		return -ENOTEMPTY;
	file_await(fs, n, true);
	file_await(fs, &there, true);
	return fs_errno(library_volume_replace(fs->lib, there.volume, n->volume));
}

int tree_rename(struct fs *fs, const struct node *dir, const char *name, const struct node *to_dir, const char *to_name,
		bool noreplace)
{
	struct node n;
	int r = tree_lookup(fs, dir, name, &n);

	if (r)
		return r;
	if (node_is_archived(&n) || node_is_archived(to_dir))
		return -EROFS;
	/* Not EXDEV: mv would remove what is at the other door, which is this very tape, and then copy from
	 * nothing. */
	if (dir->kind != to_dir->kind || dir->door != to_dir->door)
		return -EPERM;
	switch (n.kind) {
	case NODE_POOL:
		return rename_pool(fs, name, to_name, noreplace);
	case NODE_TAPE:
	case NODE_VOLUME:
		return rename_volume(fs, &n, to_dir, to_name, noreplace);
	case NODE_IMAGE:
		return image_rename(fs, &n, to_dir, to_name, noreplace);
	case NODE_FILE:
		if (dir->volume != to_dir->volume)
			return -EPERM;
		return tapefile_rename(fs, n.volume, name, to_name, noreplace);
	default:
		return -EPERM;
	}
}

int tree_create(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, struct node *out)
{
	uint64_t id = 0;
	int r;

	if (strlen(name) > TREE_NAME_MAX)
		return -ENAMETOOLONG;
	if (node_is_archived(dir))
		return -EROFS;
	if (dir->kind != NODE_POOL || dir->door == DOOR_FILES)
		return -EPERM;
	if (dir->door == DOOR_IMAGES)
		return image_create(fs, dir->pool, name, who, out);
	r = create_volume(fs, dir->pool, name, who, &id);
	if (!r)
		*out = (struct node){ .kind = NODE_TAPE, .volume = id };
	return r;
}

/* ---- modes, owners, times -------------------------------------------------------------------------------------- */

struct perm_change { unsigned what; const struct catalog_perm *perm; };

static void change_perm(struct catalog_perm *p, const struct perm_change *c)
{
	if (c->what & TREE_MODE)
		p->mode = c->perm->mode & 07777;
	if (c->what & TREE_UID)
		p->uid = c->perm->uid;
	if (c->what & TREE_GID)
		p->gid = c->perm->gid;
	if (c->what & TREE_MTIME)
		p->mtime_ns = c->perm->mtime_ns;
	p->ctime_ns = clock_now_ns();
}

static void change_volume(struct catalog_volume *v, void *ctx)
{
	change_perm(&v->perm, ctx);
}

static int change_pool(struct catalog_pool *p, void *ctx)
{
	change_perm(&p->perm, ctx);
	return 0;
}

static int setattr_pool(struct fs *fs, uint32_t id, struct perm_change *c)
{
	struct catalog_pool p;
	int r = tree_pool(fs, id, &p);

	return r ? r : fs_errno(library_pool_change(fs->lib, p.name, change_pool, c));
}

int tree_setattr(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm)
{
	struct perm_change c = { what, perm };
	int r;

	switch (n->kind) {
	case NODE_POOL:
		return setattr_pool(fs, n->pool, &c);
	case NODE_TAPE:
	case NODE_IMAGE:
	case NODE_VOLUME:
		/* A volume's folder shows the modes of the tape with the right to enter added: that is no mode of
		 * its own. */
		if (n->kind == NODE_VOLUME)
			c.what &= ~(unsigned)TREE_MODE;
		r = fs_errno(library_volume_change(fs->lib, n->volume, change_volume, &c));
		if (!r && (what & TREE_MTIME))
			file_mtime_set(fs, n);
		return r == -ENOENT ? -ESTALE : r;
	case NODE_FILE:
		return tapefile_setattr(fs, n, what, perm);
	case NODE_ARCHIVE:
	case NODE_FOLDER:
	case NODE_MEMBER:
		return -EROFS;
	default:
		/* touch(1) on a drive is harmless; its modes are the mount's. */
		return what & ~(unsigned)TREE_MTIME ? -EPERM : 0;
	}
}

int tree_statfs(struct fs *fs, struct statvfs *out)
{
	uint64_t avail, total;
	int r = fs_errno(chunk_store_space(library_chunks(fs->lib), &avail, &total));

	if (r)
		return r;
	*out = (struct statvfs){ .f_bsize = 4096, .f_frsize = 4096, .f_blocks = total / 4096, .f_bfree = avail / 4096,
				 .f_bavail = avail / 4096, .f_namemax = TREE_NAME_MAX };
	return 0;
}
