/* See hosts.h. A name in wire format without bytes of 0 in its labels is a C string, and so a map's key: one with such
 * a byte ends in the middle of a label, and is nobody's key. */
#include "dns/hosts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

struct entry {
    struct ip *ips; /* of a name */
    char **names;   /* of an address */
    size_t n;
};

struct hosts {
    struct map by_name, by_ip; /* struct entry; names in wire format, addresses as text */
};

static struct entry *entry_of(struct map *m, const char *key)
{
    struct entry *e = map_get(m, key);
    if (!e) {
        e = NEW(struct entry);
        map_put(m, key, e);
    }
    return e;
}

static void entry_free(void *p)
{
    struct entry *e = p;
    for (size_t i = 0; e->names && i < e->n; i++)
        free(e->names[i]);
    free(e->names);
    free(e->ips);
    free(e);
}

static void add(struct hosts *h, const struct ip *ip, const knot_dname_t *name)
{
    char text[IP_TEXT_SIZE];
    struct entry *named = entry_of(&h->by_name, (const char *)name);
    named->ips = xrealloc(named->ips, (named->n + 1) * sizeof(*named->ips));
    named->ips[named->n++] = *ip;
    struct entry *at = entry_of(&h->by_ip, ip_format(ip, text));
    at->names = xrealloc(at->names, (at->n + 1) * sizeof(*at->names));
    at->names[at->n++] = xstrdup((const char *)name);
}

/* Cuts the next word off; NULL at the end of the line. */
static char *next_word(char **rest)
{
    static const char blanks[] = " \t\r";
    char *word = *rest + strspn(*rest, blanks);
    size_t len = strcspn(word, blanks);
    *rest = word + len;
    if (**rest)
        *(*rest)++ = '\0';
    return *word ? word : NULL;
}

static int add_line(struct hosts *h, char *line, struct err *err)
{
    struct ip ip;
    line[strcspn(line, "#")] = '\0';
    char *rest = line, *address = next_word(&rest), *word = address ? next_word(&rest) : NULL;
    if (!address)
        return 0;
    if (!ip_parse(address, &ip))
        return err_set(err, 0, "\"%s\" is no address", address);
    if (!word)
        return err_set(err, 0, "%s has no name", address);
    for (; word; word = next_word(&rest)) {
        knot_dname_storage_t name;
        if (!knot_dname_from_str(name, word, sizeof(name)) || strlen((char *)name) + 1 != knot_dname_size(name))
            return err_set(err, 0, "\"%s\" is no name", word);
        knot_dname_to_lower(name);
        add(h, &ip, name);
    }
    return 0;
}

struct hosts *hosts_new(const char *text, struct err *err)
{
    struct hosts *h = NEW(struct hosts);
    size_t n;
    _cleanup_free_ char **lines = str_split(text, '\n', &n);
    for (size_t i = 0; i < n; i++) {
        if (add_line(h, lines[i], err) == 0)
            continue;
        err_wrap(err, "line %zu", i + 1);
        hosts_free(h);
        return NULL;
    }
    return h;
}

void hosts_free(struct hosts *h)
{
    if (!h)
        return;
    map_done_with(&h->by_name, entry_free);
    map_done_with(&h->by_ip, entry_free);
    free(h);
}

const struct ip *hosts_addresses(const struct hosts *h, const knot_dname_t *name, size_t *ret_n)
{
    const struct entry *e = h ? map_get(&h->by_name, (const char *)name) : NULL;
    *ret_n = e ? e->n : 0;
    return e ? e->ips : NULL;
}

const knot_dname_t *hosts_name(const struct hosts *h, const struct ip *ip, size_t n)
{
    char text[IP_TEXT_SIZE];
    const struct entry *e = h ? map_get(&h->by_ip, ip_format(ip, text)) : NULL;
    return e && n < e->n ? (const knot_dname_t *)e->names[n] : NULL;
}
