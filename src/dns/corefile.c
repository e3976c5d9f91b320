/* See corefile.h. Lines of words; a word "{" at a line's end begins a block, and a line "}" ends it. Blocks of the
 * first level are zones, those in them plugins, those in plugins options. */
#include "dns/corefile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define WORDS_MAX 64             /* on a line: names of one address, servers, zones */
#define HOSTS_TEXT_MAX (2 << 20) /* bytes: a ConfigMap has 1 MiB */

struct line {
    int number;
    char *words[WORDS_MAX + 1]; /* into the reader's text */
    size_t n;
    bool opens, closes;
};

struct reader {
    struct settings *settings;
    char *at; /* the rest of the text, which is taken apart in place */
    int number;
    struct line zones; /* whose block this is */
    struct buf hosts;  /* lines of all hosts blocks, each at its number */
    int hosts_number;
};

/* --- words and lines --- */

/* From behind its first quote: drawn together over the backslashes, up to the last quote. Returns what follows. */
static char *close_quoted(char *word)
{
    char *to = word, *from = word;
    for (; *from && *from != '"'; from++) {
        from += from[0] == '\\' && from[1] == '"';
        *to++ = *from;
    }
    from += *from == '"';
    *to = '\0';
    return from;
}

/* The next word of a line, ended by a NUL; NULL: no more. `*at` goes behind it. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t\r");
    if (!*word || *word == '#')
        return NULL;
    if (*word == '"') {
        *at = close_quoted(++word);
        return word;
    }
    char *end = word + strcspn(word, " \t\r");
    *at = end + (*end != '\0');
    *end = '\0';
    return word;
}

/* The next line that says something. 0: the text has ended. */
static int next_line(struct reader *r, struct line *ret, struct err *err)
{
    for (*ret = (struct line){0}; *r->at && !ret->n;) {
        char *at = r->at;
        r->at += strcspn(r->at, "\n");
        if (*r->at)
            *r->at++ = '\0';
        ret->number = ++r->number;
        for (char *word; (word = next_word(&at)); ret->words[ret->n++] = word)
            if (ret->n == WORDS_MAX)
                return err_set(err, 0, "line %d: more than %d words", ret->number, WORDS_MAX);
    }
    if (!ret->n)
        return 0;
    ret->closes = ret->n == 1 && streq(ret->words[0], "}");
    ret->opens = streq(ret->words[ret->n - 1], "{");
    if (ret->opens)
        ret->words[--ret->n] = NULL;
    return 1;
}

/* --- what plugins say --- */

static int read_seconds(const struct line *l, unsigned max, unsigned *ret, struct err *err)
{
    int64_t seconds;
    if (l->n < 2 || !str_to_i64(l->words[1], 0, max, &seconds))
        return err_set(err, 0, "%s: not 0 to %u seconds", l->words[0], max);
    *ret = (unsigned)seconds;
    return 0;
}

static bool is_root(const char *zone)
{
    return streq(zone, ".");
}

/* "cache [TTL] [ZONES]". There is one cache: that of the zone "." says how long. */
static int read_cache(struct reader *r, const struct line *l, struct err *err)
{
    unsigned seconds = SECONDS_MAX;
    if (l->n > 1 && l->words[1][0] >= '0' && l->words[1][0] <= '9' && read_seconds(l, SECONDS_MAX, &seconds, err) < 0)
        return -1;
    if (is_root(r->zones.words[0]))
        r->settings->cache_seconds = seconds;
    return 0;
}

static int read_servers(char *const *words, size_t n, char **ret, struct err *err)
{
    if (!n || n > UPSTREAMS_MAX)
        return err_set(err, 0, "not one to %d servers", UPSTREAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *bare = str_after(words[i], "dns://");
        if (settings_server(&ret[i], bare ? bare : words[i], err) < 0)
            return -1;
    }
    return 0;
}

static int forward_zone(struct reader *r, const char *zone, const struct line *l, struct err *err)
{
    bool as_host = l->n == 3 && streq(l->words[2], "/etc/resolv.conf");
    if (is_root(zone) && as_host)
        return 0;
    if (as_host)
        return err_set(err, 0, "%s: /etc/resolv.conf is for the zone \".\" alone", zone);
    if (is_root(zone))
        return r->settings->upstreams[0] ? err_set(err, 0, "servers are named twice")
                                         : read_servers(l->words + 2, l->n - 2, r->settings->upstreams, err);
    struct stub *stub = settings_add_stub(r->settings, zone, err);
    return stub ? read_servers(l->words + 2, l->n - 2, stub->servers, err) : -1;
}

/* "forward FROM TO…"; FROM "." is all of the block's zones. */
static int read_forward(struct reader *r, const struct line *l, struct err *err)
{
    if (l->n < 3)
        return err_set(err, 0, "%s: a zone and the servers to ask are missing", l->words[0]);
    if (!is_root(l->words[1]))
        return forward_zone(r, l->words[1], l, err);
    for (size_t i = 0; i < r->zones.n; i++)
        if (forward_zone(r, r->zones.words[i], l, err) < 0)
            return -1;
    return 0;
}

/* "hosts [ZONES] { ADDRESS NAME… }" */
static int read_hosts(struct reader *r, const struct line *l, struct err *err)
{
    (void)r;
    return l->n > 1 && strchr(l->words[1], '/') ? err_set(err, 0, "hosts: %s: no file can be read", l->words[1]) : 0;
}

static int read_entry(struct reader *r, const struct line *l, struct err *err)
{
    (void)err;
    for (; r->hosts_number < l->number; r->hosts_number++)
        buf_addc(&r->hosts, '\n');
    for (size_t i = 0; i < l->n; i++)
        buf_addf(&r->hosts, "%s ", l->words[i]);
    return 0;
}

