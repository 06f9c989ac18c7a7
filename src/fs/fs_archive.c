/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_archive: files/POOL/VOLUME/0001.d, the members of the archive in a tape file as a tree that cannot be changed.
 * All of it comes from the catalog of contents: no name and no stat reads the tape.  Each answer is true of the tape
 * as it is now: a member of a tape file that was written over is -ESTALE.
 *
 * What is shown is what the archive says, but: of names longer than TREE_NAME_MAX the beginning with "~" and the
 * member's number; a hard link is its target, by the same inode number, and has one link.  Who may not read the tape
 * file may not enter its folder, whatever modes its members have.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

#define HOPS_MAX 8u			/* of hard links to hard links */
#define SEEN_NS 1000000000ull		/* so long an archive is taken to be on its tape, in the same generation */
#define READLINK_MAX 4095u		/* the kernel has room for a page */
#define LIST_ENOUGH 2			/* no CONTENTS_E_* */

static int none_is(int r, int none)
{
	return r == CONTENTS_E_NONE ? none : fs_errno(r);
}

/* ---- is it on the tape? ---------------------------------------------------------------------------------------- */

bool archive_is_shown(const struct contents_file *f)
{
	return (f->how == CONTENTS_LISTED || f->how == CONTENTS_BROKEN) && f->content &&
	       f->content <= NODE_CONTENT_MAX && f->file <= NODE_FILE_MAX;
}

/* The one of @content, or (0) the one in that file. */
static bool seen_find(struct fs *fs, uint32_t content, uint64_t volume, uint64_t file, struct archive_seen *out)
{
	uint64_t now = clock_mono_ns();

	LOCK_SCOPE(&fs->lock);
	for (unsigned i = 0; i < ARCHIVES_SEEN; i++) {
		const struct archive_seen *s = &fs->seen[i];

		if (s->until_ns <= now || (content ? s->content != content : s->volume != volume || s->file != file))
			continue;
		*out = *s;
		return true;
	}
	return false;
}

static void seen_put(struct fs *fs, const struct archive_seen *s)
{
	unsigned i;

	LOCK_SCOPE(&fs->lock);
	for (i = 0; i < ARCHIVES_SEEN; i++)
		if (fs->seen[i].volume == s->volume && fs->seen[i].file == s->file)
			break;
	if (i == ARCHIVES_SEEN) {
		i = fs->seen_next;
		fs->seen_next = (i + 1) % ARCHIVES_SEEN;
	}
	fs->seen[i] = *s;
}

/* The list of members of a tape file; -ENOENT: it is no archive, or not known to be one. */
static int archive_content(struct fs *fs, uint64_t volume, uint64_t file, uint32_t *out)
{
	struct archive_seen s = { .content = 0 };
	struct contents_file f;
	struct volume_stat st;
	int r;

	if (!fs->contents)
		return -ENOENT;
	/* First the generation, then what is true of it: what changes between the two is noticed by the next. */
	r = fs_errno(library_stat(fs->lib, volume, &st));
	if (r)
		return r;
	if (!seen_find(fs, 0, volume, file, &s) || s.generation != st.generation) {
		r = none_is(contents_file(fs->contents, volume, file, &f), -ENOENT);
		if (!r && !archive_is_shown(&f))
			r = -ENOENT;
		if (r)
			return r;
		s = (struct archive_seen){ volume, file, st.generation, clock_mono_ns() + SEEN_NS, f.content };
		seen_put(fs, &s);
	}
	*out = s.content;
	return 0;
}

static int stale(int r)
{
	return r == -ENOENT ? -ESTALE : r;
}

static int archive_holds(struct fs *fs, uint32_t content)
{
	struct contents_file f = { .content = 0 };
	struct archive_seen s;
	uint32_t there;
	int r = 0;

	if (!fs->contents)
		return -ESTALE;
	if (seen_find(fs, content, 0, 0, &s))
		f = (struct contents_file){ .volume = s.volume, .file = s.file };
	else
		r = none_is(contents_file_of(fs->contents, content, &f), -ESTALE);
	if (!r)
		r = stale(archive_content(fs, f.volume, f.file, &there));
	return r || there == content ? r : -ESTALE;
}

/* The list and the number of a folder. */
static int folder_of(struct fs *fs, const struct node *dir, uint32_t *content, uint32_t *number)
{
	if (dir->kind == NODE_ARCHIVE) {
		*number = 0;
		return stale(archive_content(fs, dir->volume, dir->file, content));
	}
	*content = dir->content;
	*number = dir->member;
	return archive_holds(fs, dir->content);
}

