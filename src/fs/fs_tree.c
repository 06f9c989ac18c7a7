/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_tree: names to nodes, nodes to stat, folders to entries.  Everything comes from the catalog and the heads of
 * volumes: no look-up and no listing opens a tape, except below files/, where the sizes of tape files are in its map.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

int tree_pool(struct fs *fs, uint32_t id, struct catalog_pool *out)
{
	int r = catalog_pool_by_id(fs->cat, id, out);

	return r == CATALOG_E_NONE ? -ESTALE : fs_errno_catalog(r);
}

int tree_volume(struct fs *fs, uint64_t id, struct catalog_volume *out)
{
	int r = catalog_volume_by_id(fs->cat, id, out);

	return r == CATALOG_E_NONE ? -ESTALE : fs_errno_catalog(r);
}

/* ---- look-up --------------------------------------------------------------------------------------------------- */

static int lookup_door(const char *name, struct node *out)
{
	for (int d = 0; d < DOORS; d++) {
		if (!strcmp(name, door_name((enum door)d))) {
			*out = (struct node){ .kind = NODE_DOOR, .door = (enum door)d };
			return 0;
		}
	}
	return -ENOENT;
}

static int drive_name(const struct node *n, char *out, size_t cap)
{
	return snprintf(out, cap, "%sst%u", n->rewinds ? "" : "n", n->drive);
}

static int lookup_drive(struct fs *fs, const char *name, struct node *out)
{
	struct node n = { .kind = NODE_DRIVE, .rewinds = name[0] != 'n' };
	char again[16];

	if (sscanf(name, n.rewinds ? "st%u" : "nst%u", &n.drive) != 1 || n.drive >= library_drives(fs->lib))
		return -ENOENT;
	drive_name(&n, again, sizeof(again));	/* "nst00" is no name */
	if (strcmp(name, again))
		return -ENOENT;
	*out = n;
	return 0;
}

static int lookup_pool(struct fs *fs, enum door door, const char *name, struct node *out)
{
	struct catalog_pool p;
	int r = fs_errno_catalog(catalog_pool_get(fs->cat, name, &p));

	if (!r)
		*out = (struct node){ .kind = NODE_POOL, .door = door, .pool = p.id };
	return r;
}

static int lookup_volume(struct fs *fs, const struct node *pool, const char *name, struct node *out)
{
	struct catalog_volume v;
	int r = fs_errno_catalog(catalog_volume_get(fs->cat, name, &v));

	if (r)
		return r;
	if (v.pool != pool->pool || v.state == STATE_INCOMING)
		return -ENOENT;
	*out = (struct node){ .kind = pool->door == DOOR_TAPES ? NODE_TAPE : NODE_VOLUME, .volume = v.id };
	return 0;
}

static int lookup_in_volume(struct fs *fs, uint64_t volume, const char *name, struct node *out)
{
	int r = tapefile_lookup(fs, volume, name, out);

	return r == -ENOENT ? archive_find(fs, volume, name, out) : r;
}

int tree_lookup(struct fs *fs, const struct node *dir, const char *name, struct node *out)
{
	if (strlen(name) > TREE_NAME_MAX)
		return -ENAMETOOLONG;
	switch (dir->kind) {
	case NODE_ROOT:
		return lookup_door(name, out);
	case NODE_DOOR:
		return dir->door == DOOR_DRIVES ? lookup_drive(fs, name, out) : lookup_pool(fs, dir->door, name, out);
	case NODE_POOL:
		if (dir->door == DOOR_IMAGES)
			return image_lookup(fs, dir->pool, name, out);
		return lookup_volume(fs, dir, name, out);
	case NODE_VOLUME:
		return lookup_in_volume(fs, dir->volume, name, out);
	case NODE_ARCHIVE:
	case NODE_FOLDER:
		return archive_lookup(fs, dir, name, out, NULL);
	default:
		return -ENOTDIR;
	}
}

/* ---- stat ------------------------------------------------------------------------------------------------------ */

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull) };
}

