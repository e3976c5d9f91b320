/* See map.h. */
#include "base/map.h"

#include <string.h>

#include "base/alloc.h"

uint64_t hash_bytes(const void *data, size_t len)
{
    uint64_t h = 0xcbf29ce484222325;
    for (const unsigned char *p = data; len--; p++)
        h = (h ^ *p) * 0x100000001b3;
    return h;
}

uint32_t hash32_bytes(const void *data, size_t len)
{
    uint32_t h = 0x811c9dc5;
    for (const unsigned char *p = data; len--; p++)
        h = (h ^ *p) * 0x01000193;
    return h;
}

/* Index slot of the key, or of the empty place where it would go. Deleted entries keep their slot until the next
 * rebuild, so that probing does not stop early. */
static size_t slot_of(const struct map *m, const char *key, uint64_t hash)
{
    size_t i = hash & (m->index_size - 1);
    for (; m->index[i]; i = (i + 1) & (m->index_size - 1)) {
        const struct map_entry *e = &m->entries[m->index[i] - 1];
        if (e->key && e->hash == hash && strcmp(e->key, key) == 0)
            break;
    }
    return i;
}

static void rebuild(struct map *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->used; i++)
        if (m->entries[i].key)
            m->entries[n++] = m->entries[i];
    m->used = n;
    size_t size = 8;
    while (size < n * 3)
        size *= 2;
    if (size != m->index_size) {
        m->index = xrealloc(m->index, size * sizeof(*m->index));
        m->index_size = size;
        m->cap = size / 2;
        m->entries = xrealloc(m->entries, m->cap * sizeof(*m->entries));
    }
    memset(m->index, 0, size * sizeof(*m->index));
    for (size_t i = 0; i < n; i++) {
        size_t s = m->entries[i].hash & (size - 1);
        while (m->index[s])
            s = (s + 1) & (size - 1);
        m->index[s] = (uint32_t)i + 1;
    }
}

void *map_get(const struct map *m, const char *key)
{
    if (!m->len)
        return NULL;
    size_t s = slot_of(m, key, hash_bytes(key, strlen(key)));
    return m->index[s] ? m->entries[m->index[s] - 1].value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
    uint64_t hash = hash_bytes(key, strlen(key));
    if (m->used == m->cap)
        rebuild(m);
    size_t s = slot_of(m, key, hash);
    if (m->index[s]) {
        struct map_entry *e = &m->entries[m->index[s] - 1];
        void *old = e->value;
        e->value = value;
        return old;
    }
    m->entries[m->used++] = (struct map_entry){xstrdup(key), value, hash};
    m->index[s] = (uint32_t)m->used;
    m->len++;
    return NULL;
}

void *map_del(struct map *m, const char *key)
{
    if (!m->len)
        return NULL;
    size_t s = slot_of(m, key, hash_bytes(key, strlen(key)));
    if (!m->index[s])
        return NULL;
    struct map_entry *e = &m->entries[m->index[s] - 1];
    void *old = e->value;
    free(e->key);
    e->key = NULL;
    m->len--;
    return old;
}

struct map_entry *map_next(const struct map *m, const struct map_entry *after)
{
    size_t i = after ? (size_t)(after - m->entries) + 1 : 0;
    for (; i < m->used; i++)
        if (m->entries[i].key)
            return &m->entries[i];
    return NULL;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->used; i++)
        free(m->entries[i].key);
    m->used = m->len = 0;
    if (m->index)
        memset(m->index, 0, m->index_size * sizeof(*m->index));
}

void map_done(struct map *m)
{
    map_clear(m);
    free(m->entries);
    free(m->index);
    *m = (struct map){0};
}

void map_done_with(struct map *m, void (*free_value)(void *))
{
    for (struct map_entry *e = NULL; (e = map_next(m, e));)
        free_value(e->value);
    map_done(m);
}