/* ---- members --------------------------------------------------------------------------------------------------- */

static mode_t type_of(const struct contents_member *m)
{
	static const struct { char letter; mode_t type; } types[] = {
		{ 'd', S_IFDIR }, { 'l', S_IFLNK }, { 'c', S_IFCHR },
		{ 'b', S_IFBLK }, { 'p', S_IFIFO }, { 's', S_IFSOCK },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].letter == m->type)
			return types[i].type;
	return S_IFREG;
}

static struct node node_of_member(const struct contents_member *m)
{
	return (struct node){ .kind = m->type == 'd' ? NODE_FOLDER : NODE_MEMBER, .content = m->content,
			      .member = m->number };
}

static void stat_mtime(const struct contents_member *m, struct stat *s)
{
	s->st_mtim = s->st_atim = s->st_ctim = (struct timespec){ m->mtime_s, (long)m->mtime_ns };
}

static void stat_member(const struct contents_member *m, struct stat *s)
{
	uint64_t size = m->size > INT64_MAX ? INT64_MAX : m->size;
	struct node n = node_of_member(m);

	*s = (struct stat){ .st_ino = node_ino(&n), .st_nlink = 1, .st_blksize = TREE_BLKSIZE_NONE };
	s->st_mode = type_of(m) | (m->mode & 07777);
	s->st_uid = m->uid;
	s->st_gid = m->gid;
	if (S_ISLNK(s->st_mode)) {
		s->st_mode |= 0777;
		s->st_size = (off_t)m->link.len;
	}
	if (S_ISCHR(s->st_mode) || S_ISBLK(s->st_mode))
		s->st_rdev = makedev(m->dev_major, m->dev_minor);
	if (S_ISREG(s->st_mode)) {
		s->st_size = (off_t)size;
		s->st_blocks = (blkcnt_t)(size / 512 + (size % 512 ? 1 : 0));
	}
	stat_mtime(m, s);
}

/* What @m is another name of: itself, if it has bytes of its own (cpio, pax), or if the archive has no such file. */
static int describe(struct fs *fs, const struct contents_member *m, struct node *out, struct stat *attr)
{
	CLEANUP(contents_member_fini) struct contents_member to = { 0 };
	const struct contents_member *at = m;
	int r;

	for (unsigned hops = 0; at->type == 'h' && !at->size && at->link.len && hops < HOPS_MAX; hops++) {
		CLEANUP(freep) char *path = strdup((const char *)at->link.data);

		if (!path)
			return err_origin(-ENOMEM);
		r = contents_resolve(fs->contents, m->content, path, &to);
		if (r < 0)
			return fs_errno(r);
		at = r || to.type == 'd' ? m : &to;
		if (at == m)
			break;
	}
	if (at->type == 'h' && !at->size)
		at = m;
	*out = node_of_member(at);
	if (attr)
		stat_member(at, attr);
	return 0;
}

static void shown_name(const struct contents_member *m, char out[TREE_NAME_MAX + 1])
{
	size_t len = strlen(m->name);
	char tail[16];

	if (len <= TREE_NAME_MAX) {
		memcpy(out, m->name, len + 1);
		return;
	}
	len = TREE_NAME_MAX - (size_t)snprintf(tail, sizeof(tail), "~%u", m->number);
	/* Not within a letter of UTF-8. */
	for (int i = 0; i < 3 && ((uint8_t)m->name[len] & 0xc0) == 0x80; i++)
		len--;
	snprintf(out, TREE_NAME_MAX + 1, "%.*s%s", (int)len, m->name, tail);
}

/* By what shown_name() made of its name. */
static int lookup_cut(struct fs *fs, uint32_t content, uint32_t dir, const char *name, struct contents_member *m)
{
	const char *tail = strrchr(name, '~');
	char again[TREE_NAME_MAX + 1];
	unsigned number;
	int r;

	if (!tail || sscanf(tail, "~%u", &number) != 1 || !number)
		return CONTENTS_E_NONE;
	r = contents_member(fs->contents, content, number, m);
	if (r)
		return r;
	shown_name(m, again);
	return m->dir == dir && strlen(m->name) > TREE_NAME_MAX && !strcmp(again, name) ? 0 : CONTENTS_E_NONE;
}