static void stat_times(struct stat *s, uint64_t mtime_ns, uint64_t ctime_ns)
{
	s->st_mtim = s->st_atim = timespec_of(mtime_ns);
	s->st_ctim = timespec_of(ctime_ns > mtime_ns ? ctime_ns : mtime_ns);
}

static void stat_perm(struct stat *s, const struct catalog_perm *p, mode_t type)
{
	s->st_mode = type | (p->mode & 07777);
	s->st_uid = p->uid;
	s->st_gid = p->gid;
}

static void stat_own_dir(struct fs *fs, struct stat *s)
{
	s->st_mode = S_IFDIR | 0755;
	s->st_nlink = 2;
	s->st_uid = fs->uid;
	s->st_gid = fs->gid;
	stat_times(s, fs->mounted_ns, fs->mounted_ns);
}

static int stat_pool(struct fs *fs, const struct node *n, struct stat *s)
{
	struct catalog_pool p;
	int r = tree_pool(fs, n->pool, &p);

	if (r)
		return r;
	stat_perm(s, &p.perm, S_IFDIR);
	s->st_nlink = 2;
	stat_times(s, p.perm.mtime_ns, p.perm.ctime_ns);
	return 0;
}

uint64_t tree_stat_time(const struct catalog_volume *v, const struct volume_stat *st)
{
	uint64_t t = library_mtime_ns(v, st);

	return t ? t : v->created_ns;
}

int tree_volume_stat(struct fs *fs, struct catalog_volume *v, struct volume_stat *out)
{
	int r = library_stat(fs->lib, v->id, out);

	if (r != -EUCLEAN && r != -EBADMSG && r != -ENOENT)
		return fs_errno(r);
	*out = (struct volume_stat){ .generation = 0 };
	v->state = STATE_ERROR;
	return 0;
}

static int stat_volume(struct fs *fs, const struct node *n, struct stat *s)
{
	struct catalog_volume v;
	struct volume_stat st;
	uint64_t size;
	int r;

	r = tree_volume(fs, n->volume, &v);
	if (!r)
		r = tree_volume_stat(fs, &v, &st);
	if (r)
		return r;
	size = st.end.bytes;
	if (n->kind == NODE_IMAGE)
		r = image_size(fs, &v, &st, &size);
	if (r)
		return r;
	stat_perm(s, &v.perm, S_IFREG);
	s->st_nlink = 1;
	s->st_size = (off_t)size;
	s->st_blocks = (blkcnt_t)((st.stored_bytes + 511) / 512);
	s->st_blksize = TREE_BLKSIZE;
	/* cp takes a file with fewer blocks than bytes for one with holes, seeks in it to find them, and gives up
	 * at ESPIPE. */
	if (n->kind == NODE_TAPE && s->st_blocks < (s->st_size + 511) / 512)
		s->st_blocks = (s->st_size + 511) / 512;
	stat_times(s, tree_stat_time(&v, &st), v.perm.ctime_ns);
	if (n->kind == NODE_VOLUME) {
		/* Who may read the tape may enter its folder. */
		s->st_mode = S_IFDIR | (v.perm.mode & 0666) | (v.perm.mode & 0444) >> 2;
		s->st_nlink = 2;
		s->st_size = 0;
	}
	return 0;
}

static void stat_drive(struct fs *fs, struct stat *s)
{
	s->st_mode = S_IFREG | 0660;
	s->st_nlink = 1;
	s->st_uid = fs->uid;
	s->st_gid = fs->gid;
	s->st_blksize = TREE_BLKSIZE;
	stat_times(s, fs->mounted_ns, fs->mounted_ns);
}

