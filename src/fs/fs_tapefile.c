/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_tapefile: files/POOL/VOLUME.  The files of a tape by number and by name: where each begins and ends is in the
 * map of the volume, names are rows of the catalog.  A name is believed only while the mark that closed its file is
 * still the one that was written then (object number and stretch agree); so a tape that was written over by another
 * door shows no false names.
 *
 * Numbers are counted from 0001 as in tape labels; drives count from 0.  A number always works, shown or not.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/tapefile.h"
#include "fs/tree.h"

int tapefile_extent(struct volume *v, uint64_t file, struct tapefile_extent *out)
{
	struct tape_tally a, b;
	bool closed = true;
	int r;

	r = volume_find_file(v, 0, file, &a);
	if (r)
		return r == TAPE_E_EOD ? -ENOENT : fs_errno(r);
	r = volume_find_file(v, 0, file + 1, &b);
	if (r == TAPE_E_EOD) {
		closed = false;
		r = volume_end(v, 0, &b);
	}
	if (r)
		return fs_errno(r);
	if (a.objects == b.objects)
		return -ENOENT;
	*out = (struct tapefile_extent){ .offset = a.bytes, .size = b.bytes - a.bytes, .closed = closed,
					 .mark_object = closed ? b.objects - 1 : 0 };
	return 0;
}

static void number_name(uint64_t file, char out[TREE_NAME_MAX + 1])
{
	snprintf(out, TREE_NAME_MAX + 1, "%04llu", (unsigned long long)file + 1);
}

bool tapefile_number(const char *name, uint64_t *file)
{
	char again[TREE_NAME_MAX + 1];
	unsigned long long n;

	if (sscanf(name, "%19llu", &n) != 1 || !n)
		return false;
	number_name(n - 1, again);
	if (strcmp(name, again))
		return false;
	*file = n - 1;
	return true;
}

/* The row of a file, if it is still about this file; else an empty one. */
static int tapefile_row(struct fs *fs, struct volume *v, uint64_t volume, uint64_t file,
			const struct tapefile_extent *e, struct catalog_file *out, bool *found)
{
	uint64_t stretch;
	int r;

	*found = false;
	if (!e->closed)
		return 0;
	r = catalog_file_get(fs->cat, volume, file, out);
	if (r)
		return r == CATALOG_E_NONE ? 0 : fs_errno_catalog(r);
	if (out->mark_object != e->mark_object)
		return 0;
	r = volume_stretch(v, 0, e->mark_object, &stretch);
	*found = !r && stretch == out->stretch;
	return fs_errno(r);
}

/* The last file on the tape that has this name: rows of files that were written over meanwhile are passed by. */
static int find_named(struct fs *fs, struct volume *v, uint64_t volume, const char *name, uint64_t *file)
{
	struct catalog_file row = { .file = UINT64_MAX }, there;
	struct tapefile_extent e;
	bool found = false;
	int r;

	do {
		r = fs_errno_catalog(catalog_file_find_before(fs->cat, volume, name, row.file, &row));
		if (r)
			return r;
		r = tapefile_extent(v, row.file, &e);
		if (!r)
			r = tapefile_row(fs, v, volume, row.file, &e, &there, &found);
		if (r && r != -ENOENT)
			return r;
	} while (!found);
	*file = row.file;
	return 0;
}

/* What a listing shows: the name if it leads back here, else the number. */
static int tapefile_shown(struct fs *fs, struct volume *v, uint64_t volume, uint64_t file,
			  const struct tapefile_extent *e, char out[TREE_NAME_MAX + 1])
{
	struct catalog_file row;
	uint64_t newest;
	bool found = false;
	int r = tapefile_row(fs, v, volume, file, e, &row, &found);

	if (r)
		return r;
	if (found && !find_named(fs, v, volume, row.name, &newest) && newest == file)
		snprintf(out, TREE_NAME_MAX + 1, "%s", row.name);
	else
		number_name(file, out);
	return 0;
}

/* ---- with the tape looked at ----------------------------------------------------------------------------------- */

static int find_file(struct fs *fs, struct volume *v, uint64_t volume, const char *name, uint64_t *file)
{
	struct tapefile_extent e;

	if (tapefile_number(name, file))
		return tapefile_extent(v, *file, &e);
	return find_named(fs, v, volume, name, file);
}

