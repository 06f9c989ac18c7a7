/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image: images/POOL/VOLUME.tap, names, sizes, open files.  How an image is written is in fs_image_write.c.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/image_state.h"
#include "fs/tree.h"

/* ---- names ----------------------------------------------------------------------------------------------------- */

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

static bool has_eom(const struct catalog_volume *v, const struct volume_stat *st)
{
	return v->image_eom && v->image_eom_generation == st->generation;
}

/* An image is that of partition 0; the head of a volume counts all partitions. */
static int first_partition_end(struct fs *fs, const struct catalog_volume *v, struct tape_tally *end)
{
	struct volume *vol;
	int r = fs_errno(library_look(fs->lib, v->id, &vol));

	if (r)
		return r;
	r = fs_errno(volume_end(vol, 0, end));
	library_look_end(fs->lib, v->id);
	return r;
}

static bool session_size(struct fs *fs, uint64_t volume, uint64_t *out)
{
	struct image *img;
	bool found = false;

	pthread_mutex_lock(&fs->lock);
	for (img = fs->images; img && img->volume != volume; img = img->next)
		;
	if (img)
		img->refs++;
	pthread_mutex_unlock(&fs->lock);
	if (!img)
		return false;
	pthread_mutex_lock(&img->lock);
	if (img->session) {
		*out = image_session_size(img);
		found = true;
	}
	pthread_mutex_unlock(&img->lock);
	image_put(img);
	return found;
}

int image_size(struct fs *fs, const struct catalog_volume *v, const struct volume_stat *st, uint64_t *out)
{
	CLEANUP(buf_fini) struct buf tail = BUF_INIT;
	struct tape_tally end = st->end;
	int r = 0;

	if (session_size(fs, v->id, out))
		return 0;
	if (st->partitions > 1)
		r = first_partition_end(fs, v, &end);
	if (!r && v->state == STATE_INCOMING)
		r = fs_errno_catalog(catalog_tail_get(fs->cat, v->id, &tail));
	if (!r)
		*out = image_tap_size(&end, has_eom(v, st)) + tail.len;
	return r;
}

/* ---- images that somebody has open ----------------------------------------------------------------------------- */

struct image *image_get(struct fs *fs, uint64_t volume)
{
	struct image *img;

	LOCK_SCOPE(&fs->lock);
	for (img = fs->images; img; img = img->next)
		if (img->volume == volume)
			break;
	if (!img) {
		img = calloc(1, sizeof(*img));
		if (!img)
			return NULL;
		img->fs = fs;
		img->volume = volume;
		pthread_mutex_init(&img->lock, NULL);
		img->next = fs->images;
		fs->images = img;
	}
	img->refs++;
	return img;
}

void image_put(struct image *img)
{
	struct fs *fs = img->fs;
	struct image **p;

	pthread_mutex_lock(&fs->lock);
	if (--img->refs) {
		pthread_mutex_unlock(&fs->lock);
		return;
	}
	for (p = &fs->images; *p != img; p = &(*p)->next)
		;
	*p = img->next;
	pthread_mutex_unlock(&fs->lock);
	image_unclaim(img);
	pthread_mutex_destroy(&img->lock);
	free(img);
}

void image_recall(struct fs *fs, uint64_t volume)
{
	struct image *img = image_get(fs, volume);

	if (!img)
		return;
	pthread_mutex_lock(&img->lock);
	if (!img->session)
		image_unclaim(img);
	pthread_mutex_unlock(&img->lock);
	image_put(img);
}

void image_unclaim(struct image *img)
{
	img->tap = image_tap_free(img->tap);
	buf_fini(&img->tail);
	if (img->vol)
		library_release(img->fs->lib, img->volume, CLAIM_READ);
	img->vol = NULL;
}

static int image_begin_reading(struct image *img)
{
	struct catalog_volume v;
	struct volume_stat st;
	struct tape_tally end;
	bool eom;
	int r;

	r = tree_volume(img->fs, img->volume, &v);
	if (r)
		return r;
	volume_stat(img->vol, &st);
	eom = has_eom(&v, &st);
	r = volume_end(img->vol, 0, &end);
	if (!r)
		r = image_tap_new(img->vol, eom, &img->tap);
	if (!r && v.state == STATE_INCOMING)
		r = catalog_tail_get(img->fs->cat, img->volume, &img->tail);
	img->tap_size = image_tap_size(&end, eom);
	return fs_errno(r);
}

int image_claim(struct image *img)
{
	int r;

	if (img->vol)
		return 0;
	r = library_claim(img->fs->lib, img->volume, CLAIM_READ, &img->vol);
	if (r) {
		img->vol = NULL;
		return r == -ENOENT ? -ESTALE : fs_errno(r);
	}
	r = image_begin_reading(img);
	if (r)
		image_unclaim(img);
	return r;
}

uint64_t image_source_size(const struct image *img)
{
	return img->tap_size + img->tail.len;
}

