/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_import: a foreign image, from a file or a pipe, becomes the objects of a volume.  The parser judges the bytes;
 * here they are fetched, appended, and made durable at the end.
 */
#include <errno.h>

#include <vtape/image.h>

#define IMPORT_PIECE (1u << 20)

struct import {
	struct volume *vol;
	uint64_t objects;
};

/* What a tape says to an append, as a person wants it: the image does not fit, or may not go there. */
static int import_appended(struct import *im, int r)
{
	const char *barcode = volume_attr(im->vol)->barcode;

	switch (r) {
	case 0:
	case TAPE_E_EARLY_WARNING:
		im->objects++;
		return 0;
	case TAPE_E_FULL:
		return err_explain(-ENOSPC, "volume %s is full after %llu objects: the image is longer", barcode,
				   (unsigned long long)im->objects);
	case TAPE_E_PROTECTED:
		return err_explain(-EROFS, "volume %s is write protected", barcode);
	default:
		return err_fold(r);
	}
}

static int import_record(void *ctx, const void *p, size_t n)
{
	struct import *im = ctx;

	return import_appended(im, volume_append_record(im->vol, 0, p, n));
}

static int import_mark(void *ctx)
{
	struct import *im = ctx;

	return import_appended(im, volume_append_filemark(im->vol, 0));
}

static int import_end(void *ctx)
{
	return 0;
}

static const struct image_events import_events = { import_record, import_mark, import_end };

static int import_pump(int fd, struct image_parser *p, struct import *im, const struct image_progress *pr)
{
	CLEANUP(freep) uint8_t *piece = malloc(IMPORT_PIECE);
	uint64_t done = 0;
	size_t got;
	int r;

	if (!piece)
		return err_origin(-ENOMEM);
	do {
		r = io_read_full(fd, piece, IMPORT_PIECE, &got);
		if (!r)
			r = image_parser_feed(p, piece, got);
		done += got;
		if (!r && pr)
			r = pr->step(pr->ctx, done, im->objects);
		if (r)
			return r;
	} while (got == IMPORT_PIECE);
	return image_parser_finish(p);
}

int image_import(int fd, enum image_format f, struct volume *v, const struct image_progress *pr)
{
	struct import im = { v, 0 };
	struct image_parser *p;
	int r;

	r = image_parser_new(f, &import_events, &im, &p);
	if (r)
		return r;
	r = import_pump(fd, p, &im, pr);
	image_parser_free(p);
	return r ? r : err_fold(volume_commit(v));
}
