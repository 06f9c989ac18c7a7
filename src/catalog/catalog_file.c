/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that were given to tape files, and unfinished ends of images.  The catalog keeps what it is told; whether a
 * name still means the tape file that it was given to only its reader can say, who knows the tape.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

/* ---- names ---- */

int catalog_file_get(struct catalog *c, uint64_t volume, uint64_t file, struct catalog_file *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_file(volume, file);
	int r;

	r = row_get(c, &key, &row);
	return r ? r : file_decode(row.data, row.len, out);
}

int catalog_file_put(struct catalog *c, uint64_t volume, const struct catalog_file *f)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_file(volume, f->file), name = key_file_name(volume, f->name, f->file);
	struct catalog_file was;
	int r;

	if (!file_name_is_good(f->name))
		return err_explain(-EINVAL, "\"%s\" is no name for a tape file", f->name);
	r = kv_batch_new(&b);
	if (!r)
		r = file_encode(f, &row);
	if (r)
		return r;

	LOCK_SCOPE(&c->lock);
	r = catalog_file_get(c, volume, f->file, &was);
	if (r < 0)
		return r;
	if (r == 0) {
		struct row_key old = key_file_name(volume, was.name, was.file);

		r = row_delete(b, &old);
	} else {
		r = 0;
	}
	if (!r)
		r = row_put(b, &key, &row);
	if (!r)
		r = kv_batch_put(b, KV_CATALOG, name.b, name.len, NULL, 0);
	return r ? r : kv_write(c->kv, b, true);
}

int catalog_file_find_before(struct catalog *c, uint64_t volume, const char *name, uint64_t before,
			     struct catalog_file *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct row_key prefix = key_file_names(volume, name), last;
	const uint8_t *key;
	size_t len;
	int r;

	if (before == 0 || !file_name_is_good(name) || strlen(name) >= sizeof(out->name))
		return CATALOG_E_NONE;
	last = key_file_name(volume, name, before - 1);
	r = kv_iter_new(c->kv, KV_CATALOG, &it);
	if (r)
		return r;
	kv_iter_seek_back(it, last.b, last.len);
	if (!kv_iter_in(it, prefix.b, prefix.len)) {
		r = kv_iter_error(it);
		return r ? r : CATALOG_E_NONE;
	}
	key = kv_iter_key(it, &len);
	if (len != prefix.len + 8)
		return err_explain(-EUCLEAN, "catalog: a name row of a tape file is damaged");
	return catalog_file_get(c, volume, get_be64(key + prefix.len), out);
}

/* ---- tails ---- */

int catalog_tail_put(struct catalog *c, uint64_t volume, const void *p, size_t n)
{
	struct row_key key = key_tail(volume);
	int r;

	/* Every close of an image comes here; most have no tail, and nothing to remove costs no sync. */
	if (n == 0) {
		r = kv_any(c->kv, KV_CATALOG, key.b, key.len);
		if (r)
			return r == KV_E_NONE ? 0 : r;
	}
	return row_write(c, &key, n ? p : NULL, n);
}

int catalog_tail_get(struct catalog *c, uint64_t volume, struct buf *out)
{
	struct row_key key = key_tail(volume);
	int r;

	out->len = 0;
	r = row_get(c, &key, out);
	return r == CATALOG_E_NONE ? 0 : r;
}
