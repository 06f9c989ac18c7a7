/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: raw bytes of a chunk <-> the bytes stored for it.  Compression states are costly to make and are kept between
 * calls, as many as threads ever used them at once.  Safe from any thread.
 */
#ifndef CHUNK_CODEC_H
#define CHUNK_CODEC_H

#include <vtape/chunk.h>

struct codecs;
int codecs_new(struct codecs **out);
struct codecs *codecs_free(struct codecs *cs);

/*
 * codec_compress() - compress a chunk if that is worth it
 * @dst:     room for @n bytes
 * @used:    @codec, or CHUNK_PLAIN if it did not shrink: then store @src itself, @dst holds nothing
 * @stored:  bytes to store
 * Return: 0; -ENOMEM, -EIO.
 */
int codec_compress(struct codecs *cs, enum chunk_codec codec, int level, const void *src, size_t n, void *dst,
		   enum chunk_codec *used, size_t *stored);

/* The @raw_len bytes of a chunk; @codec and all of @src are foreign.  -EBADMSG if they are not what they should be. */
int codec_expand(struct codecs *cs, unsigned codec, const void *src, size_t n, void *dst, size_t raw_len);

#endif
