/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest: who a chunk is.  XXH3-128 as the checksum and the key of the index, AES-256-GMAC under the store's secret as
 * the proof that nobody made two chunks look the same (design.md, "Identity").
 *
 * GMAC is GCM without a plaintext: the chunk goes in as additional data, the tag comes out.  Setting up a key costs as
 * much as some KiB of data, so contexts are kept with the key in them and only their nonce is set anew.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <xxhash.h>

#include <vtape/util.h>

#define MAC_NONCE_LEN 12
#define MAC_LEN 16
#define KEPT_MAX 64	/* contexts kept, each about 1 KiB; more are made and dropped if more threads come at once */

struct digester {
	uint8_t key[32];
	pthread_mutex_t lock;		/* guards the idle contexts */
	unsigned idle;
	EVP_CIPHER_CTX *kept[KEPT_MAX];
};

int digester_new(const uint8_t key[32], struct digester **out)
{
	struct digester *d = calloc(1, sizeof(*d));

	if (!d)
		return err_origin(-ENOMEM);
	memcpy(d->key, key, sizeof(d->key));
	pthread_mutex_init(&d->lock, NULL);
	*out = d;
	return 0;
}

struct digester *digester_free(struct digester *d)
{
	if (!d)
		return NULL;
	while (d->idle)
		EVP_CIPHER_CTX_free(d->kept[--d->idle]);
	pthread_mutex_destroy(&d->lock);
	explicit_bzero(d->key, sizeof(d->key));
	free(d);
	return NULL;
}

static EVP_CIPHER_CTX *context_new(const uint8_t key[32])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static EVP_CIPHER_CTX *context_take(struct digester *d)
{
	EVP_CIPHER_CTX *ctx = NULL;

	pthread_mutex_lock(&d->lock);
	if (d->idle)
		ctx = d->kept[--d->idle];
	pthread_mutex_unlock(&d->lock);
	return ctx ? ctx : context_new(d->key);
}

static void context_give(struct digester *d, EVP_CIPHER_CTX *ctx)
{
	pthread_mutex_lock(&d->lock);
	if (d->idle < KEPT_MAX) {
		d->kept[d->idle++] = ctx;
		ctx = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	EVP_CIPHER_CTX_free(ctx);
}

static bool mac(EVP_CIPHER_CTX *ctx, const uint8_t nonce[MAC_NONCE_LEN], const uint8_t *p, size_t n,
		uint8_t out[MAC_LEN])
{
	int len;

	if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1)
		return false;
	while (n > 0) {
		int part = n > (1u << 30) ? 1 << 30 : (int)n;

		if (EVP_EncryptUpdate(ctx, NULL, &len, p, part) != 1)
			return false;
		p += part;
		n -= (size_t)part;
	}
	return EVP_EncryptFinal_ex(ctx, out, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, MAC_LEN, out) == 1;
}

static void checksum(const void *p, size_t n, uint8_t out[16])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(p, n));
	memcpy(out, canonical.digest, 16);
}

int digest_of(struct digester *d, const void *p, size_t n, struct digest *out)
{
	EVP_CIPHER_CTX *ctx = context_take(d);
	struct digest got;

	if (!ctx)
		return err_explain(-ENOMEM, "cannot make an AES-256-GCM context");
	checksum(p, n, got.b);
	if (!mac(ctx, got.b, p, n, got.b + 16)) {
		EVP_CIPHER_CTX_free(ctx);
		return err_explain(-EIO, "AES-256-GCM of %zu bytes failed in the crypto library", n);
	}
	context_give(d, ctx);
	*out = got;
	return 0;
}

bool digest_fits(const struct digest *want, const void *p, size_t n)
{
	uint8_t sum[16];

	checksum(p, n, sum);
	return !memcmp(sum, want->b, sizeof(sum));
}

uint64_t sum64(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}

int random_bytes(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_origin(-errno);
		p += got;
		n -= (size_t)got;
	}
	return 0;
}
