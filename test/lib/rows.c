/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows: the rows of a store that nobody has open, as its database has them, behind the journal's back.
 *
 *   rows STORE dump                    a line for each: SPACE KEY VALUE, in hexadecimal; "-" is empty
 *   rows STORE put SPACE KEY VALUE
 *   rows STORE delete SPACE KEY
 */
#include <errno.h>
#include <stdio.h>
#include <vtape/kv.h>

static const char *const names[KV_SPACES] = { "catalog", "index", "map", "pack", "contents" };

static int die(const char *what, int r)
{
	fprintf(stderr, "rows: %s: %s\n", what, err_text(r));
	return 2;
}

static void print(const uint8_t *p, size_t n)
{
	if (!n)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static int dump(struct kv *kv)
{
	struct kv_iter *it;
	int r = 0;

	for (enum kv_space s = 0; !r && s < KV_SPACES; s++) {
		r = kv_iter_new(kv, s, &it);
		if (r)
			return r;
		for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
			size_t klen, vlen;
			const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);

			printf("%s ", names[s]);
			print(k, klen);
			putchar(' ');
			print(v, vlen);
			putchar('\n');
		}
		r = kv_iter_error(it);
		kv_iter_free(it);
	}
	return r;
}

static size_t bytes_of(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = 0;
	unsigned byte;

	while (n < cap && *hex != '-' && sscanf(hex, "%2x", &byte) == 1 && hex[1]) {
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

static int change(struct kv *kv, int argc, char **argv)
{
	static uint8_t key[KV_KEY_MAX], value[1u << 20];
	struct kv_batch *b;
	enum kv_space s = 0;
	size_t klen;
	int r = kv_batch_new(&b);

	while (s < KV_SPACES && strcmp(names[s], argv[3]) != 0)
		s++;
	if (r || s == KV_SPACES)
		return r ? r : -EINVAL;
	klen = bytes_of(argv[4], key, sizeof(key));
	if (argc == 6)
		r = kv_batch_put(b, s, key, klen, value, bytes_of(argv[5], value, sizeof(value)));
	else
		r = kv_batch_delete(b, s, key, klen);
	r = r ? r : kv_write(kv, b, true);
	kv_batch_free(b);
	return r;
}

int main(int argc, char **argv)
{
	char path[4096];
	struct kv *kv;
	int r;

	if (argc != 3 && argc != 5 && argc != 6)
		return die("usage: rows STORE dump | put SPACE KEY VALUE | delete SPACE KEY", -EINVAL);
	snprintf(path, sizeof(path), "%s/db", argv[1]);
	r = kv_open(path, false, 8u << 20, &kv);
	if (r)
		return die(argv[1], r);
	r = argc == 3 ? dump(kv) : change(kv, argc, argv);
	kv_close(kv);
	return r ? die(argv[2], r) : 0;
}
