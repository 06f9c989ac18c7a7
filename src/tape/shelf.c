/* SPDX-License-Identifier: BSD-2-Clause */
/* Which volumes of a store are open.  Few are at a time: a drive or an open file each. */
#include "tape/shelf.h"

#include "tape/volume.h"

#include <errno.h>

int shelf_new(struct kv *kv, struct chunk_store *cs, struct shelf **out)
{
	struct shelf *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return err_origin(-ENOMEM);
	sh->kv = kv;
	sh->cs = cs;
	pthread_mutex_init(&sh->gc, NULL);
	pthread_mutex_init(&sh->lock, NULL);
	pthread_cond_init(&sh->let_go, NULL);
	*out = sh;
	return 0;
}

struct shelf *shelf_free(struct shelf *sh)
{
	if (!sh)
		return NULL;
	pthread_cond_destroy(&sh->let_go);
	pthread_mutex_destroy(&sh->lock);
	pthread_mutex_destroy(&sh->gc);
	free(sh);
	return NULL;
}

void shelf_add(struct shelf *sh, struct volume *v)
{
	LOCK_SCOPE(&sh->lock);

	v->shelf = sh;
	v->next_open = sh->open;
	sh->open = v;
}

void shelf_remove(struct shelf *sh, struct volume *v)
{
	LOCK_SCOPE(&sh->lock);
	struct volume **at = &sh->open;

	while (v->holds)
		pthread_cond_wait(&sh->let_go, &sh->lock);
	while (*at && *at != v)
		at = &(*at)->next_open;
	if (*at)
		*at = v->next_open;
}

struct volume *shelf_hold(struct shelf *sh, uint64_t map)
{
	pthread_mutex_lock(&sh->lock);
	for (struct volume *v = sh->open; v; v = v->next_open)
		if (volume_has_map(v, map)) {
			v->holds++;
			pthread_mutex_unlock(&sh->lock);
			return v;
		}
	return NULL;
}

void shelf_release(struct shelf *sh, struct volume *v)
{
	if (v) {
		pthread_mutex_lock(&sh->lock);
		v->holds--;
		pthread_cond_broadcast(&sh->let_go);
	}
	pthread_mutex_unlock(&sh->lock);
}