int tree_attr(struct fs *fs, const struct node *n, struct stat *out)
{
	struct stat s = { .st_ino = node_ino(n), .st_blksize = TREE_BLKSIZE_NONE };
	int r = 0;

	switch (n->kind) {
	case NODE_ROOT:
	case NODE_DOOR:
		stat_own_dir(fs, &s);
		break;
	case NODE_POOL:
		r = stat_pool(fs, n, &s);
		break;
	case NODE_FILE:
		r = tapefile_attr(fs, n, &s);
		break;
	case NODE_DRIVE:
		stat_drive(fs, &s);
		break;
	case NODE_ARCHIVE:
	case NODE_FOLDER:
	case NODE_MEMBER:
		r = archive_attr(fs, n, &s);
		break;
	default:
		r = stat_volume(fs, n, &s);
		break;
	}
	if (r)
		return r;
	file_attr(fs, n, &s);
	*out = s;
	return 0;
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

struct listing {
	struct tree_walk *w;
	uint64_t from;		/* entries before it are only counted */
	tree_emit emit;
	void *ctx;
};

/* 1: the caller has enough. */
static int listing_add(struct listing *l, const char *name, const struct node *n)
{
	if (!node_ino(n))
		return 0;
	if (l->w->cookie >= l->from && !l->emit(l->ctx, name, n, NULL, l->w->cookie + 1))
		return 1;
	l->w->cookie++;
	return 0;
}

static int list_doors(struct listing *l)
{
	int r = 0;

	l->w->cookie = 0;
	for (int d = 0; d < DOORS && !r; d++)
		r = listing_add(l, door_name((enum door)d), &(struct node){ .kind = NODE_DOOR, .door = (enum door)d });
	return r;
}

static int list_drives(struct listing *l)
{
	unsigned count = library_drives(l->w->fs->lib);
	char name[16];
	int r = 0;

	l->w->cookie = 0;
	for (unsigned i = 0; i < 2 * count && !r; i++) {
		struct node n = { .kind = NODE_DRIVE, .drive = i / 2, .rewinds = i % 2 };

		drive_name(&n, name, sizeof(name));
		r = listing_add(l, name, &n);
	}
	return r;
}

static int list_pool(void *ctx, const struct catalog_pool *p)
{
	struct listing *l = ctx;

	return listing_add(l, p->name, &(struct node){ .kind = NODE_POOL, .door = l->w->dir.door, .pool = p->id });
}

static int list_volume(void *ctx, const struct catalog_volume *v)
{
	struct listing *l = ctx;
	struct node n = { .volume = v->id };
	char name[TREE_NAME_MAX + 1];
	bool shown = v->state != STATE_INCOMING;
	int r = 0;

	n.kind = l->w->dir.door == DOOR_TAPES ? NODE_TAPE : l->w->dir.door == DOOR_FILES ? NODE_VOLUME : NODE_IMAGE;
	if (n.kind == NODE_IMAGE)
		shown = image_name(l->w->fs, v, name);
	else
		snprintf(name, sizeof(name), "%s", v->name);
	if (shown)
		r = listing_add(l, name, &n);
	if (!r)
		snprintf(l->w->after, sizeof(l->w->after), "%s", v->name);
	return r;
}

static int list_pool_content(struct listing *l)
{
	struct tree_walk *w = l->w;

	if (w->cookie != l->from) {
		w->cookie = 0;
		w->after[0] = '\0';
	}
	return catalog_volume_each(w->fs->cat, w->dir.pool, w->after, list_volume, l);
}

int tree_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx)
{
	struct listing l = { w, cookie, emit, ctx };
	int r;

	switch (w->dir.kind) {
	case NODE_ROOT:
		r = list_doors(&l);
		break;
	case NODE_DOOR:
		w->cookie = 0;
		r = w->dir.door == DOOR_DRIVES ? list_drives(&l) : catalog_pool_each(w->fs->cat, list_pool, &l);
		break;
	case NODE_POOL:
		r = list_pool_content(&l);
		break;
	case NODE_VOLUME:
		return tapefile_list(w, cookie, emit, ctx);
	case NODE_ARCHIVE:
	case NODE_FOLDER:
		return archive_list(w, cookie, emit, ctx);
	default:
		return -ENOTDIR;
	}
	return r > 0 ? 0 : fs_errno(r);
}