static int read_ttl(struct reader *r, const struct line *l, struct err *err)
{
    unsigned seconds = 0;
    if (read_seconds(l, SECONDS_MAX, &seconds, err) < 0)
        return -1;
    r->settings->ttl = seconds;
    return 0;
}

static int read_log(struct reader *r, const struct line *l, struct err *err)
{
    (void)l;
    (void)err;
    r->settings->log = true;
    return 0;
}

/* --- which there are --- */

struct word_meaning {
    const char *plugin, *option;                                          /* option NULL: the plugin itself */
    int (*read)(struct reader *r, const struct line *l, struct err *err); /* NULL: it is so anyway, or moves nothing */
};

static const struct word_meaning meanings[] = {
    {"cache", NULL, read_cache},
    {"cache", "denial", NULL},
    {"cache", "prefetch", NULL},
    {"cache", "serve_stale", NULL},
    {"cache", "success", NULL},
    {"errors", NULL, NULL},
    {"errors", "consolidate", NULL},
    {"forward", NULL, read_forward},
    {"forward", "expire", NULL},
    {"forward", "health_check", NULL},
    {"forward", "max_concurrent", NULL},
    {"forward", "max_fails", NULL},
    {"forward", "policy", NULL},
    {"forward", "prefer_udp", NULL},
    {"health", NULL, NULL},
    {"health", "lameduck", NULL},
    {"hosts", NULL, read_hosts},
    {"hosts", "fallthrough", NULL},
    {"hosts", "no_reverse", NULL},
    {"hosts", "reload", NULL},
    {"hosts", "ttl", NULL},
    {"kubernetes", NULL, NULL},
    {"kubernetes", "fallthrough", NULL},
    {"kubernetes", "pods", NULL},
    {"kubernetes", "ttl", read_ttl},
    {"kubernetes", "upstream", NULL},
    {"loadbalance", NULL, NULL},
    {"log", NULL, read_log},
    {"loop", NULL, NULL},
    {"prometheus", NULL, NULL},
    {"proxy", NULL, read_forward},
    {"ready", NULL, NULL},
    {"reload", NULL, NULL},
};

static const struct word_meaning *find_meaning(const char *plugin, const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
        if (streq(meanings[i].plugin, plugin) && streq_or_null(meanings[i].option, option))
            return &meanings[i];
    return NULL;
}

static const struct word_meaning entry = {"hosts", "", read_entry};

/* plugin NULL: the line names one. */
static int read_meaning(struct reader *r, const char *plugin, const struct line *l, struct err *err)
{
    const struct word_meaning *m = find_meaning(plugin ? plugin : l->words[0], plugin ? l->words[0] : NULL);
    if (!m && streq_or_null(plugin, "hosts"))
        m = &entry;
    if (!m)
        return err_set(err, 0, "line %d: %s%s\"%s\" is not supported here", l->number, plugin ? plugin : "",
                       plugin ? ": " : "plugin ", l->words[0]);
    return m->read && m->read(r, l, err) < 0 ? err_wrap(err, "line %d", l->number) : 0;
}

/* --- blocks --- */

/* Up to the line that ends the block of `plugin`, or (NULL) that of the zones. */
static int read_block(struct reader *r, const char *plugin, struct err *err)
{
    struct line l;
    int got;
    while ((got = next_line(r, &l, err)) > 0 && !l.closes) {
        if (!l.n || (l.opens && plugin))
            return err_set(err, 0, "line %d: a block that belongs to nothing", l.number);
        if (read_meaning(r, plugin, &l, err) < 0 || (l.opens && read_block(r, l.words[0], err) < 0))
            return -1;
    }
    if (!got)
        return err_set(err, 0, "a block has no end");
    return got < 0 ? -1 : 0;
}

/* "dns://consul.local:53," is "consul.local". */
static int bare_zone(char **zone, struct err *err)
{
    char *at = *zone;
    if (str_after(at, "dns://"))
        at += strlen("dns://");
    at[strcspn(at, ",")] = '\0';
    char *port = strrchr(at, ':');
    if (port && !streq(port, ":53"))
        return err_set(err, 0, "%s: DNS has port 53", at);
    if (port)
        *port = '\0';
    *zone = at;
    return *at ? 0 : err_set(err, 0, "a zone is missing");
}

static int read_zones(struct reader *r, struct err *err)
{
    struct line *zones = &r->zones;
    int got = next_line(r, zones, err);
    if (got <= 0)
        return got;
    if (!zones->opens || !zones->n)
        return err_set(err, 0, "line %d: not \"ZONE… {\"", zones->number);
    for (size_t i = 0; i < zones->n; i++)
        if (bare_zone(&zones->words[i], err) < 0)
            return err_wrap(err, "line %d", zones->number);
    return read_block(r, NULL, err) < 0 ? -1 : 1;
}

static int take_hosts(struct reader *r, struct err *err)
{
    if (r->hosts.len)
        r->settings->hosts = hosts_new(buf_str(&r->hosts), err);
    return r->hosts.len && !r->settings->hosts ? -1 : 0;
}

int corefile_read(struct settings *s, const char *text, struct err *err)
{
    _cleanup_free_ char *copy = xstrdup(text);
    struct reader r = {.settings = s, .at = copy, .hosts = BUF_INIT(HOSTS_TEXT_MAX), .hosts_number = 1};
    int got;
    while ((got = read_zones(&r, err)) > 0)
        ;
    if (got == 0)
        got = take_hosts(&r, err);
    buf_done(&r.hosts);
    return got;
}