int image_source_read(struct image *img, uint64_t off, void *buf, size_t n, size_t *got)
{
	size_t k;

	*got = 0;
	if (off < img->tap_size)
		return fs_errno(image_tap_read(img->tap, off, buf, n, got));
	off -= img->tap_size;
	if (off < img->tail.len) {
		k = img->tail.len - off < n ? img->tail.len - (size_t)off : n;
		memcpy(buf, img->tail.data + off, k);
		*got = k;
	}
	return 0;
}

/* ---- open files ------------------------------------------------------------------------------------------------ */

struct image_file {
	struct file file;
	struct image *img;
	bool truncated;			/* O_TRUNC, and nothing written yet */
	bool created;			/* made by this open, and nothing written yet */
};

static struct image_file *image_file_of(struct file *f)
{
	return (struct image_file *)f;
}

static int image_file_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	struct image *img = image_file_of(f)->img;
	size_t k = 0;
	int r;

	*got = 0;
	LOCK_SCOPE(&img->lock);
	r = img->session ? 0 : image_claim(img);
	/* A read may meet the seam between two sources; it is short only at the end. */
	while (!r && *got < n) {
		uint8_t *to = (uint8_t *)buf + *got;

		r = img->session ? image_session_read(img, off + *got, to, n - *got, &k)
				 : image_source_read(img, off + *got, to, n - *got, &k);
		if (!k)
			break;
		*got += k;
	}
	return *got ? 0 : r;
}

static int image_file_write(struct file *f, const void *buf, size_t n, uint64_t off, size_t *done)
{
	struct image_file *i = image_file_of(f);
	int r;

	LOCK_SCOPE(&i->img->lock);
	if (i->img->session && i->img->writer != &i->file)
		return -EBUSY;
	i->img->writer = &i->file;
	i->created = false;
	r = image_session_write(i->img, off, buf, n, i->truncated);
	if (r)
		return file_refused(f, f->node.volume, r);
	i->truncated = false;
	*done = n;
	return 0;
}

static int image_file_truncate(struct file *f, uint64_t size)
{
	struct image_file *i = image_file_of(f);

	LOCK_SCOPE(&i->img->lock);
	if (i->img->session && i->img->writer != &i->file)
		return -EBUSY;
	i->img->writer = &i->file;
	return image_session_truncate(i->img, size, i->truncated);
}

static int image_file_flush(struct file *f)
{
	struct image *img = image_file_of(f)->img;

	LOCK_SCOPE(&img->lock);
	return img->writer == f ? image_session_end(img, atomic_load(&f->mtime_set)) : 0;
}

static int image_file_sync(struct file *f)
{
	struct image *img = image_file_of(f)->img;

	LOCK_SCOPE(&img->lock);
	return image_session_sync(img);
}

static void image_file_release(struct file *f)
{
	struct image *img = image_file_of(f)->img;
	int r = image_file_flush(f);

	/* What was made and never written to is an empty tape. */
	pthread_mutex_lock(&img->lock);
	if (img->writer == f)
		img->writer = NULL;
	if (image_file_of(f)->created && !img->session && !r)
		r = image_arrive(img);
	if (r)
		log_info("an image is not whole: %s", err_text(r));
	pthread_mutex_unlock(&img->lock);
	image_put(img);
}

static const struct file_ops image_file_ops = {
	.read = image_file_read, .write = image_file_write, .flush = image_file_flush, .sync = image_file_sync,
	.truncate = image_file_truncate, .release = image_file_release,
};

int image_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	struct image_file *i;
	struct catalog_volume v;
	int r = tree_volume(fs, n->volume, &v);

	if (!r && (flags & FILE_WRITE) && v.protect)
		r = -EROFS;
	if (r)
		return r;
	i = calloc(1, sizeof(*i));
	if (!i)
		return err_origin(-ENOMEM);
	i->file = (struct file){ .ops = &image_file_ops, .fs = fs, .node = *n, .write = flags & FILE_WRITE };
	i->truncated = flags & FILE_TRUNC;
	i->created = flags & FILE_CREATED;
	i->img = image_get(fs, n->volume);
	if (!i->img) {
		free(i);
		return err_origin(-ENOMEM);
	}
	pthread_mutex_lock(&i->img->lock);
	r = i->img->session ? 0 : image_claim(i->img);
	pthread_mutex_unlock(&i->img->lock);
	if (r) {
		image_put(i->img);
		free(i);
		return r;
	}
	*out = &i->file;
	return 0;
}

int image_truncate(struct fs *fs, const struct node *n, uint64_t size)
{
	struct image *img = image_get(fs, n->volume);
	int r, ended;

	if (!img)
		return err_origin(-ENOMEM);
	pthread_mutex_lock(&img->lock);
	r = img->session ? -EBUSY : image_session_truncate(img, size, false);
	ended = r ? 0 : image_session_end(img, false);
	pthread_mutex_unlock(&img->lock);
	image_put(img);
	return r ? r : ended;
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