int archive_lookup(struct fs *fs, const struct node *dir, const char *name, struct node *out, struct stat *attr)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	uint32_t content, number;
	int r = folder_of(fs, dir, &content, &number);

	if (r)
		return r;
	r = contents_lookup(fs->contents, content, number, name, &m);
	if (r == CONTENTS_E_NONE)
		r = lookup_cut(fs, content, number, name, &m);
	return r ? none_is(r, -ENOENT) : describe(fs, &m, out, attr);
}

int archive_find(struct fs *fs, uint64_t volume, const char *name, struct node *out)
{
	size_t len = strlen(name);
	char file[TREE_NAME_MAX + 1];
	struct node n;
	uint32_t content;
	int r;

	if (!fs->contents || len < 3 || len > TREE_NAME_MAX || strcmp(name + len - 2, ".d"))
		return -ENOENT;
	snprintf(file, sizeof(file), "%.*s", (int)len - 2, name);
	r = tapefile_lookup(fs, volume, file, &n);
	if (!r)
		r = archive_content(fs, volume, n.file, &content);
	if (!r)
		*out = (struct node){ .kind = NODE_ARCHIVE, .volume = volume, .file = n.file };
	return r;
}

/* ---- stat ------------------------------------------------------------------------------------------------------ */

/* The folder of the tape file: whose that is, and as old as what was packed. */
static int stat_archive(struct fs *fs, const struct node *n, struct stat *s)
{
	CLEANUP(contents_member_fini) struct contents_member root = { 0 };
	struct node file = { .kind = NODE_FILE, .volume = n->volume, .file = n->file };
	uint32_t content;
	int r = stale(archive_content(fs, n->volume, n->file, &content));

	if (!r)
		r = tapefile_attr(fs, &file, s);
	if (r)
		return r;
	s->st_mode = S_IFDIR | (s->st_mode & 0444) | (s->st_mode & 0444) >> 2;
	s->st_size = 0;
	s->st_blocks = 0;
	s->st_blksize = TREE_BLKSIZE_NONE;
	r = contents_member(fs->contents, content, 0, &root);
	if (!r)
		stat_mtime(&root, s);
	return none_is(r, 0);
}

int archive_attr(struct fs *fs, const struct node *n, struct stat *out)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	int r;

	if (n->kind == NODE_ARCHIVE)
		return stat_archive(fs, n, out);
	r = archive_holds(fs, n->content);
	if (!r)
		r = none_is(contents_member(fs->contents, n->content, n->member, &m), -ESTALE);
	if (!r && (m.type == 'd') != (n->kind == NODE_FOLDER))
		r = -ESTALE;
	if (!r)
		stat_member(&m, out);
	return r;
}

int archive_readlink(struct fs *fs, const struct node *n, struct buf *out)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	int r;

	if (n->kind != NODE_MEMBER)
		return -EINVAL;
	r = archive_holds(fs, n->content);
	if (!r)
		r = none_is(contents_member(fs->contents, n->content, n->member, &m), -ESTALE);
	if (r)
		return r;
	if (m.type != 'l')
		return -EINVAL;
	if (m.link.len > READLINK_MAX)
		return -ENAMETOOLONG;
	return m.link.len ? buf_append(out, m.link.data, m.link.len + 1) : buf_put_u8(out, 0);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

struct listing {
	struct fs *fs;
	tree_emit emit;
	void *ctx;
};

static int list_member(void *ctx, const struct contents_member *m)
{
	struct listing *l = ctx;
	char name[TREE_NAME_MAX + 1];
	struct stat attr;
	struct node n;
	int r = describe(l->fs, m, &n, &attr);

	if (r)
		return r;
	shown_name(m, name);
	return l->emit(l->ctx, name, &n, &attr, m->number) ? 0 : LIST_ENOUGH;
}

/* A cookie is the number of the last member given: it leads to the same place however the folder is read. */
int archive_list(struct tree_walk *w, uint64_t cookie, tree_emit emit, void *ctx)
{
	struct listing l = { w->fs, emit, ctx };
	uint32_t content, number;
	int r = folder_of(w->fs, &w->dir, &content, &number);

	if (r || cookie > UINT32_MAX)
		return r;
	r = contents_children(w->fs->contents, content, number, (uint32_t)cookie, list_member, &l);
	return r == LIST_ENOUGH ? 0 : none_is(r, -ESTALE);
}
