/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image_name: images by their names.  NAME.tap is volume NAME; any other name, and NAME.tap until it is whole, is an
 * incoming volume; one that begins with IMAGE_HIDDEN nobody sees.  A rename is what makes a tape of what has arrived
 * under another name, as rsync does.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/image_state.h"
#include "fs/tree.h"

bool image_volume_name(const char *name, char out[BARCODE_MAX + 1])
{
	size_t len = strlen(name), tail = strlen(IMAGE_SUFFIX);

	if (len <= tail || len - tail > BARCODE_MAX || strcmp(name + len - tail, IMAGE_SUFFIX))
		return false;
	memcpy(out, name, len - tail);
	out[len - tail] = '\0';
	return parse_is_name(out);
}

static bool exists(struct fs *fs, const char *name, struct catalog_volume *out)
{
	return !catalog_volume_get(fs->cat, name, out);
}

/* A tape NAME hides what is still arriving as NAME.tap. */
bool image_name(struct fs *fs, const struct catalog_volume *v, char out[TREE_NAME_MAX + 1])
{
	char name[BARCODE_MAX + 1];
	struct catalog_volume there;

	if (v->state != STATE_INCOMING) {
		snprintf(out, TREE_NAME_MAX + 1, "%s" IMAGE_SUFFIX, v->name);
		return true;
	}
	snprintf(out, TREE_NAME_MAX + 1, "%s", v->name);
	return v->name[0] != IMAGE_HIDDEN &&
	       !(image_volume_name(v->name, name) && exists(fs, name, &there) && there.state != STATE_INCOMING);
}

int image_lookup(struct fs *fs, uint32_t pool, const char *name, struct node *out)
{
	char volume[BARCODE_MAX + 1];
	struct catalog_volume v;

	if (image_volume_name(name, volume) && exists(fs, volume, &v) && v.state != STATE_INCOMING) {
		if (v.pool != pool)
			return -ENOENT;
	} else if (name[0] == IMAGE_HIDDEN || strlen(name) > BARCODE_MAX || !exists(fs, name, &v) || v.pool != pool ||
		   v.state != STATE_INCOMING) {
		return -ENOENT;
	}
	*out = (struct node){ .kind = NODE_IMAGE, .volume = v.id };
	return 0;
}

int image_create(struct fs *fs, uint32_t pool, const char *name, const struct tree_who *who, struct node *out)
{
	struct catalog_perm perm = { who->mode & 07777, who->uid, who->gid, 0, 0 };
	char volume[BARCODE_MAX + 1];
	struct catalog_volume v;
	struct catalog_pool p;
	int r;

	if (strlen(name) > BARCODE_MAX)
		return -ENAMETOOLONG;
	if (name[0] == IMAGE_HIDDEN)
		return -EINVAL;
	/* Names of tapes are unique in the store: that one is in another pool. */
	if (image_volume_name(name, volume) && exists(fs, volume, &v))
		return -EEXIST;
	r = tree_pool(fs, pool, &p);
	if (!r)
		r = fs_errno(library_volume_create(fs->lib, p.name, name, &perm, true, &v));
	if (!r)
		*out = (struct node){ .kind = NODE_IMAGE, .volume = v.id };
	return r;
}

struct leftovers { uint64_t id[64]; size_t count; };

static int note_hidden(void *ctx, const struct catalog_volume *v)
{
	struct leftovers *l = ctx;

	if (v->state == STATE_INCOMING && v->name[0] == IMAGE_HIDDEN)
		l->id[l->count++] = v->id;
	return l->count == ARRAY_LEN(l->id);
}

static int note_hidden_of_pool(void *ctx, const struct catalog_pool *p)
{
	void **both = ctx;

	return catalog_volume_each(both[0], p->id, "", note_hidden, both[1]);
}

/* Hidden copies that a crash left behind. More than 64 at once: the rest the next time. */
void image_sweep(struct fs *fs)
{
	struct leftovers l = { .count = 0 };
	void *both[] = { fs->cat, &l };

	catalog_pool_each(fs->cat, note_hidden_of_pool, both);
	while (l.count > 0)
		if (library_volume_delete(fs->lib, l.id[--l.count]))
			log_warn("an unfinished copy of an image stays behind: %s", err_text(-EBUSY));
}

/* ---- rename ---------------------------------------------------------------------------------------------------- */

static int replace(struct fs *fs, uint64_t to, uint64_t from)
{
	file_await(fs, &(struct node){ .kind = NODE_IMAGE, .volume = to }, true);
	image_recall(fs, to);
	image_recall(fs, from);
	return fs_errno(library_volume_replace(fs->lib, to, from));
}

static int rename_to_volume(struct fs *fs, const struct catalog_volume *v, const struct catalog_pool *p,
			    const char *volume, const char *to_name, bool noreplace)
{
	struct catalog_volume there;
	int r = 0;

	if (exists(fs, volume, &there) && there.state != STATE_INCOMING) {
		/* A volume's name is its own in the whole store: in another pool it is a move. */
		if (there.id == v->id)
			return v->pool == p->id ? 0 : fs_errno(library_volume_move(fs->lib, v->id, p->name, volume));
		return noreplace || there.pool != p->id ? -EEXIST : replace(fs, there.id, v->id);
	}
	/* What had begun to arrive under that name is renamed over. */
	if (exists(fs, to_name, &there) && there.state == STATE_INCOMING && there.pool == p->id && there.id != v->id) {
		if (noreplace)
			return -EEXIST;
		image_recall(fs, there.id);
		r = fs_errno(library_volume_delete(fs->lib, there.id));
	}
	return r ? r : fs_errno(library_volume_move(fs->lib, v->id, p->name, volume));
}

static int check_whole(struct fs *fs, const struct catalog_volume *v)
{
	CLEANUP(buf_fini) struct buf tail = BUF_INIT;
	int r;

	if (v->state != STATE_INCOMING)
		return 0;
	r = fs_errno_catalog(catalog_tail_get(fs->cat, v->id, &tail));
	if (!r && tail.len)
		r = err_explain(-EINVAL, "image %s ends within a record", v->name);
	return r;
}

int image_rename(struct fs *fs, const struct node *n, const struct node *to_dir, const char *to_name, bool noreplace)
{
	char volume[BARCODE_MAX + 1];
	struct catalog_volume v;
	struct catalog_pool p;
	int r;

	if (to_dir->kind != NODE_POOL)
		return -EPERM;
	file_await(fs, n, true);
	r = tree_volume(fs, n->volume, &v);
	if (!r)
		r = tree_pool(fs, to_dir->pool, &p);
	if (r)
		return r;
	if (image_volume_name(to_name, volume)) {
		r = check_whole(fs, &v);
		return r ? r : rename_to_volume(fs, &v, &p, volume, to_name, noreplace);
	}
	/* Only what is no tape yet may have another name; and not one that would make a tape of it. */
	if (v.state != STATE_INCOMING || parse_is_name(to_name) || to_name[0] == IMAGE_HIDDEN)
		return -EINVAL;
	if (strlen(to_name) > BARCODE_MAX)
		return -ENAMETOOLONG;
	return fs_errno(library_volume_move(fs->lib, v.id, p.name, to_name));
}