int tapefile_lookup(struct fs *fs, uint64_t volume, const char *name, struct node *out)
{
	uint64_t file = 0;
	struct volume *v;
	int r = fs_errno(library_look(fs->lib, volume, &v));

	if (r)
		return r;
	r = find_file(fs, v, volume, name, &file);
	library_look_end(fs->lib, volume);
	if (!r)
		*out = (struct node){ .kind = NODE_FILE, .volume = volume, .file = file };
	return r;
}

struct sight {
	struct tapefile_extent extent;
	struct catalog_file row;
	bool named;
};

static int tapefile_see(struct fs *fs, const struct node *n, struct sight *s)
{
	struct volume *v;
	int r = fs_errno(library_look(fs->lib, n->volume, &v));

	if (r)
		return r;
	r = tapefile_extent(v, n->file, &s->extent);
	if (!r)
		r = tapefile_row(fs, v, n->volume, n->file, &s->extent, &s->row, &s->named);
	library_look_end(fs->lib, n->volume);
	return r;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull) };
}

int tapefile_attr(struct fs *fs, const struct node *n, struct stat *out)
{
	struct catalog_volume v;
	struct catalog_perm perm;
	struct volume_stat st;
	struct sight s = { .named = false };
	int r;

	r = tree_volume(fs, n->volume, &v);
	if (!r)
		r = fs_errno(library_stat(fs->lib, n->volume, &st));
	if (!r)
		r = tapefile_see(fs, n, &s);
	if (r == -ENOENT)
		r = file_is_open(fs, n) ? 0 : -ESTALE;	/* a file that is begun and has no byte on the tape yet */
	if (r)
		return r;
	perm = v.perm;
	perm.mode &= ~0222u;
	perm.mtime_ns = perm.ctime_ns = tree_stat_time(&v, &st);
	if (s.named)
		perm = s.row.perm;
	out->st_mode = S_IFREG | (perm.mode & 07777);
	out->st_uid = perm.uid;
	out->st_gid = perm.gid;
	out->st_nlink = 1;
	out->st_size = (off_t)s.extent.size;
	out->st_blocks = (blkcnt_t)((s.extent.size + 511) / 512);
	out->st_blksize = TREE_BLKSIZE;
	out->st_mtim = out->st_atim = timespec_of(perm.mtime_ns);
	out->st_ctim = timespec_of(perm.ctime_ns);
	return 0;
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

#define LIST_STEP 256u			/* files seen with one look at the tape */
enum { LIST_MORE = 1 };

/* Which of the files from @from on are archives. */
struct archives {
	uint64_t from;
	bool is[LIST_STEP];
};

static int note_archive(void *ctx, const struct contents_file *f)
{
	struct archives *a = ctx;

	if (f->partition || f->file < a->from || f->file - a->from >= LIST_STEP)
		return LIST_MORE;
	a->is[f->file - a->from] = archive_is_shown(f);
	return 0;
}

/* A tape whose contents cannot be told is listed all the same. */
static void find_archives(struct fs *fs, uint64_t volume, uint64_t from, struct archives *out)
{
	int r = 0;

	*out = (struct archives){ .from = from };
	if (fs->contents && !fs->archives_hidden)
		r = contents_files(fs->contents, volume, from, note_archive, out);
	if (r < 0 && r != -ENOENT)
		log_warn("the archives of volume number %llu are not shown: %s", (unsigned long long)volume,
			 err_text(r));
}

/* The name of its folder: that of the file, else of its number, and ".d"; false if a tape file has that. */
static bool archive_name(struct fs *fs, struct volume *v, const struct node *n, char name[TREE_NAME_MAX + 1])
{
	size_t len = strlen(name);
	uint64_t other;

	if (len + 2 <= TREE_NAME_MAX) {
		memcpy(name + len, ".d", 3);
		if (find_named(fs, v, n->volume, name, &other))
			return true;
	}
	number_name(n->file, name);
	len = strlen(name);
	memcpy(name + len, ".d", 3);
	return find_named(fs, v, n->volume, name, &other) != 0;
}

/* Cookies: twice its number for a file, one more for its folder.  LIST_MORE: there are more, and room for them. */
static int list_files(struct tree_walk *w, struct volume *v, uint64_t cookie, const struct archives *a, tree_emit emit,
		      void *ctx)
{
	struct node n = { .volume = w->dir.volume, .file = cookie / 2 };
	char name[TREE_NAME_MAX + 1];
	struct tapefile_extent e;
	int r;

	for (; n.file - a->from < LIST_STEP && n.file <= NODE_FILE_MAX; n.file++, cookie = 2 * n.file) {
		r = tapefile_extent(v, n.file, &e);
		if (!r)
			r = tapefile_shown(w->fs, v, n.volume, n.file, &e, name);
		if (r)
			return r == -ENOENT ? 0 : r;
		n.kind = NODE_FILE;
		if (cookie % 2 == 0 && !emit(ctx, name, &n, NULL, cookie + 1))
			return 0;
		n.kind = NODE_ARCHIVE;
		if (a->is[n.file - a->from] && archive_name(w->fs, v, &n, name) &&
		    !emit(ctx, name, &n, NULL, 2 * n.file + 2))
			return 0;
	}
	return LIST_MORE;
}

int tapefile_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx)
{
	struct archives a;
	struct volume *v;
	int r = LIST_MORE;

	for (; r == LIST_MORE && cookie / 2 <= NODE_FILE_MAX; cookie = 2 * (a.from + LIST_STEP)) {
		find_archives(w->fs, w->dir.volume, cookie / 2, &a);
		r = fs_errno(library_look(w->fs->lib, w->dir.volume, &v));
		if (r)
			return r;
		r = list_files(w, v, cookie, &a, emit, ctx);
		library_look_end(w->fs->lib, w->dir.volume);
	}
	return r == LIST_MORE ? 0 : r;
}

