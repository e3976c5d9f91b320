/* See change.h. */
#include "ingress/change.h"

#include <string.h>

#include "base/str.h"

#define PAYLOAD_MAX 12000 /* HAProxy reads commands into a buffer of 16 KiB */

static const struct ingress_file *find(const struct ingress_files *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (streq(f->files[i].name, name))
            return &f->files[i];
    return NULL;
}

static bool is_cert(const struct ingress_file *f)
{
    return str_ends_with(f->name, ".pem");
}

/* All but certificates and their list. */
static bool rest_is_same(const struct ingress_files *a, const struct ingress_files *b)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct ingress_file *f = &a->files[i], *other = find(b, f->name);
        if (is_cert(f) || streq(f->name, INGRESS_CERTS))
            continue;
        if (!other || !streq(other->text, f->text))
            return false;
    }
    return true;
}

/* The lines of a list that name a certificate; they are next to each other. */
struct lines {
    const char *text;
    size_t len, n;
};

static struct lines lines_of(const struct ingress_files *f, const char *cert, const char *dir)
{
    const struct ingress_file *list = find(f, INGRESS_CERTS);
    struct lines found = {0};
    for (const char *line = list ? list->text : "", *end; *line; line = end) {
        const char *name = str_after(line, dir), *rest = name && *name == '/' ? str_after(name + 1, cert) : NULL;
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (!rest || (*rest != ' ' && *rest != '\n'))
            continue;
        if (!found.n++)
            found.text = line;
        found.len = (size_t)(end - found.text);
    }
    return found;
}

static bool is_same(struct lines a, struct lines b)
{
    return a.len == b.len && (!a.len || memcmp(a.text, b.text, a.len) == 0);
}

static bool set_cert(const struct ingress_file *f, const char *dir, struct buf *commands)
{
    buf_addf(commands, "set ssl cert %s/%s <<\n%s\ncommit ssl cert %s/%s\n", dir, f->name, f->text, dir, f->name);
    return strlen(f->text) < PAYLOAD_MAX;
}

static bool add_cert(const struct ingress_file *f, struct lines lines, const char *dir, struct buf *commands)
{
    buf_addf(commands, "new ssl cert %s/%s\n", dir, f->name);
    bool fits = set_cert(f, dir, commands) && lines.len < PAYLOAD_MAX;
    const char *line = lines.text, *stop = lines.text + lines.len, *end;
    for (; fits && line < stop && (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1)
        buf_addf(commands, "add ssl crt-list %s/" INGRESS_CERTS " <<\n%.*s\n\n", dir, (int)(end - line), line);
    return fits;
}

bool ingress_change(const struct ingress_files *before, const struct ingress_files *now, const char *dir,
                    struct buf *commands)
{
    if (!rest_is_same(before, now) || !rest_is_same(now, before))
        return false;
    for (size_t i = 0; i < now->n; i++) {
        const struct ingress_file *f = &now->files[i], *old = find(before, f->name);
        if (!is_cert(f))
            continue;
        struct lines lines = lines_of(now, f->name, dir);
        if (!old ? !add_cert(f, lines, dir, commands) : !is_same(lines, lines_of(before, f->name, dir)))
            return false;
        if (old && !streq(old->text, f->text) && !set_cert(f, dir, commands))
            return false;
    }
    for (size_t i = 0; i < before->n; i++) {
        const struct ingress_file *f = &before->files[i];
        if (!is_cert(f) || find(now, f->name))
            continue;
        if (lines_of(before, f->name, dir).n != 1) /* HAProxy wants line numbers then */
            return false;
        buf_addf(commands, "del ssl crt-list %s/" INGRESS_CERTS " %s/%s\ndel ssl cert %s/%s\n", dir, dir, f->name, dir,
                 f->name);
    }
    return true;
}
