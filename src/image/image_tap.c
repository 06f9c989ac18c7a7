/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_tap: a volume's .tap, any byte of it, without writing it anywhere.  Where an object lies in the image follows
 * from its tally alone, so a place is found by a search for the tally; going on from there needs none.  The bytes of
 * records come from the store straight into the caller's buffer.
 */
#include <errno.h>

#include <vtape/image.h>

#include "image/layout.h"

struct image_tap {
	struct volume *vol;
	bool eom;
	struct volume_reader *reader;
	/* Where we stand: an object, what lies before it, and where it is in the image. */
	bool stands;
	uint64_t stretch;		/* names the tape that this was true of */
	struct tape_tally at;
	struct tape_object object;
	uint64_t start, bytes;
};

static uint64_t tap_offset(const struct tape_tally *t)
{
	return t->bytes + t->odd + 2ull * TAP_WORD * tape_tally_records(t) + (uint64_t)TAP_WORD * t->marks;
}

uint64_t image_tap_size(const struct tape_tally *end, bool eom)
{
	return tap_offset(end) + (eom ? TAP_WORD : 0);
}

int image_tap_new(struct volume *v, bool eom, struct image_tap **out)
{
	struct image_tap *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_origin(-ENOMEM);
	t->vol = v;
	t->eom = eom;
	r = volume_reader_new(v, 0, &t->reader);
	if (r) {
		image_tap_free(t);
		return r;
	}
	*out = t;
	return 0;
}

struct image_tap *image_tap_free(struct image_tap *t)
{
	if (!t)
		return NULL;
	volume_reader_free(t->reader);
	free(t);
	return NULL;
}

/* ---- where an offset is ---------------------------------------------------------------------------------------- */

static int tap_stand(struct image_tap *t)
{
	t->start = tap_offset(&t->at);
	t->bytes = t->object.mark ? TAP_WORD : tap_record_bytes(t->object.len);
	t->stands = true;
	return 0;
}

static bool starts_at_or_before(const struct tape_tally *t, void *ctx)
{
	return tap_offset(t) <= *(uint64_t *)ctx;
}

static int tap_search(struct image_tap *t, uint64_t offset)
{
	int r;

	t->stands = false;
	r = volume_find(t->vol, 0, starts_at_or_before, &offset, &t->at);
	if (!r)
		r = volume_object(t->vol, 0, t->at.objects, &t->object);
	if (!r)
		r = volume_stretch(t->vol, 0, t->at.objects, &t->stretch);
	return r ? err_fold(r) : tap_stand(t);
}

static int tap_next(struct image_tap *t)
{
	int r;

	t->stands = false;
	t->at.objects++;
	t->at.marks += t->object.mark;
	t->at.bytes += t->object.len;
	t->at.odd += t->object.len & 1;
	if (t->object.run > 1) {
		t->object.run--;
		return tap_stand(t);
	}
	r = volume_object(t->vol, 0, t->at.objects, &t->object);
	return r ? err_fold(r) : tap_stand(t);
}

/* The object that holds byte @offset, which is before the end of data. */
static int tap_seek(struct image_tap *t, uint64_t offset)
{
	if (t->stands && offset >= t->start) {
		if (offset < t->start + t->bytes)
			return 0;
		if (offset == t->start + t->bytes)
			return tap_next(t);
	}
	return tap_search(t, offset);
}

/* Was the tape written over where we stand since the last call? */
static int tap_check(struct image_tap *t, const struct tape_tally *end)
{
	uint64_t stretch;
	int r;

	if (!t->stands)
		return 0;
	t->stands = false;
	if (t->at.objects >= end->objects)
		return 0;
	r = volume_stretch(t->vol, 0, t->at.objects, &stretch);
	if (r)
		return err_fold(r);
	t->stands = stretch == t->stretch;
	return 0;
}

/* ---- its bytes ------------------------------------------------------------------------------------------------- */

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* From byte @in of the object where we stand, up to @n bytes of one of its parts: length, data, padding and length. */
static int tap_part(struct image_tap *t, uint64_t in, uint8_t *buf, size_t n, size_t *got)
{
	uint32_t len = t->object.len;
	uint8_t word[2 * TAP_WORD] = { 0 };	/* of a mark and of padding: 0 */
	size_t skip;

	if (in >= TAP_WORD && in < TAP_WORD + len) {
		*got = smaller(TAP_WORD + len - in, n);
		return volume_reader_read(t->reader, t->at.bytes + in - TAP_WORD, buf, *got);
	}
	if (in < TAP_WORD) {
		skip = (size_t)in;
		put_le32(word, len);
		*got = smaller(TAP_WORD - skip, n);
	} else {
		skip = (size_t)(in - TAP_WORD - len);
		put_le32(word + (len & 1), len);
		*got = smaller(t->bytes - in, n);
	}
	memcpy(buf, word + skip, *got);
	return 0;
}

int image_tap_read(struct image_tap *t, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct tape_tally end;
	uint64_t data, size;
	uint8_t *b = buf;
	size_t done = 0, part;
	int r;

	r = volume_end(t->vol, 0, &end);
	if (!r)
		r = tap_check(t, &end);
	if (r)
		return err_fold(r);
	data = tap_offset(&end);
	size = image_tap_size(&end, t->eom);
	n = offset < size ? smaller(size - offset, n) : 0;
	while (done < n && offset + done < data) {
		r = tap_seek(t, offset + done);
		if (!r)
			r = tap_part(t, offset + done - t->start, b + done, n - done, &part);
		if (r)
			return err_fold(r);
		done += part;
	}
	if (done < n) {
		memset(b + done, 0xff, n - done);	/* the end of medium word */
		done = n;
	}
	*got = done;
	return 0;
}
