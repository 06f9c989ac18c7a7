/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_export: a volume as one flat file, into a file or a pipe.  Object by object through the framer; what it gives
 * for .tap is what image_tap shows, byte for byte.
 */
#include <errno.h>

#include <vtape/image.h>

#define EXPORT_PIECE (1u << 20)

struct export {
	struct volume *vol;
	struct volume_reader *reader;
	struct image_framer *framer;
	int fd;
	const struct image_progress *pr;
	struct buf record, out;
	struct tape_tally at;		/* before the next object */
	uint64_t written;
};

static int export_flush(struct export *ex)
{
	int r;

	r = io_write_full(ex->fd, ex->out.data, ex->out.len);
	if (r)
		return r;
	ex->written += ex->out.len;
	ex->out.len = 0;
	return ex->pr ? ex->pr->step(ex->pr->ctx, ex->written, ex->at.objects) : 0;
}

static int export_record(struct export *ex, uint32_t len)
{
	int r;

	ex->record.len = 0;
	r = buf_reserve(&ex->record, len);
	if (!r)
		r = err_fold(volume_reader_read(ex->reader, ex->at.bytes, ex->record.data, len));
	return r ? r : image_frame_record(ex->framer, ex->record.data, len, &ex->out);
}

static int export_object(struct export *ex, const struct tape_object *o)
{
	int r;

	r = o->mark ? image_frame_mark(ex->framer, &ex->out) : export_record(ex, o->len);
	if (r)
		return r;
	ex->at.objects++;
	ex->at.bytes += o->len;
	return ex->out.len >= EXPORT_PIECE ? export_flush(ex) : 0;
}

static int export_all(struct export *ex)
{
	struct tape_tally end;
	struct tape_object o;
	int r;

	r = err_fold(volume_end(ex->vol, 0, &end));
	while (!r && ex->at.objects < end.objects) {
		r = err_fold(volume_object(ex->vol, 0, ex->at.objects, &o));
		for (; !r && o.run && ex->at.objects < end.objects; o.run--)
			r = export_object(ex, &o);
	}
	if (!r)
		r = image_frame_end(ex->framer, &ex->out);
	return r ? r : export_flush(ex);
}

int image_export(struct volume *v, enum image_format f, int fd, const struct image_progress *pr)
{
	struct export ex = { .vol = v, .fd = fd, .pr = pr };
	int r;

	r = volume_reader_new(v, 0, &ex.reader);
	if (!r)
		r = image_framer_new(f, &ex.framer);
	if (!r)
		r = export_all(&ex);
	volume_reader_free(ex.reader);
	image_framer_free(ex.framer);
	buf_fini(&ex.record);
	buf_fini(&ex.out);
	return r;
}