/* ---- names and modes ------------------------------------------------------------------------------------------- */

int tapefile_put(struct fs *fs, struct volume *v, uint64_t volume, struct catalog_file *row)
{
	struct tapefile_extent e = { .closed = false };
	int r = tapefile_extent(v, row->file, &e);

	if (!r && !e.closed)
		r = -EBUSY;	/* it has no end yet, so nothing could tell later that it is the same file */
	if (!r)
		r = fs_errno(volume_stretch(v, 0, e.mark_object, &row->stretch));
	if (r)
		return r;
	row->mark_object = e.mark_object;
	return fs_errno_catalog(catalog_file_put(fs->cat, volume, row));
}

/* The row as it is or as it would be, changed and put. */
static int tapefile_change(struct fs *fs, const struct node *n, void (*change)(struct catalog_file *f, const void *ctx),
			   const void *ctx)
{
	struct sight s = { .named = false };
	struct stat now = { 0 };
	struct volume *v;
	int r;

	r = tapefile_see(fs, n, &s);
	if (!r && !s.named) {
		r = tapefile_attr(fs, n, &now);
		s.row = (struct catalog_file){ .file = n->file };
		number_name(n->file, s.row.name);
		s.row.perm = (struct catalog_perm){ now.st_mode & 07777, now.st_uid, now.st_gid,
			(uint64_t)now.st_mtim.tv_sec * 1000000000ull + (uint64_t)now.st_mtim.tv_nsec, 0 };
	}
	if (r)
		return r;
	change(&s.row, ctx);
	s.row.perm.ctime_ns = clock_now_ns();
	r = fs_errno(library_look(fs->lib, n->volume, &v));
	if (r)
		return r;
	r = tapefile_put(fs, v, n->volume, &s.row);
	library_look_end(fs->lib, n->volume);
	return r;
}

static void change_name(struct catalog_file *f, const void *ctx)
{
	snprintf(f->name, sizeof(f->name), "%s", (const char *)ctx);
}

int tapefile_rename(struct fs *fs, uint64_t volume, const char *name, const char *to, bool noreplace)
{
	struct node n, there;
	uint64_t number;
	int r = tapefile_lookup(fs, volume, name, &n);

	if (r)
		return r;
	if (noreplace && !tapefile_lookup(fs, volume, to, &there))
		return -EEXIST;
	if (tapefile_number(to, &number) && number != n.file)
		return -EINVAL;
	return tapefile_change(fs, &n, change_name, to);
}

struct perm_change { unsigned what; const struct catalog_perm *perm; };

void tapefile_change_perm(struct catalog_perm *p, unsigned what, const struct catalog_perm *to)
{
	if (what & TREE_MODE)
		p->mode = to->mode & 07777;
	if (what & TREE_UID)
		p->uid = to->uid;
	if (what & TREE_GID)
		p->gid = to->gid;
	if (what & TREE_MTIME)
		p->mtime_ns = to->mtime_ns;
}

static void change_perm(struct catalog_file *f, const void *ctx)
{
	const struct perm_change *c = ctx;

	tapefile_change_perm(&f->perm, c->what, c->perm);
}

int tapefile_setattr(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm)
{
	struct perm_change c = { what, perm };

	if (tapefile_setattr_open(fs, n, what, perm))
		return 0;
	return tapefile_change(fs, n, change_perm, &c);
}
