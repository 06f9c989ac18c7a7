/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image: images/POOL/VOLUME.tap: how large they are, and open files of them.  What they are called is
 * fs_image_name.c's, how one is written fs_image_write.c's.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/image_state.h"
#include "fs/tree.h"

/* ---- images that somebody has open ----------------------------------------------------------------------------- */

static bool has_eom(const struct catalog_volume *v, const struct volume_stat *st)
{
	return v->image_eom && v->image_eom_generation == st->generation;
}

/* One more reference; NULL: no memory. */
static struct image *image_get(struct fs *fs, uint64_t volume)
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

static void image_put(struct image *img)
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

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

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
