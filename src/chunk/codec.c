/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: zstd, lz4 or nothing, chunk by chunk.  A compressed chunk is one zstd frame or one lz4 block; its raw length
 * and its codec stand in the pack's entry.  What does not shrink by at least a 32nd is stored as it is, so that it
 * costs nothing to read.
 */
#include <errno.h>
#include <lz4.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "chunk/codec.h"

#define ZSTD_LEVEL_DEFAULT 1

struct codec_state {
	struct codec_state *next;
	ZSTD_CCtx *zstd_in;
	ZSTD_DCtx *zstd_out;
	void *lz4;
};

struct codecs {
	pthread_mutex_t lock;		/* guards the idle states */
	struct codec_state *idle;
};

static const char *const codec_names[] = { [CHUNK_PLAIN] = "none", [CHUNK_LZ4] = "lz4", [CHUNK_ZSTD] = "zstd" };

int chunk_codec_parse(const char *name, enum chunk_codec *out)
{
	for (size_t i = 0; i < ARRAY_LEN(codec_names); i++)
		if (!strcmp(name, codec_names[i])) {
			*out = (enum chunk_codec)i;
			return 0;
		}
	return err_explain(-EINVAL, "'%s' is no compression; there are none, lz4 and zstd", name);
}

const char *chunk_codec_name(enum chunk_codec c)
{
	return (size_t)c < ARRAY_LEN(codec_names) ? codec_names[c] : "unknown";
}

int codecs_new(struct codecs **out)
{
	struct codecs *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&cs->lock, NULL);
	*out = cs;
	return 0;
}

static void state_free(struct codec_state *s)
{
	ZSTD_freeCCtx(s->zstd_in);
	ZSTD_freeDCtx(s->zstd_out);
	free(s->lz4);
	free(s);
}

struct codecs *codecs_free(struct codecs *cs)
{
	if (!cs)
		return NULL;
	while (cs->idle) {
		struct codec_state *s = cs->idle;

		cs->idle = s->next;
		state_free(s);
	}
	pthread_mutex_destroy(&cs->lock);
	free(cs);
	return NULL;
}

static struct codec_state *state_take(struct codecs *cs)
{
	struct codec_state *s;

	pthread_mutex_lock(&cs->lock);
	s = cs->idle;
	if (s)
		cs->idle = s->next;
	pthread_mutex_unlock(&cs->lock);
	return s ? s : calloc(1, sizeof(*s));
}

static void state_give(struct codecs *cs, struct codec_state *s)
{
	LOCK_SCOPE(&cs->lock);
	s->next = cs->idle;
	cs->idle = s;
}

/* *got: bytes written, 0 if they would be more than @cap. */
static int zstd_compress(struct codec_state *s, int level, const void *src, size_t n, void *dst, size_t cap,
			 size_t *got)
{
	size_t r;

	if (!s->zstd_in)
		s->zstd_in = ZSTD_createCCtx();
	if (!s->zstd_in)
		return err_origin(-ENOMEM);
	r = ZSTD_compressCCtx(s->zstd_in, dst, cap, src, n, level ? level : ZSTD_LEVEL_DEFAULT);
	*got = ZSTD_isError(r) ? 0 : r;
	if (ZSTD_isError(r) && ZSTD_getErrorCode(r) != ZSTD_error_dstSize_tooSmall)
		return err_explain(-EIO, "zstd: %s", ZSTD_getErrorName(r));
	return 0;
}

static int lz4_compress(struct codec_state *s, const void *src, size_t n, void *dst, size_t cap, size_t *got)
{
	if (!s->lz4)
		s->lz4 = malloc((size_t)LZ4_sizeofState());
	if (!s->lz4)
		return err_origin(-ENOMEM);
	*got = (size_t)LZ4_compress_fast_extState(s->lz4, src, dst, (int)n, (int)cap, 1);
	return 0;
}

int codec_compress(struct codecs *cs, enum chunk_codec codec, int level, const void *src, size_t n, void *dst,
		   enum chunk_codec *used, size_t *stored)
{
	size_t cap = n - n / 32, got = 0;
	struct codec_state *s;
	int r = 0;

	if (codec != CHUNK_PLAIN && n >= 64) {
		s = state_take(cs);
		if (!s)
			return err_origin(-ENOMEM);
		if (codec == CHUNK_ZSTD)
			r = zstd_compress(s, level, src, n, dst, cap, &got);
		else
			r = lz4_compress(s, src, n, dst, cap, &got);
		state_give(cs, s);
	}
	if (r)
		return r;
	*used = got ? codec : CHUNK_PLAIN;
	*stored = got ? got : n;
	return 0;
}

static bool zstd_expand(struct codec_state *s, const void *src, size_t n, void *dst, size_t raw_len)
{
	if (!s->zstd_out)
		s->zstd_out = ZSTD_createDCtx();
	return s->zstd_out && ZSTD_decompressDCtx(s->zstd_out, dst, raw_len, src, n) == raw_len;
}

int codec_expand(struct codecs *cs, unsigned codec, const void *src, size_t n, void *dst, size_t raw_len)
{
	struct codec_state *s;
	bool good = false;

	switch (codec) {
	case CHUNK_PLAIN:
		good = n == raw_len;
		if (good)
			memcpy(dst, src, n);
		break;
	case CHUNK_LZ4:
		good = LZ4_decompress_safe(src, dst, (int)n, (int)raw_len) == (int)raw_len;
		break;
	case CHUNK_ZSTD:
		s = state_take(cs);
		if (!s)
			return err_origin(-ENOMEM);
		good = zstd_expand(s, src, n, dst, raw_len);
		state_give(cs, s);
		break;
	}
	return good ? 0 : err_explain(-EBADMSG, "stored bytes do not expand to a chunk of %zu bytes", raw_len);
}
